//! The filter: finds an upstream connection, and watches over the two.

mod ending;

use super::CLUSTER_KEY;
use super::carrier::Carrier;
use super::factory::LocalTcpProxy;
use super::flush::Flush;
use super::host_request::HostRequest;
use super::init_failure::InitFailure;
use super::opening::{Opened, Opening};
use super::relay::{Turn, UpstreamEnd};
use nuncio_base::Buffer;
use nuncio_base::metadata::Fields;
use nuncio_codec::ResetReason;
use nuncio_net::{
    Close, ConnCx, ConnectionEvent, DrainDecision, FilterStatus, NetworkFilter, NewConnection,
};
use nuncio_observe::AccessLogType;
use nuncio_stream_info::{CloseType, ResponseFlag, StreamInfo, Timings};
use nuncio_upstream::outlier::OutlierResult;
use nuncio_upstream::resource::Resource;
use nuncio_upstream::{Choice, Host, LocalCluster, PoolFailure, Priority};
use nuncio_worker::Timer;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

type PendingHost = Pin<Box<dyn Future<Output = Option<Arc<Host>>>>>;

enum State {
    /// A host is being looked for.
    Choosing(Rc<LocalCluster>, PendingHost),
    Connecting(Rc<LocalCluster>, Opening, Instant),
    Relaying(Carrier),
    /// Not begun, or over.
    Idle,
}

/// The filter of one connection.
pub(super) struct TcpProxy {
    local: Rc<LocalTcpProxy>,
    info: Box<StreamInfo>,
    drain: Option<Rc<DrainDecision>>,
    cluster: Arc<str>,
    /// What is asked of hosts' metadata.
    metadata_match: Option<Arc<Fields>>,
    state: State,
    attempts: u32,
    ended: bool,
    /// When the connection has lasted long enough.
    max_at: Option<Instant>,
    /// When another attempt is made.
    retry_at: Option<Instant>,
    /// When the connection is logged next.
    log_at: Option<Instant>,
    timer: Timer,
}

impl TcpProxy {
    pub fn new(local: &Rc<LocalTcpProxy>, connection: &NewConnection<'_>) -> Self {
        let (worker, spec) = (&local.worker, &local.spec);
        let info = Rc::clone(connection.info);
        let timings = Timings::new(info.start_time, info.start);
        let max = spec.max_downstream_connection_duration.map(|duration| {
            let jitter = spec.max_duration_jitter_percent / 100.0;
            let share = match jitter > 0.0 {
                true => worker.random() as f64 / u64::MAX as f64,
                false => 0.0,
            };
            duration.mul_f64(1.0 + jitter * share)
        });
        let mut stream = StreamInfo::new(info, timings);
        // Logs show its defaults where there is no upstream connection.
        stream.upstream_mut();
        let (cluster, own_match) = spec.cluster.choose(worker.random());
        let drain = spec.check_drain_close.then(|| Rc::clone(connection.drain));
        Self {
            metadata_match: own_match.or(spec.metadata_match.as_ref()).cloned(),
            cluster: Arc::clone(cluster),
            max_at: max.map(|max| worker.now() + max),
            log_at: spec
                .access_log_flush_interval
                .map(|every| worker.now() + every),
            retry_at: None,
            info: Box::new(stream),
            drain,
            state: State::Idle,
            attempts: 0,
            ended: false,
            timer: Timer::default(),
            local: Rc::clone(local),
        }
    }

