//! What is done (`envoy.config.rbac.v3.Permission`).

use crate::facts::Facts;
use nuncio_base::metadata::Metadata;
use nuncio_matching::StringMatcher;
use nuncio_matching::{CidrRange, HeaderMatcher, IntRange, MetadataMatcher, PathMatcher};

/// Whose metadata are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataSource {
    /// What filters have set.
    Dynamic,
    /// The route's.
    Route,
}

impl MetadataSource {
    pub(super) fn matches(self, matcher: &MetadataMatcher, facts: &Facts<'_>) -> bool {
        match self {
            Self::Dynamic => matcher.matches(facts.metadata),
            Self::Route => {
                let route = facts.stream.and_then(|stream| stream.route_metadata());
                match route {
                    Some(metadata) => matcher.matches(metadata),
                    None => matcher.matches(&Metadata::default()),
                }
            }
        }
    }
}

/// A permission.
#[derive(Clone, Debug)]
pub enum Permission {
    /// All of these.
    And(Vec<Permission>),
    /// One of these.
    Or(Vec<Permission>),
    /// Not this.
    Not(Box<Permission>),
    /// Anything.
    Any,
    /// A request with this header.
    Header(HeaderMatcher),
    /// A request with this path.
    Path(PathMatcher),
    /// A connection to these addresses.
    DestinationIp(CidrRange),
    /// A connection to this port.
    DestinationPort(u16),
    /// A connection to one of these ports.
    DestinationPorts(IntRange),
    /// Metadata.
    Metadata(MetadataSource, MetadataMatcher),
    /// A connection for this server name.
    ServerName(StringMatcher),
}

impl Permission {
    /// Whether this is what is done.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.matches(facts)),
            Self::Or(all) => all.iter().any(|one| one.matches(facts)),
            Self::Not(one) => !one.matches(facts),
            Self::Any => true,
            Self::Header(matcher) => matches_header(matcher, facts),
            Self::Path(matcher) => matches_path(matcher, facts),
            Self::DestinationIp(range) => facts
                .local_ip()
                .is_some_and(|address| range.contains(address.ip())),
            Self::DestinationPort(port) => facts
                .local_ip()
                .is_some_and(|address| address.port() == *port),
            Self::DestinationPorts(range) => facts
                .local_ip()
                .is_some_and(|address| range.contains(address.port().into())),
            Self::Metadata(source, matcher) => source.matches(matcher, facts),
            Self::ServerName(matcher) => {
                let name = facts.connection.requested_server_name.as_deref();
                matcher.matches(name.unwrap_or_default().as_bytes())
            }
        }
    }
}

pub(super) fn matches_header(matcher: &HeaderMatcher, facts: &Facts<'_>) -> bool {
    facts
        .request_headers
        .is_some_and(|headers| matcher.matches(headers))
}

pub(super) fn matches_path(matcher: &PathMatcher, facts: &Facts<'_>) -> bool {
    let path = facts.request_headers.and_then(|all| all.get(":path"));
    let route = facts.stream.and_then(|stream| stream.route.as_ref());
    // What routes don't look at must not lead around a policy.
    let ignores_parameters = route.is_some_and(|route| route.table.ignores_path_parameters());
    path.is_some_and(|path| match ignores_parameters {
        true => matcher.matches_without_parameters(path),
        false => matcher.matches(path),
    })
}
