//! Which filter chain a connection gets: Envoy's criteria in Envoy's fixed order, through an index.
//!
//! Each criterion picks the most specific branch and never goes back to a wider one, as Envoy does
//! (`FilterChainMatch` in its API docs).

mod index;
mod tree;

#[cfg(test)]
mod tests;

pub use tree::ChainTree;

use index::{DestinationPorts, Entry};
use nuncio_base::address::Address;
use nuncio_matching::CidrRange;
use nuncio_stream_info::ConnectionInfo;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where a connection may come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SourceType {
    /// Anywhere.
    #[default]
    Any,
    /// This host: the same IP address, loopback, or a Unix socket.
    SameIpOrLoopback,
    /// Another host.
    External,
}

/// When a filter chain is chosen (`envoy.config.listener.v3.FilterChainMatch`); an empty list
/// stands for any.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FilterChainMatch {
    /// The port connected to.
    pub destination_port: Option<u16>,
    /// The IP address connected to.
    pub prefix_ranges: Vec<CidrRange>,
    /// SNI: exact, or `*.` and a suffix.
    pub server_names: Vec<String>,
    /// As a listener filter found out: `tls` or `raw_buffer`; empty for any.
    pub transport_protocol: String,
    /// ALPN, of which the connection offers one.
    pub application_protocols: Vec<String>,
    /// The IP address of the socket's peer.
    pub direct_source_prefix_ranges: Vec<CidrRange>,
    /// Where the connection comes from.
    pub source_type: SourceType,
    /// The IP address of the peer, which a listener filter may have set.
    pub source_prefix_ranges: Vec<CidrRange>,
    /// The port of the peer.
    pub source_ports: Vec<u16>,
}

/// Why filter chains cannot stand side by side. The text is Envoy's, to follow
/// `error adding listener '…': `.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChainMatchError {
    /// Two chains share a combination of criteria.
    Overlapping,
    /// A server name has a `*` other than a leading `*.`.
    PartialWildcard,
}

impl fmt::Display for ChainMatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlapping => {
                f.write_str("multiple filter chains with overlapping matching rules are defined")
            }
            Self::PartialWildcard => {
                f.write_str("partial wildcards are not supported in \"server_names\"")
            }
        }
    }
}

impl std::error::Error for ChainMatchError {}

/// What chooses among a listener's chains.
#[derive(Debug)]
pub enum ChainChoice {
    /// Their criteria.
    Criteria(Box<ChainMatcher>),
    /// The listener's own tree.
    Tree(ChainTree),
}

impl ChainChoice {
    /// The place of the chain for a connection, `default` where none is for it. A listener filter
    /// may have found out the transport protocol.
    pub fn find(
        &self,
        info: &ConnectionInfo,
        transport_protocol: &str,
        default: Option<usize>,
    ) -> Option<usize> {
        match self {
            Self::Criteria(matcher) => matcher.find(info, transport_protocol).or(default),
            Self::Tree(tree) => tree.find(info, transport_protocol, default),
        }
    }
}

/// Finds the filter chain of a connection.
#[derive(Debug)]
pub struct ChainMatcher {
    root: DestinationPorts,
}

impl ChainMatcher {
    /// An index over chains, which are named by their place.
    ///
    /// # Errors
    /// Where two chains could not be told apart, or a server name is malformed.
    pub fn new(chains: &[&FilterChainMatch]) -> Result<Self, ChainMatchError> {
        let partial = |name: &String| name.strip_prefix("*.").unwrap_or(name).contains('*');
        if chains
            .iter()
            .any(|chain| chain.server_names.iter().any(partial))
        {
            return Err(ChainMatchError::PartialWildcard);
        }
        let entries: Vec<Entry<'_>> = chains
            .iter()
            .enumerate()
            .map(|(index, criteria)| Entry { index, criteria })
            .collect();
        let root = index::destination_ports(&entries)?;
        Ok(Self { root })
    }

    /// The place of the chain for a connection, of which a listener filter may have found out the
    /// transport protocol.
    pub fn find(&self, info: &ConnectionInfo, transport_protocol: &str) -> Option<usize> {
        let local = &info.local_address;
        let server_name = info.requested_server_name.as_deref().unwrap_or_default();
        let by_type = self
            .root
            // A chain that names the port shuts out those that name none.
            .find(local.ip().map(|address| address.port()))?
            .find(ip_of(local))?
            .find_server_name(server_name)?
            .find(&[transport_protocol.as_bytes()])?
            .find(&info.requested_application_protocols)?
            .find(ip_of(info.direct_remote_address()))?;
        let remote = socket_of(&info.remote_address);
        by_type
            .find(|| is_local(info))?
            .find(remote.ip())?
            .find(Some(remote.port()))
            .copied()
    }
}

/// What stands for addresses that have no IP, as in Envoy: it is in no range but `0.0.0.0/0` and
/// those around it.
const NO_IP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 0);

fn socket_of(address: &Address) -> SocketAddr {
    address.ip().unwrap_or(NO_IP)
}

fn ip_of(address: &Address) -> IpAddr {
    socket_of(address).ip()
}

/// Whether the peer is on this host. Of 127.0.0.0/8 only 127.0.0.1 counts as loopback, as in Envoy.
fn is_local(info: &ConnectionInfo) -> bool {
    let remote = match &info.remote_address {
        Address::Ip(remote) => remote.ip(),
        Address::Pipe(_) => return true,
        Address::Internal(_) => return false,
    };
    let loopback = match remote {
        IpAddr::V4(v4) => v4 == Ipv4Addr::LOCALHOST,
        IpAddr::V6(v6) => v6.is_loopback(),
    };
    loopback || info.local_address.ip_only() == Some(remote)
}