    /// Looks for a host and asks for a connection, or gives up.
    fn connect(&mut self, cx: &mut ConnCx<'_>) {
        self.state = State::Idle;
        let Some(cluster) = self.local.clusters.get(&self.cluster) else {
            self.local.stats.downstream_cx_no_route().inc();
            return self.give_up(cx, ResponseFlag::NoClusterFound, InitFailure::NoRoute);
        };
        let upstream = self.info.upstream_mut();
        upstream.cluster = Some(Rc::clone(cluster.chosen()));
        // The pool would wait for a connection that nobody gives back.
        let resources = cluster.info().resources(Priority::Default);
        if resources.used(Resource::Connections) >= resources.max(Resource::Connections) {
            cluster.stats().upstream_cx_overflow().inc();
            let (flag, why) = (
                ResponseFlag::UpstreamOverflow,
                InitFailure::ResourceLimitExceeded,
            );
            return self.give_up(cx, flag, why);
        }
        if self.attempts >= self.local.spec.max_connect_attempts {
            cluster
                .stats()
                .upstream_cx_connect_attempts_exceeded()
                .inc();
            let (flag, why) = (
                ResponseFlag::UpstreamRetryLimitExceeded,
                InitFailure::ConnectFailed,
            );
            return self.give_up(cx, flag, why);
        }
        if self.attempts == 0
            && let Some(tlvs) = &self.local.spec.tlvs
        {
            tlvs.add(&self.local, &self.info);
        }
        self.attempts += 1;
        match cluster.choose(&self.request()) {
            Choice::Host(host) => self.ask(cluster, &host),
            Choice::Pending(pending) => self.state = State::Choosing(cluster, pending),
            Choice::NoHost => self.no_host(cx),
        }
    }

    /// What a balancer may ask.
    fn request(&self) -> HostRequest<'_> {
        HostRequest {
            info: &self.info,
            hash_policies: &self.local.spec.hash_policies,
            metadata_match: self.metadata_match.as_deref(),
        }
    }

    fn no_host(&mut self, cx: &mut ConnCx<'_>) {
        let flag = ResponseFlag::NoHealthyUpstream;
        self.give_up(cx, flag, InitFailure::NoHealthyUpstream);
    }

    /// Closes the connection, which never had an upstream.
    fn give_up(&mut self, cx: &mut ConnCx<'_>, flag: ResponseFlag, why: InitFailure) {
        self.info.set_flag(flag);
        cx.info().local_close_reason.set(Some(why.close_reason()));
        cx.close(Close::NoFlush);
    }

    /// Asks for a connection to `host`.
    fn ask(&mut self, cluster: Rc<LocalCluster>, host: &Arc<Host>) {
        self.info.attempt_count = self.attempts;
        let upstream = self.info.upstream_mut();
        upstream.address = Some(host.address());
        upstream.host_name = Some(Arc::clone(host.hostname()));
        let opening = match &self.local.spec.tunnel {
            None => Opening::Tcp(cluster.tcp_connection(host, Priority::Default, &self.info)),
            Some(tunnel) => {
                let head = tunnel.head(&self.local, &self.info);
                let request = cluster.request_stream(host, Priority::Default, &head, &self.info);
                let kept = (tunnel.kept, Rc::clone(&self.info.connection));
                Opening::tunnel(host, request, head, kept)
            }
        };
        self.state = State::Connecting(cluster, opening, self.local.worker.now());
    }

    /// There is a connection: bytes flow.
    fn on_connected(
        &mut self,
        cx: &mut ConnCx<'_>,
        task: &mut Context<'_>,
        (cluster, opened): (Rc<LocalCluster>, Opened),
        asked: Instant,
    ) {
        let now = self.local.worker.now();
        let upstream = self.info.upstream_mut();
        opened.describe(upstream);
        upstream.pool_ready = Some(now.saturating_duration_since(asked));
        self.state = State::Relaying(opened.carrier(cluster, now));
        cx.read_disable(false);
        // A filter before this one may have waited meanwhile.
        cx.show_pending();
        task.waker().wake_by_ref();
        if self.local.spec.flush_access_log_on_connected {
            self.log(AccessLogType::TcpUpstreamConnected);
        }
    }

    /// There is none: tries again if that is allowed.
    fn on_pool_failure(&mut self, cx: &mut ConnCx<'_>, failure: &PoolFailure) {
        if matches!(
            failure.reason,
            ResetReason::RemoteConnectionFailure | ResetReason::ConnectionTimeout
        ) {
            self.info.set_flag(ResponseFlag::UpstreamConnectionFailure);
        }
        let reason = &failure.transport_failure_reason;
        self.info.upstream_mut().transport_failure_reason =
            (!reason.is_empty()).then(|| Arc::clone(reason));
        let spec = &self.local.spec;
        match spec.back_off {
            Some(back_off) if self.attempts < spec.max_connect_attempts => {
                let worker = &self.local.worker;
                let delay = back_off.delay(self.attempts, worker.random());
                self.retry_at = Some(worker.now() + delay);
            }
            _ => self.connect(cx),
        }
    }

    /// Goes on with whatever is next; whether something changed.
    fn advance(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) -> bool {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Choosing(cluster, mut pending) => match pending.as_mut().poll(task) {
                Poll::Ready(Some(host)) => self.ask(cluster, &host),
                Poll::Ready(None) => {
                    cluster.stats().upstream_cx_none_healthy().inc();
                    self.no_host(cx);
                }
                Poll::Pending => {
                    self.state = State::Choosing(cluster, pending);
                    return false;
                }
            },
            State::Connecting(cluster, mut request, asked) => match request.poll(task) {
                Poll::Ready(Ok(opened)) => {
                    self.local
                        .tell(request.host(), OutlierResult::ConnectedFinal);
                    self.on_connected(cx, task, (cluster, opened), asked);
                }
                Poll::Ready(Err(failure)) => {
                    if failure.reason != ResetReason::Overflow {
                        self.local
                            .tell(request.host(), OutlierResult::ConnectFailed);
                    }
                    self.on_pool_failure(cx, &failure);
                }
                Poll::Pending => {
                    self.state = State::Connecting(cluster, request, asked);
                    return false;
                }
            },
            other => {
                self.state = other;
                return false;
            }
        }
        true
    }

    /// Moves bytes.
    fn relay(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        let State::Relaying(carrier) = &mut self.state else {
            return;
        };
        let moved_at = carrier.last_activity();
        let (local, info) = (&*self.local, &mut *self.info);
        let result = carrier.poll(&mut Turn {
            cx: &mut *cx,
            task,
            local,
            info,
        });
        let moved = carrier.last_activity() != moved_at;
        if let Err(end) = result {
            if end != UpstreamEnd::HostFailed {
                carrier.closed_by_peer();
            }
            match end {
                UpstreamEnd::Closed | UpstreamEnd::HostFailed => cx.close(Close::Flush),
                UpstreamEnd::Reset => {
                    self.info.set_flag(ResponseFlag::UpstreamRemoteReset);
                    self.info.upstream_mut().close_type = CloseType::RemoteReset;
                    cx.close(Close::Reset);
                }
            }
        } else if moved
            && let Some(drain) = &self.drain
            && drain.close(&self.local.worker)
        {
            self.local.stats.downstream_cx_drain_close().inc();
            cx.close(Close::Flush);
        }
    }
}

