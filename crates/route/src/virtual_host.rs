//! `envoy.config.route.v3.VirtualHost`: the routes of some domains.

use crate::action::Action;
use crate::cors::CorsPolicy;
use crate::filter_config::FilterConfigs;
use crate::mirror::MirrorPolicy;
use crate::mutation::HeaderMutations;
use crate::rate_limit::RateLimit;
use crate::request::RequestView;
use crate::retry_policy::{HedgePolicy, RetryPolicy};
use crate::route::Route;
use crate::route_index::RouteIndex;
use crate::route_tree::RouteTree;
use crate::stats::RouteStats;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::names;
use nuncio_base::metadata::Metadata;
use nuncio_matching::HeaderMatcher;
use nuncio_matching::header::all_match;
use nuncio_stats::Scope;
use std::sync::Arc;

/// Whether plain requests are sent to https.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsRequirement {
    /// No.
    #[default]
    None,
    /// Those from outside are.
    ExternalOnly,
    /// All are.
    All,
}

/// A kind of requests that is counted by itself (`envoy.config.route.v3.VirtualCluster`).
#[derive(Clone, Debug)]
pub struct VirtualCluster {
    /// Its name in statistics (`vhost.<virtual host>.vcluster.<name>.…`).
    pub name: Arc<str>,
    /// All of these must match.
    pub headers: Vec<HeaderMatcher>,
}

/// What config says of a virtual host.
#[derive(Clone, Debug, Default)]
pub struct VirtualHostConfig {
    /// Its name, for logs and statistics.
    pub name: Arc<str>,
    /// The domains, as in config.
    pub domains: Vec<String>,
    /// The routes, in order.
    pub routes: Vec<Route>,
    /// Which of the routes may be taken; `None`: all.
    pub matcher: Option<Box<RouteTree>>,
    /// Whether plain requests are sent to https.
    pub require_tls: TlsRequirement,
    /// Requests counted by themselves, the first that matches.
    pub virtual_clusters: Vec<VirtualCluster>,
    /// Changes to request headers.
    pub request_headers: HeaderMutations,
    /// Changes to response headers.
    pub response_headers: HeaderMutations,
    /// Settings of filters.
    pub filters: FilterConfigs,
    /// Whether upstreams are told the number of the attempt (`x-envoy-attempt-count`).
    pub include_request_attempt_count: bool,
    /// Whether clients are told how many attempts were made.
    pub include_attempt_count_in_response: bool,
    /// Whether upstreams are told that an attempt follows a timeout
    /// (`x-envoy-is-timeout-retry`).
    pub include_is_timeout_retry_header: bool,
    /// The retries of routes that have none of their own.
    pub retry_policy: Option<Arc<RetryPolicy>>,
    /// The hedging of routes that have none of their own.
    pub hedge_policy: Option<HedgePolicy>,
    /// The copies of routes that have none of their own.
    pub mirror_policies: Arc<[MirrorPolicy]>,
    /// How many bytes of a request body are buffered where the route says nothing.
    pub request_body_buffer_limit: Option<u64>,
    /// The policy of the CORS filter, in its old place.
    pub cors: Option<Arc<CorsPolicy>>,
    /// What requests are counted by, where the route says nothing or asks for these too.
    pub rate_limits: Vec<RateLimit>,
    /// Its metadata.
    pub metadata: Arc<Metadata>,
}

/// A virtual host: what config says, with an index over the routes.
#[derive(Debug)]
pub struct VirtualHost {
    config: VirtualHostConfig,
    index: RouteIndex,
    /// The stats of the virtual clusters, and of the requests that are in none.
    cluster_stats: Box<[Arc<RouteStats>]>,
    /// The stats of routes that have some.
    route_stats: Box<[Option<Arc<RouteStats>>]>,
}

impl std::ops::Deref for VirtualHost {
    type Target = VirtualHostConfig;

    fn deref(&self) -> &VirtualHostConfig {
        &self.config
    }
}

impl VirtualHost {
    /// A virtual host in which routes have got what they inherit: retries, hedging, copies, the
    /// body's limit. `mirror_policies` are the table's.
    pub(crate) fn new(
        mut config: VirtualHostConfig,
        mirror_policies: &Arc<[MirrorPolicy]>,
    ) -> Self {
        if config.mirror_policies.is_empty() {
            config.mirror_policies = mirror_policies.clone();
        }
        for route in &mut config.routes {
            if route.request_body_buffer_limit.is_none() {
                route.request_body_buffer_limit = config.request_body_buffer_limit;
            }
            let Action::Route(action) = &mut route.action else {
                continue;
            };
            if action.retry_policy.is_none() {
                action.retry_policy = config.retry_policy.clone();
            }
            if action.hedge_policy.is_none() {
                action.hedge_policy = config.hedge_policy;
            }
            if action.mirror_policies.is_empty() {
                action.mirror_policies = config.mirror_policies.clone();
            }
        }
        let indexed = config.routes.iter().filter(|_| config.matcher.is_none());
        let index = RouteIndex::new(indexed.map(|route| &route.matcher));
        Self {
            config,
            index,
            cluster_stats: Box::default(),
            route_stats: Box::default(),
        }
    }

