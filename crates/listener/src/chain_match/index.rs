//! The levels of the index, one for each criterion, from the first looked at to the last.

use super::{ChainMatchError, FilterChainMatch, SourceType};
use nuncio_matching::{CidrRange, CidrTrie};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) type SourcePorts = Ports<usize>;
pub(super) type SourceIps = Ips<SourcePorts>;
pub(super) type DirectSourceIps = Ips<SourceTypes>;
pub(super) type ApplicationProtocols = Names<DirectSourceIps>;
pub(super) type TransportProtocols = Names<ApplicationProtocols>;
pub(super) type ServerNames = Names<TransportProtocols>;
pub(super) type DestinationIps = Ips<ServerNames>;
pub(super) type DestinationPorts = Ports<DestinationIps>;

/// By port.
#[derive(Debug)]
pub(super) struct Ports<T> {
    exact: HashMap<u16, T>,
    any: Option<T>,
}

impl<T> Ports<T> {
    /// What is under the port, else what is under none.
    pub fn find(&self, port: Option<u16>) -> Option<&T> {
        port.and_then(|port| self.exact.get(&port))
            .or(self.any.as_ref())
    }
}

/// By IP address.
#[derive(Debug)]
pub(super) enum Ips<T> {
    /// No chain names a range: one branch is for all addresses, where a trie would have one for
    /// each family, and twice as many below each further level.
    Any(T),
    Ranges(CidrTrie<T>),
}

impl<T> Ips<T> {
    /// What is under the longest prefix that holds the address.
    pub fn find(&self, address: IpAddr) -> Option<&T> {
        match self {
            Self::Any(next) => Some(next),
            Self::Ranges(ranges) => ranges.find(address),
        }
    }
}

/// By name: an SNI, a transport protocol, an ALPN protocol.
#[derive(Debug)]
pub(super) struct Names<T> {
    exact: HashMap<Box<[u8]>, T>,
    any: Option<T>,
}

impl<T> Names<T> {
    /// What is under the first of the names that there is, else what is under none.
    pub fn find<N: AsRef<[u8]>>(&self, names: &[N]) -> Option<&T> {
        names
            .iter()
            .find_map(|name| self.exact.get(name.as_ref()))
            .or(self.any.as_ref())
    }

    /// What is under the name, else under the longest suffix that begins with a dot, else under
    /// none.
    pub fn find_server_name(&self, name: &str) -> Option<&T> {
        if self.exact.is_empty() {
            return self.any.as_ref();
        }
        let suffixes = name
            .match_indices('.')
            .map(|(at, _)| &name[at..])
            .filter(|suffix| suffix.len() < name.len() && suffix.len() > 1);
        std::iter::once(name)
            .chain(suffixes)
            .find_map(|name| self.exact.get(name.as_bytes()))
            .or(self.any.as_ref())
    }
}

/// By where the connection comes from.
#[derive(Debug)]
pub(super) struct SourceTypes {
    any: Option<SourceIps>,
    local: Option<SourceIps>,
    external: Option<SourceIps>,
}

impl SourceTypes {
    /// What is under the connection's source type; that is asked for only where it matters.
    pub fn find(&self, is_local: impl FnOnce() -> bool) -> Option<&SourceIps> {
        let specific = if self.local.is_none() && self.external.is_none() {
            &None
        } else if is_local() {
            &self.local
        } else {
            &self.external
        };
        specific.as_ref().or(self.any.as_ref())
    }
}

/// A chain while the index is built.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub index: usize,
    pub criteria: &'a FilterChainMatch,
}

type Built<T> = Result<T, ChainMatchError>;

