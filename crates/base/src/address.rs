//! Where a connection comes from or goes to: IP and port, a Unix socket's path, or an internal
//! listener's name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// An address as Envoy names it (`envoy.config.core.v3.Address`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Address {
    /// IP address and port.
    Ip(SocketAddr),
    /// A Unix socket's path; a leading `@` names an abstract socket.
    Pipe(Arc<str>),
    /// A listener inside this process, and which of its endpoints is meant.
    Internal(Arc<InternalAddress>),
}

/// An address inside this process (`envoy.config.core.v3.EnvoyInternalAddress`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct InternalAddress {
    /// The listener's name.
    pub listener: String,
    /// Tells apart endpoints behind the same listener.
    pub endpoint_id: String,
}

// Each connection has at least two.
const _: () = assert!(size_of::<Address>() <= 32);

impl Address {
    /// The IP address and port, if it has them.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Pipe(_) | Self::Internal(_) => None,
        }
    }

    /// The IP address alone, if it has one.
    pub fn ip_only(&self) -> Option<IpAddr> {
        self.ip().map(|address| address.ip())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Pipe(path) => f.write_str(path),
            Self::Internal(address) => {
                write!(f, "envoy://{}/{}", address.listener, address.endpoint_id)
            }
        }
    }
}
