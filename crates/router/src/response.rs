//! What comes from upstream: heads, bodies, failures, silence.

use crate::attempt::Step;
use crate::reply;
use crate::router::Router;
use nuncio_base::time::millis;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_http::opaque::is_connect;
use nuncio_http::route_headers::finalize_response;
use nuncio_http::{Cx, LocalReply};
use nuncio_stream_info::{CloseType, Protocol};
use nuncio_upstream::outlier::OutlierResult;
use std::sync::Arc;

impl Router {
    pub(crate) fn on_step(&mut self, cx: &mut Cx<'_>, step: Step) {
        let now = cx.worker().now();
        if let Some(attempt) = &mut self.attempt {
            attempt.moved_at = now;
        }
        match step {
            Step::Ready => {}
            Step::Reset(reason, transport) => self.on_reset(cx, reason, transport),
            Step::Frame(Frame::Informational(headers)) => self.on_informational(cx, headers),
            Step::Frame(Frame::Headers(headers, end)) => self.on_headers(cx, headers, end),
            Step::Frame(Frame::Data(data, End::Stream)) if self.is_cut_off(cx, &data) => {
                self.on_reset(cx, ResetReason::ConnectionTermination, None);
            }
            Step::Frame(Frame::Data(data, end)) => {
                let timings = &mut cx.info().timings;
                timings.first_upstream_rx_body.get_or_insert(now);
                if let Some(record) = self.record() {
                    record.info.bytes_received += data.len() as u64;
                }
                if end.is_end() {
                    self.charge_grpc_end(None);
                    self.complete(cx);
                }
                cx.respond_data(data, end);
            }
            Step::Frame(Frame::Trailers(trailers)) => {
                self.charge_grpc_end(Some(&trailers));
                self.tell_monitor_of_trailers(cx, &trailers);
                if let Some(record) = self.record() {
                    record.trailers = Some(trailers.clone());
                }
                self.complete(cx);
                cx.respond_trailers(trailers);
            }
            Step::Frame(Frame::Reset(reason)) => self.on_reset(cx, reason, None),
        }
    }

    /// Whether this is no end of a response but that of a connection that spoke another protocol
    /// than HTTP/1: as with Envoy it does not end well.
    fn is_cut_off(&self, cx: &mut Cx<'_>, data: &Buffer) -> bool {
        if !data.is_empty() {
            return false;
        }
        let is_connect = is_connect(cx.request_headers_ref());
        let info = cx.info();
        let status = info.response_code.unwrap_or_default();
        let has_switched = status == 101 || ((200..300).contains(&status) && is_connect);
        has_switched && info.upstream_mut().protocol == Some(Protocol::Http11)
    }

    /// An interim response goes on; behind it there are no retries, since the next attempt's would
    /// be a second one.
    fn on_informational(&mut self, cx: &mut Cx<'_>, headers: HeaderMap) {
        let is_canary = self.is_canary(&headers);
        self.count_code(status_of(&headers), is_canary);
        self.response_started = true;
        self.retry = None;
        self.replay = None;
        self.retry_permit = None;
        cx.respond_1xx(headers);
    }

    fn is_canary(&self, headers: &HeaderMap) -> bool {
        let attempt = self.attempt.as_ref();
        headers.get(names::X_ENVOY_UPSTREAM_CANARY) == Some(b"true")
            || attempt.is_some_and(|attempt| attempt.host.canary())
    }

    fn on_headers(&mut self, cx: &mut Cx<'_>, mut headers: HeaderMap, end: End) {
        let now = cx.worker().now();
        cx.info().timings.first_upstream_rx = Some(now);
        let status = status_of(&headers);
        if self.refuse_websocket(cx, status, &headers) {
            return;
        }
        self.tell_monitor(cx, status, &headers);
        if let Some(record) = self.record() {
            record.info.response_code = Some(status);
            record.response = Some(headers.clone());
        }
        if self.retry_headers(cx, &headers, status) {
            return;
        }
        if self.follow_redirect(cx, &headers, status) {
            self.done = true;
            return;
        }
        self.retry = None;
        self.replay = None;
        self.retry_permit = None;
        self.response_started = true;
        self.has_head = true;
        self.is_canary = self.is_canary(&headers);
        self.charge(status, &headers, end);
        // Said before the route's headers are added: they may tell it.
        cx.info().response_code = Some(status);
        cx.info().response_code_details = Some("via_upstream".into());
        self.finish_head(cx, &mut headers, now);
        if end.is_end() {
            self.complete(cx);
        }
        cx.respond_headers(headers, end);
    }

