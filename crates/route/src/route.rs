//! `envoy.config.route.v3.Route`: when it is taken, and what then.

use crate::action::Action;
use crate::filter_config::FilterConfigs;
use crate::mutation::HeaderMutations;
use crate::route_match::RouteMatch;
use nuncio_base::metadata::Metadata;
use nuncio_base::runtime_flags::Fraction;
use nuncio_observe::Formatter;
use std::sync::Arc;

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, empty for none.
    pub name: Arc<str>,
    /// When it is taken.
    pub matcher: RouteMatch,
    /// What is done then.
    pub action: Action,
    /// Its metadata.
    pub metadata: Arc<Metadata>,
    /// What its spans are called.
    pub decorator: Option<Decorator>,
    /// How its requests are traced.
    pub tracing: Option<RouteTracing>,
    /// Settings of filters.
    pub filters: FilterConfigs,
    /// Changes to request headers.
    pub request_headers: HeaderMutations,
    /// Changes to response headers.
    pub response_headers: HeaderMutations,
    /// Under this name the route has statistics of its own
    /// (`vhost.<virtual host>.route.<prefix>.…`).
    pub stat_prefix: Option<Arc<str>>,
    /// How many bytes of a request body are buffered; the virtual host's where the route says
    /// nothing, and else the connection's.
    pub request_body_buffer_limit: Option<u64>,
}

impl Route {
    /// A route that says nothing but when it is taken and what then.
    pub fn new(matcher: RouteMatch, action: Action) -> Self {
        Self {
            name: "".into(),
            matcher,
            action,
            metadata: Arc::default(),
            decorator: None,
            tracing: None,
            filters: FilterConfigs::default(),
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            stat_prefix: None,
            request_body_buffer_limit: None,
        }
    }
}

/// What a route's spans are called (`envoy.config.route.v3.Decorator`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decorator {
    /// The operation.
    pub operation: Arc<str>,
    /// Whether it is sent on in `x-envoy-decorator-operation`.
    pub propagate: bool,
}

/// How a route's requests are traced (`envoy.config.route.v3.Tracing`).
#[derive(Clone, Debug)]
pub struct RouteTracing {
    /// The share of requests traced because the client asks.
    pub client_sampling: Fraction,
    /// The share of requests traced by chance.
    pub random_sampling: Fraction,
    /// The share of requests that may be traced at all.
    pub overall_sampling: Fraction,
    /// The name of the downstream span.
    pub operation: Option<Arc<Formatter>>,
    /// The name of the upstream span.
    pub upstream_operation: Option<Arc<Formatter>>,
}
