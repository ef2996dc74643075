//! The filter on one stream.

use super::draw::{abort_of, delay_of};
use super::rate_limit::{INTERVAL, ResponseLimiter};
use super::settings::FaultSettings;
use super::stats::{ClusterStats, FaultStats};
use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus,
};
use nuncio_stats::{Group, Scope, SharedGauge};
use nuncio_stream_info::ResponseFlag;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The filter's configuration.
pub struct FaultSpec {
    /// What is injected.
    pub settings: Arc<FaultSettings>,
    /// What it counts.
    pub stats: Group<FaultStats>,
    /// Streams with faults now, over all workers.
    pub active_faults: SharedGauge,
    /// The filter's scope, for stats of clients' clusters.
    pub scope: Scope,
}

/// The filter on one worker.
pub struct FaultLocal {
    settings: Arc<FaultSettings>,
    stats: FaultStats,
    active_faults: SharedGauge,
    cluster_stats: ClusterStats,
}

impl HttpFilterSpec for FaultSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(FaultLocal {
            settings: Arc::clone(&self.settings),
            stats: self.stats.local(),
            active_faults: self.active_faults.clone(),
            cluster_stats: ClusterStats::new(self.scope.clone()),
        })))
    }
}

impl HttpFilterFactory for FaultLocal {
    type Filter = FaultFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> FaultFilter {
        FaultFilter {
            local: Rc::clone(self),
            active: None,
            delaying: None,
            limiter: None,
        }
    }
}

/// The filter.
pub struct FaultFilter {
    local: Rc<FaultLocal>,
    active: Option<ActiveFault>,
    /// The request waits; what may become of it then.
    delaying: Option<Arc<FaultSettings>>,
    limiter: Option<Box<Limited>>,
}

/// One of the streams that are counted as having faults.
struct ActiveFault(SharedGauge);

impl Drop for ActiveFault {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A response that is slowed down.
struct Limited {
    limiter: ResponseLimiter,
    /// A turn is due.
    waiting: bool,
    /// The sender is held back.
    holding: bool,
    /// Trailers wait behind the body.
    trailers: bool,
}

impl FaultFilter {
    /// Counts this stream as one with a fault, unless there are too many.
    fn activate(&mut self, cx: &Cx<'_>, settings: &FaultSettings) -> bool {
        // A stream counts once, however many faults it gets.
        if self.active.is_some() {
            return true;
        }
        let most = settings.max_active_faults.map_or(u64::MAX, u64::from);
        let flags = cx.worker().flags();
        let most = flags.integer(&settings.keys.max_active_faults, most);
        let gauge = &self.local.active_faults;
        // Two workers may come by at the same time: the limit is a fuzzy one, as in Envoy.
        if gauge.value() >= most {
            self.local.stats.faults_overflow().inc();
            return false;
        }
        gauge.inc();
        self.active = Some(ActiveFault(gauge.clone()));
        true
    }

    fn limit_response(&mut self, cx: &mut Cx<'_>, settings: &FaultSettings) {
        let Some(limit) = settings.rate_limit else {
            return;
        };
        let headers = cx.request_headers();
        let Some(kbps) = limit.kbps(headers) else {
            return;
        };
        let share = limit.share(headers);
        let share = cx
            .worker()
            .flags()
            .fraction(&settings.keys.rate_limit_percent, share);
        if !share.holds(cx.worker().random()) || !self.activate(cx, settings) {
            return;
        }
        self.local.stats.response_rl_injected().inc();
        self.limiter = Some(Box::new(Limited {
            limiter: ResponseLimiter::new(kbps, cx.worker().now()),
            waiting: false,
            holding: false,
            trailers: false,
        }));
    }

    fn delay(&mut self, cx: &mut Cx<'_>, settings: &Arc<FaultSettings>) -> bool {
        let Some(duration) = delay_of(cx, settings) else {
            return false;
        };
        if !self.activate(cx, settings) {
            return false;
        }
        self.local.stats.delays_injected().inc();
        if let Some(cluster) = counted_cluster(cx, settings) {
            self.local.cluster_stats.count_delay(&cluster);
        }
        self.delaying = Some(Arc::clone(settings));
        cx.timer(duration, Self::on_delayed);
        record(cx, settings, ResponseFlag::DelayInjected);
        true
    }

    fn on_delayed(&mut self, cx: &mut Cx<'_>, (): ()) {
        if let Some(settings) = self.delaying.take()
            && !self.abort(cx, &settings)
        {
            cx.resume_request();
        }
    }

