//! Reads and writes the PROXY protocol's header, with which a load balancer in front tells whose
//! connection it hands on (`haproxy.org/download/3.0/doc/proxy-protocol.txt`), in both versions.

#[cfg(test)]
mod tests;
mod v1;
mod v2;
mod write;

pub use write::{Tlv, write_v1, write_v2};

use std::net::{IpAddr, SocketAddr};

/// The longest header: version 2's fixed part and what its length field can announce.
pub const LONGEST: usize = v2::FIXED + u16::MAX as usize;

/// The header's versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Between whom the connection was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which version it is of.
    pub version: Version,
    /// `None` where the load balancer speaks for itself, or doesn't know: the connection's own
    /// addresses count.
    pub endpoints: Option<Endpoints>,
    /// The bytes that it takes.
    pub len: usize,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspection {
    /// Perhaps a header that is not all there yet.
    Incomplete,
    /// No header.
    NotFound,
    /// A header.
    Found(Header),
    /// A header of this version that is wrong.
    Wrong(Version),
}

/// Reads the header that a connection's first bytes are.
pub fn inspect(bytes: &[u8]) -> Inspection {
    if bytes.starts_with(v1::SIGNATURE) {
        v1::read(bytes)
    } else if bytes.starts_with(v2::SIGNATURE) {
        v2::read(bytes)
    } else if v1::SIGNATURE.starts_with(bytes) || v2::SIGNATURE.starts_with(bytes) {
        Inspection::Incomplete
    } else {
        Inspection::NotFound
    }
}

/// The type-length-values of a header that was found, all its bytes, in order. Version 1 has none.
pub fn tlvs(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let header = match header.starts_with(v2::SIGNATURE) {
        true => header,
        false => &[],
    };
    v2::tlvs(header)
}

/// Whether an address can be one end of a connection.
fn is_unicast(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

impl Endpoints {
    /// Both ends, if they can be such.
    fn new(source: SocketAddr, destination: SocketAddr) -> Option<Self> {
        (is_unicast(source.ip()) && is_unicast(destination.ip())).then_some(Self {
            source,
            destination,
        })
    }
}
