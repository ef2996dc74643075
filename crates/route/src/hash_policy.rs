//! `envoy.config.route.v3.RouteAction.HashPolicy`: what a request is hashed by for consistent
//! load balancing.

use nuncio_base::header_name::HeaderName;
use nuncio_matching::Substitution;
use std::time::Duration;

/// One thing a request is hashed by.
#[derive(Clone, Debug)]
pub struct HashPolicy {
    /// What is hashed.
    pub input: HashInput,
    /// Whether the following policies are left out once this one gave a hash.
    pub terminal: bool,
}

/// What is hashed.
#[derive(Clone, Debug)]
pub enum HashInput {
    /// The values of a header, rewritten first where config says so.
    Header {
        /// The header.
        name: HeaderName,
        /// What is made of each value before it is hashed.
        rewrite: Option<Substitution>,
    },
    /// A cookie, made where the request has none.
    Cookie(HashCookie),
    /// Nothing: connection properties of which none is asked for.
    Nothing,
    /// The downstream's IP address.
    SourceIp,
    /// The first query parameter of this name.
    QueryParameter(Box<str>),
    /// A hashable filter state object.
    FilterState(Box<str>),
}

/// A cookie that a request is hashed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashCookie {
    /// The cookie's name.
    pub name: Box<str>,
    /// `None`: a missing cookie is not made. Zero: one for the session is made.
    pub ttl: Option<Duration>,
    /// The path of a cookie that is made, empty for none.
    pub path: Box<str>,
    /// Further attributes of a cookie that is made; an empty value: the name alone.
    pub attributes: Vec<(String, String)>,
}
