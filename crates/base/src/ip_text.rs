//! An IP address as text, on the stack: formatting one through the standard library costs more
//! than encoding a whole head.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest: an IPv4-mapped IPv6 address with all its groups.
const LONGEST: usize = 45;

/// An IP address's text.
#[derive(Clone, Copy)]
pub struct IpText {
    bytes: [u8; LONGEST],
    len: u8,
}

impl IpText {
    /// The address in its canonical form (RFC 5952 for IPv6).
    pub fn new(ip: IpAddr) -> Self {
        let mut text = Self {
            bytes: [0; LONGEST],
            len: 0,
        };
        match ip {
            IpAddr::V4(ip) => text.write_v4(ip),
            IpAddr::V6(ip) => text.write_v6(ip),
        }
        text
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn write_v4(&mut self, ip: Ipv4Addr) {
        for (at, octet) in ip.octets().into_iter().enumerate() {
            if at > 0 {
                self.push(b'.');
            }
            if octet >= 100 {
                self.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                self.push(b'0' + octet / 10 % 10);
            }
            self.push(b'0' + octet % 10);
        }
    }

    fn write_v6(&mut self, ip: Ipv6Addr) {
        let mut rest = &mut self.bytes[..];
        let written = write!(rest, "{ip}");
        debug_assert!(written.is_ok(), "no address is longer than {LONGEST}");
        self.len = (LONGEST - rest.len()) as u8;
    }

    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.len)] = byte;
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_standard_librarys() {
        let all = (0..=255_u8).flat_map(|octet| {
            [
                Ipv4Addr::new(octet, 0, 9, 10),
                Ipv4Addr::new(99, 100, 255, octet),
            ]
        });
        let v6 = ["::", "::1", "2001:db8::8a2e:370:7334", "::ffff:1.2.3.4"]
            .into_iter()
            .chain(["1111:2222:3333:4444:5555:6666:7777:8888"])
            .map(|text| text.parse().unwrap());
        for ip in all.map(IpAddr::V4).chain(v6) {
            assert_eq!(IpText::new(ip).as_bytes(), ip.to_string().as_bytes());
        }
    }
}