    fn abort(&mut self, cx: &mut Cx<'_>, settings: &FaultSettings) -> bool {
        let Some(abort) = &settings.abort else {
            return false;
        };
        let Some((status, grpc_status)) = abort_of(cx, settings) else {
            return false;
        };
        if !self.activate(cx, settings) {
            return false;
        }
        let mut reply = LocalReply::new(status, abort.body.clone(), "fault_filter_abort");
        reply.grpc_status = grpc_status;
        cx.local_reply(reply);
        self.local.stats.aborts_injected().inc();
        if let Some(cluster) = counted_cluster(cx, settings) {
            self.local.cluster_stats.count_abort(&cluster);
        }
        record(cx, settings, ResponseFlag::FaultInjected);
        true
    }

    /// Sends what may go of a slow response.
    fn send_limited(&mut self, cx: &mut Cx<'_>) {
        let Some(limited) = &mut self.limiter else {
            return;
        };
        let (piece, end) = limited.limiter.take(cx.worker().now());
        if end || !piece.is_empty() {
            cx.inject_data(Direction::Response, piece, End::when(end));
        }
        let held = limited.limiter.held();
        if held > 0 && !limited.waiting {
            limited.waiting = true;
            cx.timer(INTERVAL, |filter: &mut Self, cx, ()| {
                if let Some(limited) = &mut filter.limiter {
                    limited.waiting = false;
                }
                filter.send_limited(cx);
            });
        }
        let limit = cx.buffer_limit();
        let hold = held > if limited.holding { limit / 2 } else { limit };
        if hold != limited.holding {
            limited.holding = hold;
            cx.push_back(Direction::Response, hold);
        }
        if held == 0 && std::mem::take(&mut limited.trailers) {
            cx.resume_response();
        }
    }
}

/// Notes a fault on the stream.
fn record(cx: &mut Cx<'_>, settings: &FaultSettings, flag: ResponseFlag) {
    let name = Arc::clone(cx.filter_name());
    let info = cx.info();
    info.set_flag(flag);
    info.metadata.merge(&name, &settings.metadata);
}

/// The client's cluster, if it says one and that is to have stats of its own.
fn counted_cluster(cx: &mut Cx<'_>, settings: &FaultSettings) -> Option<Vec<u8>> {
    if settings.disable_cluster_stats {
        return None;
    }
    let cluster = cx
        .request_headers()
        .get(names::X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER)?;
    Some(cluster.to_vec()).filter(|cluster| !cluster.is_empty())
}

impl HttpFilter for FaultFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let settings: Arc<FaultSettings> = match cx.route_spec() {
            Some(settings) => settings,
            None if self.local.settings.is_idle() => return HeadersStatus::Continue,
            None => Arc::clone(&self.local.settings),
        };
        if settings.is_idle() || !matches_cluster(cx, &settings.upstream_cluster) {
            return HeadersStatus::Continue;
        }
        if !settings.matches(cx.request_headers()) {
            return HeadersStatus::Continue;
        }
        self.limit_response(cx, &settings);
        // A delay may be followed by an abort.
        if self.delay(cx, &settings) || self.abort(cx, &settings) {
            return HeadersStatus::StopIteration;
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, _cx: &mut Cx<'_>, _data: &mut Buffer, _end: End) -> DataStatus {
        if self.delaying.is_some() {
            DataStatus::StopIterationAndWatermark
        } else {
            DataStatus::Continue
        }
    }

    fn request_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        if self.delaying.is_some() {
            TrailersStatus::StopIteration
        } else {
            TrailersStatus::Continue
        }
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let Some(limited) = &mut self.limiter else {
            return DataStatus::Continue;
        };
        limited.limiter.push(data, end.is_end());
        if !limited.waiting {
            self.send_limited(cx);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn response_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        match &mut self.limiter {
            Some(limited) if limited.limiter.held() > 0 => {
                limited.trailers = true;
                TrailersStatus::StopIteration
            }
            _ => TrailersStatus::Continue,
        }
    }
}

/// Whether the request goes to this cluster; an empty name stands for all.
fn matches_cluster(cx: &mut Cx<'_>, cluster: &str) -> bool {
    if cluster.is_empty() {
        return true;
    }
    cx.lookup_route();
    let state = cx.state();
    let selected = state.route.selected();
    let name = selected.and_then(|selected| selected.cluster_name(&state.request.headers));
    name == Some(cluster.as_bytes())
}
