//! Writes headers.

use super::{Endpoints, v1, v2};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// A value that a header of version 2 brings along: its type, and what it is.
pub type Tlv = (u8, Vec<u8>);

/// A header of version 1; one that tells nothing where nobody is known, or both are not of one
/// family.
pub fn write_v1(between: Option<Endpoints>) -> Vec<u8> {
    let mut line = String::from_utf8_lossy(v1::SIGNATURE).into_owned();
    let known = between.and_then(|between| Some((between, family(&between)?)));
    // Writing to a string can't fail.
    let _ = match known {
        Some((between, is_v4)) => write!(
            line,
            "{} {} {} {} {}\r\n",
            if is_v4 { "TCP4" } else { "TCP6" },
            between.source.ip(),
            between.destination.ip(),
            between.source.port(),
            between.destination.port(),
        ),
        None => write!(line, "UNKNOWN\r\n"),
    };
    line.into_bytes()
}

/// A header of version 2; one of the sender's own (`LOCAL`), without `tlvs`, where nobody is known.
/// Of `tlvs` those are left out that the header has no room for.
pub fn write_v2<'a>(
    between: Option<Endpoints>,
    tlvs: impl Iterator<Item = (u8, &'a [u8])>,
) -> Vec<u8> {
    let mut header = Vec::with_capacity(v2::FIXED + 36);
    header.extend_from_slice(v2::SIGNATURE);
    let known = between.and_then(|between| Some((between, family(&between)?)));
    let Some((between, is_v4)) = known else {
        header.extend_from_slice(&[0x20, 0, 0, 0]);
        return header;
    };
    header.extend_from_slice(&[0x21, if is_v4 { 0x11 } else { 0x21 }, 0, 0]);
    for end in [between.source, between.destination] {
        append_ip(&mut header, end);
    }
    for end in [between.source, between.destination] {
        header.extend_from_slice(&end.port().to_be_bytes());
    }
    for (kind, value) in tlvs {
        let taken = header.len() - v2::FIXED;
        let fits = taken + 3 + value.len() <= usize::from(u16::MAX);
        if let (true, Ok(length)) = (fits, u16::try_from(value.len())) {
            header.push(kind);
            header.extend_from_slice(&length.to_be_bytes());
            header.extend_from_slice(value);
        }
    }
    // It was made to fit.
    let length = u16::try_from(header.len() - v2::FIXED).unwrap_or(u16::MAX);
    header[v2::FIXED - 2..v2::FIXED].copy_from_slice(&length.to_be_bytes());
    header
}

/// Whether both are IPv4, or both not; none where they differ.
fn family(between: &Endpoints) -> Option<bool> {
    let is_v4 = between.source.is_ipv4();
    (is_v4 == between.destination.is_ipv4()).then_some(is_v4)
}

fn append_ip(to: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => to.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => to.extend_from_slice(&ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inspection, inspect, tlvs};
    use super::*;

    fn between(source: &str, destination: &str) -> Option<Endpoints> {
        Some(Endpoints {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        })
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let v4 = between("1.2.3.4:1000", "5.6.7.8:2000");
        let v6 = between("[::1]:1000", "[fe80::2]:2000");
        let mixed = between("1.2.3.4:1000", "[::1]:2000");
        let extra: [Tlv; 2] = [(5, b"abc".to_vec()), (0xe0, Vec::new())];
        for (given, known) in [(v4, v4), (v6, v6), (mixed, None), (None, None)] {
            let extra = || extra.iter().map(|(kind, value)| (*kind, value.as_slice()));
            let of_v2 = write_v2(given, extra());
            for header in [write_v1(given), of_v2.clone()] {
                let Inspection::Found(found) = inspect(&header) else {
                    panic!("{header:?}");
                };
                assert_eq!((found.endpoints, found.len), (known, header.len()));
            }
            let expected = if known.is_some() { 2 } else { 0 };
            assert_eq!(tlvs(&of_v2).count(), expected);
        }
        let line = write_v1(v4);
        assert_eq!(line, b"PROXY TCP4 1.2.3.4 5.6.7.8 1000 2000\r\n");
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        let long = vec![b'a'; 42_000];
        let too_long = vec![b'b'; 70_000];
        let values: [(u8, &[u8]); 4] = [(1, &too_long), (2, &long), (3, &long), (4, b"abc")];
        let header = write_v2(between("1.2.3.4:1", "1.2.3.4:2"), values.into_iter());
        let kinds: Vec<u8> = tlvs(&header).map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [2, 4]);
        assert_eq!(header.len(), v2::FIXED + 12 + 42_003 + 6);
    }
}
