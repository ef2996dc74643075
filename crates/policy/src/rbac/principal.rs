//! Who does it (`envoy.config.rbac.v3.Principal`).

use super::permission::{MetadataSource, matches_header, matches_path};
use crate::facts::Facts;
use nuncio_base::address::Address;
use nuncio_matching::{
    AddressMatcher, CidrRange, HeaderMatcher, MetadataMatcher, PathMatcher, StringMatcher,
};
use nuncio_stream_info::SanKind;

/// Which address of the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressOf {
    /// The connection's, as the PROXY protocol may name it.
    Connection,
    /// The socket's.
    DirectRemote,
    /// The request's, as `x-forwarded-for` may name it.
    Remote,
}

/// What a filter state object must be.
#[derive(Clone, Debug)]
pub enum StateMatcher {
    /// Its text.
    Text(StringMatcher),
    /// The address that it is.
    Address(AddressMatcher),
}

/// A principal.
#[derive(Clone, Debug)]
pub enum Principal {
    /// All of these.
    And(Vec<Principal>),
    /// One of these.
    Or(Vec<Principal>),
    /// Not this.
    Not(Box<Principal>),
    /// Anybody.
    Any,
    /// A client by TLS; by a name of its certificate, where there is a matcher.
    Authenticated(Option<StringMatcher>),
    /// A client with these addresses.
    Ip(AddressOf, CidrRange),
    /// A request with this header.
    Header(HeaderMatcher),
    /// A request with this path.
    Path(PathMatcher),
    /// Metadata.
    Metadata(MetadataSource, MetadataMatcher),
    /// Filter state.
    FilterState(Box<str>, StateMatcher),
}

impl Principal {
    /// Whether this is who does it.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.matches(facts)),
            Self::Or(all) => all.iter().any(|one| one.matches(facts)),
            Self::Not(one) => !one.matches(facts),
            Self::Any => true,
            Self::Authenticated(matcher) => is_authenticated(matcher.as_ref(), facts),
            Self::Ip(which, range) => {
                let address = match which {
                    AddressOf::Connection => &facts.connection.remote_address,
                    AddressOf::DirectRemote => facts.connection.direct_remote_address(),
                    AddressOf::Remote => facts.remote_address(),
                };
                address
                    .ip()
                    .is_some_and(|address| range.contains(address.ip()))
            }
            Self::Header(matcher) => matches_header(matcher, facts),
            Self::Path(matcher) => matches_path(matcher, facts),
            Self::Metadata(source, matcher) => source.matches(matcher, facts),
            Self::FilterState(key, matcher) => {
                let Some(text) = facts.filter_state(key).and_then(|object| object.as_text()) else {
                    return false;
                };
                match matcher {
                    StateMatcher::Text(matcher) => matcher.matches(text.as_bytes()),
                    StateMatcher::Address(matcher) => {
                        address_in(&text).is_some_and(|address| matcher.matches(address))
                    }
                }
            }
        }
    }
}

/// An address with or without a port.
fn address_in(text: &str) -> Option<std::net::IpAddr> {
    let with_port = text.parse().ok().map(Address::Ip);
    let with_port = with_port.and_then(|address| address.ip());
    with_port
        .map(|address| address.ip())
        .or_else(|| text.parse().ok())
}

/// URIs of the certificate first, then host names, then the subject.
fn is_authenticated(matcher: Option<&StringMatcher>, facts: &Facts<'_>) -> bool {
    let Some(tls) = &facts.connection.tls else {
        return false;
    };
    let Some(matcher) = matcher else {
        return true;
    };
    let Some(certificate) = tls.peer_certificate() else {
        return matcher.matches(b"");
    };
    let one = |kind| {
        let mut names = certificate.sans_of(kind);
        names.any(|name| matcher.matches(name.as_bytes()))
    };
    one(SanKind::Uri) || one(SanKind::Dns) || matcher.matches(certificate.subject.as_bytes())
}
