//! `envoy.config.route.v3.InternalRedirectPolicy`: redirects of an upstream followed here.

use nuncio_base::header_name::HeaderName;
use std::sync::Arc;

/// Which redirects are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalRedirectPolicy {
    /// How many redirects one request follows at most.
    pub max_internal_redirects: u32,
    /// The status codes that are followed, out of 301, 302, 303, 307, 308.
    pub redirect_response_codes: Vec<u16>,
    /// What more must hold for the new route.
    pub predicates: Vec<RedirectPredicate>,
    /// Whether a redirect from http to https, or back, is followed.
    pub allow_cross_scheme_redirect: bool,
    /// Response headers that go into the new request.
    pub response_headers_to_copy: Vec<HeaderName>,
}

/// What must hold for the route that an internal redirect leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectPredicate {
    /// No route a second time.
    PreviousRoutes,
    /// Only routes of these names.
    AllowListedRoutes(Arc<[String]>),
    /// From https to http only where the redirect came from https.
    SafeCrossScheme,
}