    /// Whether the response is a reason for another attempt.
    fn retry_headers(&mut self, cx: &mut Cx<'_>, headers: &HeaderMap, status: u16) -> bool {
        let Some(retry) = &mut self.retry else {
            return false;
        };
        let random = cx.worker().random();
        let wall = cx.worker().wall();
        let decision = retry.on_headers(headers, random, wall);
        let again = self.may_retry(cx, decision);
        if again && let Some(cluster) = &self.cluster {
            cluster.count_retried(status);
            self.is_timeout_retry = false;
        }
        again
    }

    /// Headers that the router adds to a response.
    fn finish_head(&mut self, cx: &mut Cx<'_>, headers: &mut HeaderMap, now: std::time::Instant) {
        let mut digits = itoa::Buffer::new();
        // A response that comes before the whole request says nothing of the service's time.
        if let Some(from) = self.request_ended_at
            && !self.local.suppress_envoy_headers
        {
            let text = digits.format(millis(now.saturating_duration_since(from)));
            headers.set(names::X_ENVOY_UPSTREAM_SERVICE_TIME, text.as_bytes());
        }
        let attempts = cx.info().attempt_count;
        let selected = cx.state().route.selected();
        if selected.is_some_and(|s| s.virtual_host.include_attempt_count_in_response) {
            let text = digits.format(attempts);
            headers.set(names::X_ENVOY_ATTEMPT_COUNT, text.as_bytes());
        }
        for cookie in self.set_cookies.drain(..) {
            headers.append(names::SET_COOKIE, &cookie);
        }
        let local = std::rc::Rc::clone(&self.local);
        local
            .scratch
            .with(|scratch| finalize_response(cx.state(), headers, scratch));
    }

    /// Charges cluster and host with a response's code.
    fn charge(&mut self, status: u16, headers: &HeaderMap, end: End) {
        self.count_code(status, self.is_canary);
        if status >= 500 {
            return self.charge_host_failure(status);
        }
        // What a gRPC response is worth stands in its grpc-status.
        let grpc = headers.get(names::GRPC_STATUS);
        match (self.is_grpc, end.is_end()) {
            (false, _) => self.charge_host(true),
            (true, true) => self.charge_host(grpc.is_some_and(is_grpc_success)),
            (true, false) => self.grpc_success_pending = true,
        }
    }

