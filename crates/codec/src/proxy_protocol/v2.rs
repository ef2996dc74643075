//! Version 2: binary, with room for more than addresses.

use super::{Endpoints, Header, Inspection, Version};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What it begins with: nothing that any other protocol begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
pub(super) const FIXED: usize = 16;

// Version and command: the load balancer's own connection, or a client's.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

// Address family and transport.
const TCP4: u8 = 0x11;
const UDP4: u8 = 0x12;
const TCP6: u8 = 0x21;
const UDP6: u8 = 0x22;

/// The address family of IPv4.
const IPV4: u8 = 1;

/// A type-length-value's type and length.
const TLV_HEADER: usize = 3;

/// Reads a header that has the signature.
pub(super) fn read(bytes: &[u8]) -> Inspection {
    let Some((&[.., command, family, high, low], rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Inspection::Incomplete;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let has_endpoints = match (command, family) {
        (LOCAL, _) => false,
        (PROXY, TCP4 | UDP4 | TCP6 | UDP6) => true,
        _ => return Inspection::Wrong(Version::V2),
    };
    let Some(payload) = rest.get(..len) else {
        return Inspection::Incomplete;
    };
    let endpoints = if has_endpoints {
        let endpoints = of_payload(family >> 4 == IPV4, payload);
        if endpoints.is_none() {
            return Inspection::Wrong(Version::V2);
        }
        endpoints
    } else {
        None
    };
    Inspection::Found(Header {
        version: Version::V2,
        endpoints,
        len: FIXED + len,
    })
}

/// The type-length-values of a header that was read, in order.
pub(super) fn tlvs(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let addresses = match header.get(FIXED - 4..FIXED - 2) {
        Some([PROXY, TCP4 | UDP4]) => 12,
        Some([PROXY, TCP6 | UDP6]) => 36,
        // The load balancer speaks of itself.
        _ => header.len(),
    };
    let mut rest = header.get(FIXED + addresses..).unwrap_or_default();
    std::iter::from_fn(move || {
        let ([kind, high, low], behind) = rest.split_first_chunk::<TLV_HEADER>()?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = behind.split_at_checked(len)?;
        rest = after;
        Some((*kind, value))
    })
}

/// The addresses, if all that is behind them is well-formed.
fn of_payload(is_v4: bool, payload: &[u8]) -> Option<Endpoints> {
    let (source, destination, rest) = if is_v4 {
        let (source, rest) = payload.split_first_chunk::<4>()?;
        let (destination, rest) = rest.split_first_chunk::<4>()?;
        (
            Ipv4Addr::from(*source).into(),
            Ipv4Addr::from(*destination).into(),
            rest,
        )
    } else {
        let (source, rest) = payload.split_first_chunk::<16>()?;
        let (destination, rest) = rest.split_first_chunk::<16>()?;
        (
            Ipv6Addr::from(*source).into(),
            Ipv6Addr::from(*destination).into(),
            rest,
        )
    };
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, mut rest) = rest.split_first_chunk::<2>()?;
    while !rest.is_empty() {
        let ([_, high, low], behind) = rest.split_first_chunk::<TLV_HEADER>()?;
        rest = behind.get(usize::from(u16::from_be_bytes([*high, *low]))..)?;
    }
    Endpoints::new(
        SocketAddr::new(source, u16::from_be_bytes(*from)),
        SocketAddr::new(destination, u16::from_be_bytes(*to)),
    )
}