    /// Makes the stats of virtual clusters and routes.
    pub(crate) fn count_in(&mut self, root: &Scope) {
        let config = &self.config;
        let scope = root.scope("vhost").scope(&config.name);
        if !config.virtual_clusters.is_empty() {
            let scope = scope.scope("vcluster");
            let names = config.virtual_clusters.iter().map(|cluster| &*cluster.name);
            self.cluster_stats = names
                .chain(["other"])
                .map(|name| RouteStats::new(&scope.scope(name)))
                .collect();
        }
        if config
            .routes
            .iter()
            .any(|route| route.stat_prefix.is_some())
        {
            let scope = scope.scope("route");
            let stats = |prefix: &Arc<str>| RouteStats::new(&scope.scope(prefix));
            let routes = config.routes.iter();
            self.route_stats = routes
                .map(|route| route.stat_prefix.as_ref().map(stats))
                .collect();
        }
    }

    /// What a virtual cluster counts, by the number that
    /// [`virtual_cluster`](Self::virtual_cluster) gives.
    pub fn virtual_cluster_stats(&self, number: usize) -> Option<&Arc<RouteStats>> {
        self.cluster_stats.get(number)
    }

    /// What a route counts, by its place.
    pub(crate) fn route_stats(&self, route: u32) -> Option<&Arc<RouteStats>> {
        self.route_stats.get(route as usize)?.as_ref()
    }

    /// Whether this request must be sent to https: by `x-forwarded-proto`, and `x-envoy-internal`
    /// where requests from inside may stay.
    pub fn needs_ssl_redirect(&self, headers: &HeaderMap) -> bool {
        let is_plain = headers.get(names::X_FORWARDED_PROTO) != Some(b"https");
        match self.require_tls {
            TlsRequirement::None => false,
            TlsRequirement::All => is_plain,
            TlsRequirement::ExternalOnly => {
                is_plain && headers.get(names::X_ENVOY_INTERNAL) != Some(b"true")
            }
        }
    }

    /// The place of the first route that matches. `path` is the path that routes are matched by.
    pub(crate) fn find(&self, request: &RequestView<'_>, path: Option<&[u8]>) -> Option<u32> {
        let matcher = |route: u32| &self.config.routes[route as usize].matcher;
        let matches = |route: u32| {
            let wanted = matcher(route);
            wanted
                .path
                .matches(path, request.is_connect(), wanted.case_sensitive)
                && wanted.rest_matches(request)
        };
        if let Some(tree) = &self.config.matcher {
            let mut routes = tree.find(&|input| input.ask(request))?.clone();
            return routes.find(|route| matches(*route));
        }
        let rest = |route: u32| matcher(route).rest_matches(request);
        self.index.find(path, rest, matches)
    }

    /// The place of the first route that matches, found by looking at one after the other: what
    /// the index must find too.
    #[cfg(test)]
    pub(crate) fn scan(&self, request: &RequestView<'_>, path: Option<&[u8]>) -> Option<u32> {
        let is_connect = request.is_connect();
        let found = self.config.routes.iter().position(|route| {
            let wanted = &route.matcher;
            wanted.path.matches(path, is_connect, wanted.case_sensitive)
                && wanted.rest_matches(request)
        });
        found.map(|at| at as u32)
    }

    /// The virtual cluster of a request: its place, or the number of virtual clusters for those
    /// that match none (`other`); `None` where there are none.
    pub fn virtual_cluster(&self, headers: &HeaderMap) -> Option<usize> {
        let clusters = &self.config.virtual_clusters;
        if clusters.is_empty() {
            return None;
        }
        let found = clusters
            .iter()
            .position(|cluster| all_match(&cluster.headers, headers));
        Some(found.unwrap_or(clusters.len()))
    }

    /// The name of a virtual cluster by the number that [`virtual_cluster`] gives; logs know none
    /// for those that match none.
    ///
    /// [`virtual_cluster`]: Self::virtual_cluster
    pub fn virtual_cluster_name(&self, number: usize) -> Option<Arc<str>> {
        let cluster = self.config.virtual_clusters.get(number)?;
        Some(Arc::clone(&cluster.name))
    }
}
