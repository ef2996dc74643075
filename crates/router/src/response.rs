//! What comes from upstream: heads, bodies, failures, silence.

use crate::attempt::Step;
use crate::headers;
use crate::reply;
use crate::retry::Decision;
use crate::router::Router;
use nuncio_base::time::millis;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_http::{Cx, LocalReply};
use nuncio_stream_info::ResponseFlag;
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
            Step::Frame(Frame::Informational(headers)) => cx.respond_1xx(headers),
            Step::Frame(Frame::Headers(headers, end)) => self.on_headers(cx, headers, end),
            Step::Frame(Frame::Data(data, end)) => {
                if end.is_end() {
                    self.complete(cx);
                }
                cx.respond_data(data, end);
            }
            Step::Frame(Frame::Trailers(trailers)) => {
                self.complete(cx);
                cx.respond_trailers(trailers);
            }
            Step::Frame(Frame::Reset(reason)) => self.on_reset(cx, reason, None),
        }
    }

    fn on_headers(&mut self, cx: &mut Cx<'_>, mut headers: HeaderMap, end: End) {
        let now = cx.worker().now();
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        cx.info().timings.first_upstream_rx = Some(now);
        let status = headers
            .get_str(names::STATUS)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        let canary = headers.get(names::X_ENVOY_UPSTREAM_CANARY) == Some(b"true")
            || self
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.host.canary());
        self.charge(status, canary);
        let random = cx.worker().random();
        if let Some(retry) = &mut self.retry {
            match retry.on_headers(&headers, random) {
                Decision::Yes(after) if self.may_retry(cx, after) => return,
                Decision::LimitExceeded => {
                    cluster.stats().upstream_rq_retry_limit_exceeded().inc();
                    cx.info().set_flag(ResponseFlag::UpstreamRetryLimitExceeded);
                }
                Decision::No | Decision::Yes(_) => self.count_retry_success(),
            }
        }
        self.retry = None;
        self.replay = None;
        self.retry_permit = None;
        self.response_started = true;
        self.finish_head(cx, &mut headers, now);
        if end.is_end() {
            self.complete(cx);
        }
        cx.info().response_code_details = Some("via_upstream".into());
        cx.respond_headers(headers, end);
    }

    /// Headers that the router adds to a response.
    fn finish_head(&mut self, cx: &mut Cx<'_>, headers: &mut HeaderMap, now: std::time::Instant) {
        let started = cx.info().timings.last_downstream_rx;
        let waited = now.saturating_duration_since(started.unwrap_or(now));
        let mut digits = itoa::Buffer::new();
        if !self.local.suppress_envoy_headers {
            let text = digits.format(millis(waited));
            headers.set(names::X_ENVOY_UPSTREAM_SERVICE_TIME, text.as_bytes());
        }
        let attempts = cx.info().attempt_count;
        let selected = cx.state().route.selected();
        if selected.is_some_and(|s| s.virtual_host.include_attempt_count_in_response) {
            let text = digits.format(attempts);
            headers.set(names::X_ENVOY_ATTEMPT_COUNT, text.as_bytes());
        }
        let local = std::rc::Rc::clone(&self.local);
        local
            .scratch
            .with(|scratch| headers::finalize_response(cx, headers, scratch));
    }

    /// Charges cluster and host with a response's code.
    fn charge(&self, status: u16, canary: bool) {
        let Some(cluster) = &self.cluster else { return };
        if !(self.is_grpc && self.local.suppress_grpc_codes) {
            cluster.count_response(status, self.is_internal, canary);
        }
        if let Some(attempt) = &self.attempt {
            let stats = attempt.host.stats();
            if status >= 500 {
                stats.rq_error.inc()
            } else {
                stats.rq_success.inc()
            }
        }
    }

    fn count_retry_success(&self) {
        if let Some(cluster) = &self.cluster
            && self.tried.len() > 1
        {
            cluster.stats().upstream_rq_retry_success().inc();
        }
    }

    /// The response is complete.
    fn complete(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        let info = cx.info();
        info.timings.last_upstream_rx = Some(now);
        let started = info.timings.last_downstream_rx.unwrap_or(now);
        if let Some(cluster) = &self.cluster {
            let waited = millis(now.saturating_duration_since(started));
            let canary = self
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.host.canary());
            cluster.record_response_time(waited, self.is_internal, canary);
        }
        self.done = true;
        self.response_due = None;
        if let Some(mut attempt) = self.attempt.take() {
            attempt.end();
        }
    }

    /// Prepares another attempt, if the circuit breaker lets it.
    fn may_retry(&mut self, cx: &mut Cx<'_>, after: std::time::Duration) -> bool {
        let Some(cluster) = self.cluster.clone() else {
            return false;
        };
        // A body that is still coming can be sent again only while it is kept.
        if self.replay.is_none() {
            return false;
        }
        let priority = cx.state().route.action().map_or(
            nuncio_upstream::Priority::Default,
            crate::start::priority_of,
        );
        let Some(permit) = cluster.try_retry(priority) else {
            cluster.stats().upstream_rq_retry_overflow().inc();
            return false;
        };
        cluster.stats().upstream_rq_retry().inc();
        cluster
            .stats()
            .upstream_rq_retry_backoff_exponential()
            .inc();
        self.retry_permit = Some(permit);
        self.attempt = None;
        self.back_off_until = Some(cx.worker().now() + after);
        cx.wake_at(cx.worker().now() + after);
        true
    }

    /// The attempt failed.
    pub(crate) fn on_reset(
        &mut self,
        cx: &mut Cx<'_>,
        reason: ResetReason,
        transport: Option<Arc<str>>,
    ) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        if let Some(failure) = &transport {
            cx.info().upstream_mut().transport_failure_reason = Some(Arc::clone(failure));
        }
        let started = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.request_sent);
        if let Some(attempt) = &self.attempt {
            attempt.host.stats().rq_error.inc();
        }
        if self.response_started {
            Self::flag(cx, reply::flag_of(reason));
            self.local
                .stats
                .rq_reset_after_downstream_response_started()
                .inc();
            let details = format!(
                "upstream_reset_after_response_started{{{}}}",
                reason.as_str()
            );
            cx.info().response_code_details = Some(details.replace(' ', "_").into());
            self.done = true;
            self.attempt = None;
            return cx.reset(reason);
        }
        let random = cx.worker().random();
        if let Some(retry) = &mut self.retry {
            match retry.on_reset(reason, started, random) {
                Decision::Yes(after) if self.may_retry(cx, after) => return,
                Decision::LimitExceeded => {
                    cluster.stats().upstream_rq_retry_limit_exceeded().inc();
                    cx.info().set_flag(ResponseFlag::UpstreamRetryLimitExceeded);
                }
                Decision::No | Decision::Yes(_) => {}
            }
        }
        let retried = cx.info().attempt_count > 1;
        let reply = reply::reset(reason, transport.as_deref(), retried);
        if reason != ResetReason::Overflow {
            self.charge_local(reply.status);
        }
        self.fail(cx, reply);
    }

    /// Charges the cluster with a code that this proxy made for it.
    fn charge_local(&self, status: u16) {
        if let Some(cluster) = &self.cluster {
            cluster.count_response(status, self.is_internal, false);
        }
    }

    fn fail(&mut self, cx: &mut Cx<'_>, reply: LocalReply) {
        self.attempt = None;
        self.answer(cx, reply);
    }

    pub(crate) fn on_response_timeout(&mut self, cx: &mut Cx<'_>) {
        self.response_due = None;
        if let Some(cluster) = &self.cluster {
            cluster.stats().upstream_rq_timeout().inc();
        }
        if let Some(attempt) = &self.attempt {
            attempt.host.stats().rq_timeout.inc();
        }
        if self.response_started {
            cx.info().set_flag(ResponseFlag::UpstreamRequestTimeout);
            cx.info().response_code_details = Some("response_timeout".into());
            self.done = true;
            self.attempt = None;
            return cx.reset(ResetReason::LocalReset);
        }
        self.charge_local(self.timeout_status);
        self.fail(cx, reply::response_timeout(self.timeout_status));
    }

    pub(crate) fn on_per_try_timeout(&mut self, cx: &mut Cx<'_>, idle: bool) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        if idle {
            cluster.stats().upstream_rq_per_try_idle_timeout().inc();
        } else {
            cluster.stats().upstream_rq_per_try_timeout().inc();
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.host.stats().rq_timeout.inc();
            attempt.end();
        }
        if self.response_started {
            self.done = true;
            return cx.reset(ResetReason::LocalReset);
        }
        let random = cx.worker().random();
        if let Some(retry) = &mut self.retry {
            match retry.on_per_try_timeout(random) {
                Decision::Yes(after) if self.may_retry(cx, after) => return,
                Decision::LimitExceeded => {
                    cluster.stats().upstream_rq_retry_limit_exceeded().inc();
                    cx.info().set_flag(ResponseFlag::UpstreamRetryLimitExceeded);
                }
                Decision::No | Decision::Yes(_) => {}
            }
        }
        self.charge_local(self.timeout_status);
        self.fail(cx, reply::per_try_timeout(self.timeout_status));
    }
}