impl NetworkFilter for TcpProxy {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        self.local.stats.downstream_cx_total().inc();
        if self.local.spec.flush_access_log_on_start {
            self.log(AccessLogType::TcpConnectionStart);
        }
        cx.read_disable(true);
        let state = cx.info().filter_state.borrow();
        let named = state.get(CLUSTER_KEY).and_then(|name| name.as_text());
        drop(state);
        if let Some(name) = named {
            self.cluster = name.into();
            self.metadata_match
                .clone_from(&self.local.spec.metadata_match);
        }
        self.connect(cx);
        FilterStatus::StopIteration
    }

    fn on_data(&mut self, _cx: &mut ConnCx<'_>, data: &mut Buffer, end: bool) -> FilterStatus {
        self.local.count_received(&mut self.info, data.len() as u64);
        if let State::Relaying(carrier) = &mut self.state {
            carrier.on_data(data, end, self.local.worker.now());
        }
        FilterStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        while !cx.is_closing() && self.advance(cx, task) {}
        if !cx.is_closing() {
            self.relay(cx, task);
        }
        self.poll_deadlines(cx, task);
    }

    fn on_event(&mut self, _cx: &mut ConnCx<'_>, event: ConnectionEvent) {
        if let State::Relaying(carrier) = std::mem::replace(&mut self.state, State::Idle) {
            let client_went = event == ConnectionEvent::RemoteClose;
            if let Some((upstream, rest)) = carrier.into_rest(client_went) {
                let flush = Flush::new(Rc::clone(&self.local), upstream, rest);
                self.local.worker.spawn(flush);
            }
        }
        self.end();
    }

    fn half_close(&self) -> bool {
        true
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        // What a filter before this one has turned away is logged too.
        if !self.ended {
            self.end();
        }
        self.timer.disarm(&self.local.worker);
    }
}
