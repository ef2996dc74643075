//! `envoy.config.route.v3.RouteMatch`: when a route is taken.

use crate::request::RequestView;
use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_matching::header::all_match;
use nuncio_matching::{
    AddressMatcher, CookieMatcher, HeaderMatcher, MetadataMatcher, QueryParameterMatcher, Regex,
    StringMatcher,
};
use std::net::{IpAddr, SocketAddr};

/// What a route asks of a request's path, which is looked at without query and fragment.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// The path begins so.
    Prefix(Box<[u8]>),
    /// The path is this, or goes on with a slash.
    SeparatedPrefix(Box<[u8]>),
    /// The path is this.
    Exact(Box<[u8]>),
    /// All of the path matches; always with case.
    Regex(Regex),
    /// The request is a CONNECT, whatever its path.
    Connect,
}

impl PathMatch {
    /// Whether a path matches. This is the definition; the index finds the same.
    pub fn matches(&self, path: Option<&[u8]>, is_connect: bool, case_sensitive: bool) -> bool {
        if let Self::Connect = self {
            return is_connect;
        }
        let Some(path) = path else {
            return false;
        };
        let begins = |prefix: &[u8]| {
            path.get(..prefix.len())
                .is_some_and(|head| same(head, prefix, case_sensitive))
        };
        match self {
            Self::Prefix(prefix) => begins(prefix),
            Self::SeparatedPrefix(prefix) => {
                begins(prefix) && matches!(path.get(prefix.len()), None | Some(b'/'))
            }
            Self::Exact(exact) => same(path, exact, case_sensitive),
            Self::Regex(regex) => regex.is_full_match(path),
            Self::Connect => is_connect,
        }
    }

    /// How many bytes of a matching path, as it was received but without its query,
    /// `prefix_rewrite` replaces: as many as stand in config, or all of it.
    pub fn matched_len(&self, path: &[u8]) -> usize {
        match self {
            Self::Prefix(text) | Self::SeparatedPrefix(text) | Self::Exact(text) => {
                text.len().min(path.len())
            }
            Self::Regex(_) | Self::Connect => path.len(),
        }
    }
}

fn same(a: &[u8], b: &[u8], case_sensitive: bool) -> bool {
    if case_sensitive {
        a == b
    } else {
        a.eq_ignore_ascii_case(b)
    }
}

/// What a route asks of the TLS connection (`TlsContextMatchOptions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsContextMatch {
    /// Whether the client must have shown a certificate, or must not.
    pub presented: Option<bool>,
    /// Whether that certificate must have been validated, or must not.
    pub validated: Option<bool>,
}

/// What is asked of a filter state object (`envoy.type.matcher.v3.FilterStateMatcher`).
#[derive(Clone, Debug)]
pub struct FilterStateMatch {
    /// The object's name.
    pub key: Box<str>,
    /// What it must be.
    pub value: FilterStateValue,
}

/// What a filter state object must be.
#[derive(Clone, Debug)]
pub enum FilterStateValue {
    /// Its text matches.
    Text(StringMatcher),
    /// It is an address that matches.
    Address(AddressMatcher),
}

impl FilterStateMatch {
    fn matches(&self, request: &RequestView<'_>) -> bool {
        let Some(text) = request
            .filter_state(&self.key)
            .and_then(|object| object.as_text())
        else {
            return false;
        };
        match &self.value {
            FilterStateValue::Text(matcher) => matcher.matches(text.as_bytes()),
            FilterStateValue::Address(matcher) => {
                parse_ip(&text).is_some_and(|address| matcher.matches(address))
            }
        }
    }
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    text.parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| text.parse())
        .ok()
}

/// When a route is taken: its path matches, and all else that is asked.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// What is asked of the path.
    pub path: PathMatch,
    /// Whether the path's case matters; true unless config says otherwise.
    pub case_sensitive: bool,
    /// The share of requests that may take the route.
    pub runtime_fraction: Option<RuntimeFraction>,
    /// What headers must match.
    pub headers: Vec<HeaderMatcher>,
    /// What query parameters must match.
    pub query_parameters: Vec<QueryParameterMatcher>,
    /// What cookies must match.
    pub cookies: Vec<CookieMatcher>,
    /// Only gRPC requests take the route.
    pub grpc: bool,
    /// What is asked of the TLS connection.
    pub tls_context: Option<TlsContextMatch>,
    /// What dynamic metadata must match.
    pub dynamic_metadata: Vec<MetadataMatcher>,
    /// What filter state must match.
    pub filter_state: Vec<FilterStateMatch>,
}

impl RouteMatch {
    /// A match that asks of the path alone.
    pub fn new(path: PathMatch) -> Self {
        Self {
            path,
            case_sensitive: true,
            runtime_fraction: None,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            cookies: Vec::new(),
            grpc: false,
            tls_context: None,
            dynamic_metadata: Vec::new(),
            filter_state: Vec::new(),
        }
    }

    /// Whether everything but the path matches.
    pub fn rest_matches(&self, request: &RequestView<'_>) -> bool {
        if let Some(fraction) = &self.runtime_fraction
            && !fraction.current(request.flags).holds(request.random)
        {
            return false;
        }
        let target = request.path().unwrap_or_default();
        all_match(&self.headers, request.headers)
            && self.query_parameters.iter().all(|one| one.matches(target))
            && self.cookies.iter().all(|one| one.matches(request.headers))
            && (!self.grpc || request.is_grpc())
            && self.tls_matches(request)
            && self
                .dynamic_metadata
                .iter()
                .all(|one| one.matches(&request.info.metadata))
            && self.filter_state.iter().all(|one| one.matches(request))
    }

    fn tls_matches(&self, request: &RequestView<'_>) -> bool {
        let Some(wanted) = &self.tls_context else {
            return true;
        };
        let tls = request.info.connection.tls.as_ref();
        let presented = tls.is_some_and(|tls| tls.peer_certificate_presented);
        let validated = tls.is_some_and(|tls| tls.peer_certificate_validated);
        wanted.presented.is_none_or(|wanted| wanted == presented)
            && wanted.validated.is_none_or(|wanted| wanted == validated)
    }
}