/// Builds a level: the chains under each key go on to the next level together. A chain under two
/// keys goes both ways.
fn level<K: Hash + Eq, T>(
    entries: &[Entry<'_>],
    keys: impl Fn(&FilterChainMatch) -> Vec<K>,
    next: impl Fn(&[Entry<'_>]) -> Built<T>,
) -> Built<HashMap<K, T>> {
    let mut groups: HashMap<K, Vec<Entry<'_>>> = HashMap::new();
    for entry in entries {
        for key in keys(entry.criteria) {
            groups.entry(key).or_default().push(*entry);
        }
    }
    let built = groups
        .into_iter()
        .map(|(key, group)| Ok((key, next(&group)?)));
    built.collect()
}

fn ports<T>(
    entries: &[Entry<'_>],
    keys: impl Fn(&FilterChainMatch) -> Vec<Option<u16>>,
    next: impl Fn(&[Entry<'_>]) -> Built<T>,
) -> Built<Ports<T>> {
    let mut built = level(entries, keys, next)?;
    let any = built.remove(&None);
    let exact = built.into_iter().filter_map(|(k, next)| Some((k?, next)));
    Ok(Ports {
        exact: exact.collect(),
        any,
    })
}

fn names<T>(
    entries: &[Entry<'_>],
    keys: impl Fn(&FilterChainMatch) -> Vec<&str>,
    next: impl Fn(&[Entry<'_>]) -> Built<T>,
) -> Built<Names<T>> {
    let keys = |criteria: &FilterChainMatch| match keys(criteria).as_slice() {
        [] => vec![Box::default()],
        names => names.iter().map(|name| name.as_bytes().into()).collect(),
    };
    let mut built: HashMap<Box<[u8]>, T> = level(entries, keys, next)?;
    // An empty name stands for any, as in Envoy.
    let any = built.remove(&Box::default());
    built.shrink_to_fit();
    Ok(Names { exact: built, any })
}

fn ips<T>(
    entries: &[Entry<'_>],
    keys: impl Fn(&FilterChainMatch) -> &Vec<CidrRange>,
    next: impl Fn(&[Entry<'_>]) -> Built<T>,
) -> Built<Ips<T>> {
    if entries.iter().all(|entry| keys(entry.criteria).is_empty()) {
        return next(entries).map(Ips::Any);
    }
    let keys = |criteria: &FilterChainMatch| match keys(criteria).as_slice() {
        [] => vec![
            CidrRange::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            CidrRange::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        ],
        ranges => ranges.to_vec(),
    };
    let ranges = CidrTrie::new(level(entries, keys, next)?);
    Ok(Ips::Ranges(ranges))
}

/// The whole index.
pub(super) fn destination_ports(entries: &[Entry<'_>]) -> Built<DestinationPorts> {
    let keys = |criteria: &FilterChainMatch| vec![criteria.destination_port];
    ports(entries, keys, destination_ips)
}

fn destination_ips(entries: &[Entry<'_>]) -> Built<DestinationIps> {
    ips(entries, |c| &c.prefix_ranges, server_names)
}

fn server_names(entries: &[Entry<'_>]) -> Built<ServerNames> {
    // `*.a.b` is kept as `.a.b`.
    fn key(name: &str) -> &str {
        name.strip_prefix('*').unwrap_or(name)
    }
    names(
        entries,
        |c| c.server_names.iter().map(|name| key(name)).collect(),
        transport_protocols,
    )
}

fn transport_protocols(entries: &[Entry<'_>]) -> Built<TransportProtocols> {
    names(
        entries,
        |c| vec![&c.transport_protocol],
        application_protocols,
    )
}

fn application_protocols(entries: &[Entry<'_>]) -> Built<ApplicationProtocols> {
    names(
        entries,
        |c| c.application_protocols.iter().map(|n| &**n).collect(),
        direct_source_ips,
    )
}

fn direct_source_ips(entries: &[Entry<'_>]) -> Built<DirectSourceIps> {
    ips(entries, |c| &c.direct_source_prefix_ranges, source_types)
}

fn source_types(entries: &[Entry<'_>]) -> Built<SourceTypes> {
    let of = |wanted: SourceType| {
        let some: Vec<Entry<'_>> = entries
            .iter()
            .copied()
            .filter(|entry| entry.criteria.source_type == wanted)
            .collect();
        match some.is_empty() {
            true => Ok(None),
            false => source_ips(&some).map(Some),
        }
    };
    Ok(SourceTypes {
        any: of(SourceType::Any)?,
        local: of(SourceType::SameIpOrLoopback)?,
        external: of(SourceType::External)?,
    })
}

fn source_ips(entries: &[Entry<'_>]) -> Built<SourceIps> {
    ips(entries, |c| &c.source_prefix_ranges, source_ports)
}

fn source_ports(entries: &[Entry<'_>]) -> Built<SourcePorts> {
    let keys = |criteria: &FilterChainMatch| match criteria.source_ports.as_slice() {
        [] => vec![None],
        ports => ports.iter().copied().map(Some).collect(),
    };
    ports(entries, keys, |entries| match entries {
        [only] => Ok(only.index),
        _ => Err(ChainMatchError::Overlapping),
    })
}