    fn charge_host(&self, success: bool) {
        if let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.at_host) {
            let stats = attempt.host.stats();
            let counter = if success {
                &stats.rq_success
            } else {
                &stats.rq_error
            };
            counter.inc();
        }
    }

    /// The end of a gRPC response says what it was worth; none means nothing.
    fn charge_grpc_end(&mut self, trailers: Option<&HeaderMap>) {
        if std::mem::take(&mut self.grpc_success_pending) {
            let status = trailers.and_then(|trailers| trailers.get(names::GRPC_STATUS));
            self.charge_host(status.is_some_and(is_grpc_success));
        }
    }

    /// The response is complete.
    fn complete(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        cx.info().timings.last_upstream_rx = Some(now);
        if let Some(from) = self.request_ended_at {
            let waited = millis(now.saturating_duration_since(from));
            self.record_time(waited, self.is_canary);
            self.track_global_budget(waited);
        }
        self.done = true;
        self.response_due = None;
        self.end_attempt(cx);
    }

    /// Ends the attempt and records what it was.
    pub(crate) fn end_attempt(&mut self, cx: &mut Cx<'_>) {
        if let Some(mut attempt) = self.attempt.take() {
            attempt.end();
            cx.info().upstream_mut().bytes += attempt.bytes();
            self.log_attempt(cx, attempt);
        }
    }

    /// The attempt failed.
    pub(crate) fn on_reset(
        &mut self,
        cx: &mut Cx<'_>,
        reason: ResetReason,
        transport: Option<Arc<str>>,
    ) {
        if reason != ResetReason::Overflow {
            self.tell_result(cx, OutlierResult::ConnectFailed);
        } else if let Some(cluster) = &self.cluster {
            cluster.info().dropped.inc();
        }
        let transport = transport.filter(|failure| !failure.is_empty());
        self.record_failure(reason, transport.as_ref());
        let upstream = cx.info().upstream_mut();
        if let Some(failure) = &transport {
            upstream.transport_failure_reason = Some(Arc::clone(failure));
        }
        if reason == ResetReason::ConnectionTermination {
            upstream.close_type = CloseType::Normal;
        }
        if self
            .attempt
            .as_ref()
            .is_some_and(|attempt| !attempt.at_host)
        {
            // It was not asked: logs don't name it.
            upstream.address = None;
            upstream.host_name = None;
            cx.info().host_metadata = None;
        }
        let started = self.request_started
            || self
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.request_sent);
        if self.response_started {
            return self.on_late_reset(cx, reason, transport.as_deref());
        }
        let random = cx.worker().random();
        if let Some(retry) = &mut self.retry {
            let decision = retry.on_reset(reason, started, random);
            if self.may_retry(cx, decision) {
                self.is_timeout_retry = false;
                return;
            }
        }
        let reply = reply::reset(reason, transport.as_deref(), self.is_retry, false);
        self.charge_abort(reply.status);
        self.fail(cx, reply);
    }

    /// The attempt failed in the middle of the response. Behind interim heads alone there still is
    /// an answer.
    fn on_late_reset(&mut self, cx: &mut Cx<'_>, reason: ResetReason, transport: Option<&str>) {
        self.charge_late_abort();
        let reply = reply::reset(reason, transport, self.is_retry, true);
        if !self.has_head {
            return self.fail(cx, reply);
        }
        let info = cx.info();
        reply.flags.iter().for_each(|flag| info.set_flag(flag));
        info.response_code_details = Some(reply.details);
        self.done = true;
        self.end_attempt(cx);
        cx.reset(reason);
    }

    pub(crate) fn charge_late_abort(&mut self) {
        if std::mem::take(&mut self.grpc_success_pending) {
            self.charge_host(false);
            self.local
                .stats
                .rq_reset_after_downstream_response_started()
                .inc();
        }
    }

    /// Charges cluster and host with a code that this proxy made for them.
    pub(crate) fn charge_abort(&self, status: u16) {
        let canary = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.host.canary());
        self.count_code(status, canary);
        self.charge_host_failure(status);
    }

    /// Charges the host with a failure that has this code. That a 5xx is one is known from its
    /// being counted.
    fn charge_host_failure(&self, status: u16) {
        if status < 500 || self.local.dynamic_stats {
            self.charge_host(false);
        }
    }

    pub(crate) fn fail(&mut self, cx: &mut Cx<'_>, reply: LocalReply) {
        self.end_attempt(cx);
        self.answer_with_attempts(cx, reply);
    }
}

fn status_of(headers: &HeaderMap) -> u16 {
    headers.status().unwrap_or(0)
}

/// Whether a `grpc-status` is none of those that stand for a failure of the server.
fn is_grpc_success(status: &[u8]) -> bool {
    http_status_of(status) < 500
}

/// The HTTP status that a `grpc-status` stands for.
pub(crate) fn http_status_of(status: &[u8]) -> u16 {
    let status = std::str::from_utf8(status).ok();
    let status: Option<u32> = status.and_then(|text| text.parse().ok());
    status.map_or(500, nuncio_http::local_reply::http_status_of)
}
