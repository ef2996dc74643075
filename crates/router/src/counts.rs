//! What a request counts besides its cluster: its route, its virtual cluster, and the name that
//! `x-envoy-upstream-alt-stat-name` asks for.

use crate::router::Router;
use nuncio_base::{HeaderMap, names};
use nuncio_http::Cx;
use nuncio_route::stats::{RouteStats, RouteTrafficStats};
use nuncio_stats::{LocalResponseCodes, Scope};
use nuncio_upstream::LocalCluster;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many names clients inside may bring in by `x-envoy-upstream-alt-stat-name`: stats never go.
const MAX_ALT_NAMES: usize = 1024;

/// A route's or virtual cluster's stats on one worker.
pub(crate) struct LocalRouteStats {
    traffic: RouteTrafficStats,
    codes: LocalResponseCodes,
}

/// Responses counted under another name below the cluster's.
pub(crate) struct AltCodes {
    all: LocalResponseCodes,
    internal: LocalResponseCodes,
    external: LocalResponseCodes,
    canary: LocalResponseCodes,
}

impl AltCodes {
    fn new(scope: &Scope) -> Self {
        let below = |name: &str| scope.scope(name).response_codes().local();
        Self {
            all: scope.response_codes().local(),
            internal: below("internal"),
            external: below("external"),
            canary: below("canary"),
        }
    }

    fn each(&self, internal: bool, canary: bool) -> impl Iterator<Item = &LocalResponseCodes> {
        let origin = if internal {
            &self.internal
        } else {
            &self.external
        };
        [&self.all, origin]
            .into_iter()
            .chain(canary.then_some(&self.canary))
    }
}

/// The stats of routes on one worker, found by where the table keeps them.
#[derive(Default)]
pub(crate) struct RouteCounts {
    routes: HashMap<*const RouteStats, (Arc<RouteStats>, Rc<LocalRouteStats>)>,
    alt: HashMap<(Arc<str>, Vec<u8>), Rc<AltCodes>>,
}

impl RouteCounts {
    fn of(&mut self, stats: &Arc<RouteStats>) -> Rc<LocalRouteStats> {
        if let Some((_, local)) = self.routes.get(&Arc::as_ptr(stats)) {
            return Rc::clone(local);
        }
        // Tables that were replaced hold theirs no more.
        self.routes
            .retain(|_, (shared, _)| Arc::strong_count(shared) > 1);
        let local = Rc::new(LocalRouteStats {
            traffic: stats.traffic.local(),
            codes: stats.codes.local(),
        });
        let kept = (Arc::clone(stats), Rc::clone(&local));
        self.routes.insert(Arc::as_ptr(stats), kept);
        local
    }

    fn alt(&mut self, cluster: &LocalCluster, name: &[u8]) -> Option<Rc<AltCodes>> {
        let key = (Arc::clone(cluster.name()), name.to_vec());
        if let Some(codes) = self.alt.get(&key) {
            return Some(Rc::clone(codes));
        }
        if self.alt.len() >= MAX_ALT_NAMES {
            return None;
        }
        let scope = &cluster.info().scope;
        let codes = Rc::new(AltCodes::new(&scope.scope(&String::from_utf8_lossy(name))));
        self.alt.insert(key, Rc::clone(&codes));
        Some(codes)
    }
}

/// What one request counts besides its cluster.
#[derive(Default)]
pub(crate) struct RequestCounts {
    virtual_cluster: Option<Rc<LocalRouteStats>>,
    route: Option<Rc<LocalRouteStats>>,
    alt: Option<Rc<AltCodes>>,
}

impl RequestCounts {
    fn routes(&self) -> impl Iterator<Item = &LocalRouteStats> {
        [&self.virtual_cluster, &self.route]
            .into_iter()
            .flatten()
            .map(|local| &**local)
    }
}

impl Router {
    /// Finds out what the request counts; the header that asks for a name is taken off.
    pub(crate) fn begin_counts(&mut self, cx: &mut Cx<'_>, cluster: &LocalCluster) {
        let alt = self.take_alt_name(cx.request_headers());
        let state = cx.state();
        let Some(selected) = state.route.selected() else {
            return;
        };
        let host = selected.virtual_host;
        let number = host.virtual_cluster(&state.request.headers);
        let name = number.and_then(|number| host.virtual_cluster_name(number));
        state.info.virtual_cluster_name = name;
        let virtual_cluster = number.and_then(|number| host.virtual_cluster_stats(number));
        if virtual_cluster.is_none() && selected.stats.is_none() && alt.is_none() {
            return;
        }
        let counts = self.local.counts.with(|all| RequestCounts {
            virtual_cluster: virtual_cluster.map(|stats| all.of(stats)),
            route: selected.stats.map(|stats| all.of(stats)),
            alt: alt.and_then(|name| all.alt(cluster, &name)),
        });
        self.counts = Some(Box::new(counts));
    }

    fn take_alt_name(&self, headers: &mut HeaderMap) -> Option<Vec<u8>> {
        let name = headers.get(names::X_ENVOY_UPSTREAM_ALT_STAT_NAME)?.to_vec();
        headers.remove(names::X_ENVOY_UPSTREAM_ALT_STAT_NAME);
        Some(name).filter(|name| !name.is_empty())
    }

    /// Counts in the groups of the route and the virtual cluster.
    pub(crate) fn count_route(&self, count: impl Fn(&RouteTrafficStats)) {
        if let Some(counts) = &self.counts {
            counts.routes().for_each(|local| count(&local.traffic));
        }
    }

    /// Counts a response wherever the request is counted, if that is wanted at all.
    pub(crate) fn count_code(&self, status: u16, canary: bool) {
        if !self.local.dynamic_stats {
            return;
        }
        let Some(cluster) = &self.cluster else {
            return;
        };
        if !(self.is_grpc && self.local.suppress_grpc_codes) {
            cluster.count_response(status, self.is_internal, canary);
        }
        if let Some(attempt) = &self.attempt {
            cluster.count_zone(&attempt.host, status);
        }
        let Some(counts) = &self.counts else { return };
        counts.routes().for_each(|local| local.codes.count(status));
        if let Some(alt) = &counts.alt {
            alt.each(self.is_internal, canary)
                .for_each(|codes| codes.count(status));
        }
    }

    /// Records the time to the end of the response, likewise.
    pub(crate) fn record_time(&self, milliseconds: u64, canary: bool) {
        if !self.local.dynamic_stats {
            return;
        }
        let Some(cluster) = &self.cluster else {
            return;
        };
        cluster.record_response_time(milliseconds, self.is_internal, canary);
        if let Some(attempt) = &self.attempt {
            cluster.record_zone_time(&attempt.host, milliseconds);
        }
        let Some(counts) = &self.counts else { return };
        counts
            .routes()
            .for_each(|local| local.codes.record_time(milliseconds));
        if let Some(alt) = &counts.alt {
            alt.each(self.is_internal, canary)
                .for_each(|codes| codes.record_time(milliseconds));
        }
    }
}
