//! The statistics of routes that have a `stat_prefix`, and of virtual clusters (Envoy's "Virtual
//! hosts / Statistics").

use nuncio_stats::{Group, ResponseCodes, Scope, stat_group};
use std::fmt;
use std::sync::Arc;

stat_group! {
    /// `vhost.<virtual host>.vcluster.<name>.*` and `vhost.<virtual host>.route.<prefix>.*`.
    pub struct RouteTrafficStats {
        counters {
            upstream_rq_retry, upstream_rq_retry_limit_exceeded, upstream_rq_retry_overflow,
            upstream_rq_retry_success, upstream_rq_timeout, upstream_rq_total,
        }
    }
}

/// What a route or a virtual cluster counts.
pub struct RouteStats {
    /// Requests, retries, timeouts.
    pub traffic: Group<RouteTrafficStats>,
    /// Responses by their code.
    pub codes: ResponseCodes,
}

impl RouteStats {
    /// The stats below `scope`.
    pub fn new(scope: &Scope) -> Arc<Self> {
        Arc::new(Self {
            traffic: scope.group(),
            codes: scope.response_codes(),
        })
    }
}

impl fmt::Debug for RouteStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteStats")
    }
}
