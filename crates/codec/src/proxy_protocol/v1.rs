//! Version 1: one line of text.

use super::{Endpoints, Header, Inspection, Version};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What it begins with.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, its end included: the specification's 107 bytes and a zero byte that some
/// implementations reserve, as Envoy counts.
const LONGEST: usize = 108;

const LINE_END: &[u8] = b"\r\n";

/// Reads a header that has the signature.
pub(super) fn read(bytes: &[u8]) -> Inspection {
    const WRONG: Inspection = Inspection::Wrong(Version::V1);
    let head = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = head.windows(2).position(|pair| pair == LINE_END) else {
        return if bytes.len() < LONGEST {
            Inspection::Incomplete
        } else {
            WRONG
        };
    };
    let rest = &bytes[SIGNATURE.len()..end];
    let endpoints = match rest.split(|&byte| byte == b' ').next() {
        Some(b"UNKNOWN") => None,
        _ => match std::str::from_utf8(rest).ok().and_then(endpoints) {
            Some(endpoints) => Some(endpoints),
            None => return WRONG,
        },
    };
    Inspection::Found(Header {
        version: Version::V1,
        endpoints,
        len: end + LINE_END.len(),
    })
}

/// `TCP4 SOURCE DESTINATION PORT PORT`; Envoy allows spaces behind.
fn endpoints(text: &str) -> Option<Endpoints> {
    let mut parts = text.trim_end_matches(' ').split(' ');
    let protocol = parts.next()?;
    let [source, destination, from, to] =
        [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    if parts.next().is_some() {
        return None;
    }
    let ip = |text| match protocol {
        "TCP4" => Ipv4Addr::from_str(text).ok().map(IpAddr::V4),
        "TCP6" => Ipv6Addr::from_str(text).ok().map(IpAddr::V6),
        _ => None,
    };
    Endpoints::new(
        SocketAddr::new(ip(source)?, from.parse().ok()?),
        SocketAddr::new(ip(destination)?, to.parse().ok()?),
    )
}
