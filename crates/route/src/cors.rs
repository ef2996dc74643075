//! `envoy.config.route.v3.CorsPolicy`, as the CORS filter reads it from routes and virtual hosts.

use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_matching::StringMatcher;

/// Which origins may do what.
#[derive(Clone, Debug, Default)]
pub struct CorsPolicy {
    /// The origins that are allowed.
    pub allow_origins: Vec<StringMatcher>,
    /// `access-control-allow-methods`, empty for none.
    pub allow_methods: String,
    /// `access-control-allow-headers`, empty for none.
    pub allow_headers: String,
    /// `access-control-expose-headers`, empty for none.
    pub expose_headers: String,
    /// `access-control-max-age`, empty for none.
    pub max_age: String,
    /// Whether credentials are allowed; `None`: the next level says.
    pub allow_credentials: Option<bool>,
    /// Whether requests to private networks are allowed; `None`: the next level says.
    pub allow_private_network_access: Option<bool>,
    /// Whether preflights that match no origin are passed on; `None`: the next level says.
    pub forward_not_matching_preflights: Option<bool>,
    /// The share of requests for which the policy holds; `None`: all.
    pub filter_enabled: Option<RuntimeFraction>,
    /// The share of requests for which the policy is tried and counted only.
    pub shadow_enabled: Option<RuntimeFraction>,
}
