//! The filter on one stream.

use super::cache::ResponseCache;
use super::stats::HealthCheckStats;
use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus};
use nuncio_matching::HeaderMatcher;
use nuncio_stats::Group;
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::ClusterManager;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The filter's configuration.
pub struct HealthCheckSpec {
    /// What it counts.
    pub(super) stats: Group<HealthCheckStats>,
    /// Whether checks go to the service behind the proxy.
    pub(super) pass_through: bool,
    /// Whether the server was told to fail its checks.
    pub(super) failed: Arc<AtomicBool>,
    /// The name of the cluster that this proxy belongs to.
    pub(super) node_cluster: Arc<str>,
    /// How many hosts of which clusters must be healthy, in percent.
    pub(super) minimums: Vec<(String, f64)>,
    /// The service's last answer.
    pub(super) cache: Option<Arc<ResponseCache>>,
    /// What a check is known by: all of these.
    pub(super) headers: Vec<HeaderMatcher>,
}

impl HttpFilterSpec for HealthCheckSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalHealthCheck {
            stats: self.stats.local(),
            pass_through: self.pass_through,
            failed: Arc::clone(&self.failed),
            node_cluster: Arc::clone(&self.node_cluster),
            minimums: self.minimums.clone(),
            cache: self.cache.clone(),
            headers: self.headers.clone(),
            clusters: ClusterManager::of(worker),
        })))
    }
}

/// The filter's configuration on one worker.
struct LocalHealthCheck {
    stats: HealthCheckStats,
    pass_through: bool,
    failed: Arc<AtomicBool>,
    node_cluster: Arc<str>,
    minimums: Vec<(String, f64)>,
    cache: Option<Arc<ResponseCache>>,
    headers: Vec<HeaderMatcher>,
    clusters: Rc<ClusterManager>,
}

impl HttpFilterFactory for LocalHealthCheck {
    type Filter = HealthCheckFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> HealthCheckFilter {
        HealthCheckFilter {
            local: Rc::clone(self),
            is_check: false,
            answers: false,
        }
    }
}

impl LocalHealthCheck {
    fn failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// What is to be answered: status, whether degraded, why.
    fn verdict(&self, cx: &Cx<'_>) -> (u16, bool, &'static str) {
        if self.failed() {
            return (503, false, "health_check_failed");
        }
        let cached = self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(cx.worker().now()));
        if let Some((status, degraded)) = cached {
            return (status, degraded, "health_check_cached");
        }
        let mut details = "health_check_ok";
        for (cluster, minimum) in &self.minimums {
            match self.problem(cluster, *minimum) {
                Some(problem) => return (503, false, problem),
                None => details = "health_check_cluster_healthy",
            }
        }
        (200, false, details)
    }

    /// Why a cluster is not healthy enough.
    fn problem(&self, cluster: &str, minimum: f64) -> Option<&'static str> {
        let Some(hosts) = self.clusters.hosts(cluster) else {
            return Some("health_check_no_cluster_found");
        };
        let sets = hosts.sets().iter();
        let (total, available) = sets.fold((0, 0), |(total, available), set| {
            let usable = set.healthy().len() + set.degraded().len();
            (total + set.hosts().len(), available + usable)
        });
        if total == 0 {
            return (minimum != 0.0).then_some("health_check_cluster_empty");
        }
        let enough = 100.0 * available as f64 >= total as f64 * minimum;
        (!enough).then_some("health_check_cluster_unhealthy")
    }
}

/// The filter.
pub struct HealthCheckFilter {
    local: Rc<LocalHealthCheck>,
    /// The request is a check.
    is_check: bool,
    /// It is answered here.
    answers: bool,
}

impl HealthCheckFilter {
    fn count(&self, passes: bool, degraded: bool, details: &str) {
        let stats = &self.local.stats;
        if passes {
            stats.ok().inc();
        } else {
            stats.failed().inc();
        }
        if degraded {
            stats.degraded().inc();
        }
        match details {
            "health_check_cached" => stats.cached_response().inc(),
            "health_check_cluster_empty" => stats.failed_cluster_empty().inc(),
            "health_check_no_cluster_found" => stats.failed_cluster_not_found().inc(),
            "health_check_cluster_unhealthy" => stats.failed_cluster_unhealthy().inc(),
            _ => {}
        }
    }

    fn answer(&self, cx: &mut Cx<'_>) {
        let (status, degraded, details) = self.local.verdict(cx);
        let mut reply = LocalReply::new(status, "", details);
        if degraded {
            reply = reply.header(names::X_ENVOY_DEGRADED, "");
        }
        let passes = (200..300).contains(&status);
        if !passes {
            reply = reply.flag(ResponseFlag::FailedLocalHealthCheck);
        }
        self.count(passes, degraded, details);
        cx.local_reply(reply);
    }
}

impl HttpFilter for HealthCheckFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let headers = cx.request_headers_ref();
        if self
            .local
            .headers
            .iter()
            .all(|matcher| matcher.matches(headers))
        {
            self.is_check = true;
            self.local.stats.request_total().inc();
            cx.info().is_health_check = true;
            let cache = self.local.cache.as_ref();
            let cached = cache.and_then(|cache| cache.get(cx.worker().now()));
            self.answers = !self.local.pass_through || self.local.failed() || cached.is_some();
        }
        if !self.answers {
            return HeadersStatus::Continue;
        }
        if end.is_end() {
            self.answer(cx);
        }
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, _data: &mut Buffer, end: End) -> DataStatus {
        if !self.answers {
            return DataStatus::Continue;
        }
        if end.is_end() {
            self.answer(cx);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if !self.answers {
            return TrailersStatus::Continue;
        }
        self.answer(cx);
        TrailersStatus::StopIteration
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let now = cx.worker().now();
        let Some(headers) = cx.response_headers() else {
            return HeadersStatus::Continue;
        };
        if self.is_check {
            if let Some(cache) = &self.local.cache {
                let status = headers.get_str(names::STATUS);
                let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
                cache.set(now, status, headers.contains(names::X_ENVOY_DEGRADED));
            }
            let name = names::X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER;
            headers.set(name, self.local.node_cluster.as_bytes());
        }
        if self.local.failed() {
            headers.set(names::X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL, b"true");
        }
        HeadersStatus::Continue
    }
}
