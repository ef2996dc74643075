//! The address by which other hosts know this one.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// This host's IPv4 address on its way out, loopback where there is none: what Envoy's local info
/// says, and what `x-forwarded-for` gets for clients on this machine.
pub struct HostAddress(pub IpAddr);

impl HostAddress {
    /// Asks the system, once at the start as Envoy does.
    pub fn find() -> Self {
        // Connecting a UDP socket asks the routing table and sends nothing. The address is one of
        // those kept for documentation (RFC 5737).
        let on_the_way = || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
            socket.local_addr()
        };
        Self(match on_the_way() {
            Ok(address) => address.ip(),
            Err(_) => Ipv4Addr::LOCALHOST.into(),
        })
    }
}
