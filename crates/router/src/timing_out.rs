//! Time limits that have passed: what they count, and what becomes of the request.

use crate::reply;
use crate::router::Router;
use nuncio_codec::ResetReason;
use nuncio_http::{Cx, LocalReply};
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::outlier::OutlierResult;

impl Router {
    pub(crate) fn on_response_timeout(&mut self, cx: &mut Cx<'_>) {
        self.response_due = None;
        if let Some(cluster) = &self.cluster {
            cluster.stats().upstream_rq_timeout().inc();
        }
        self.count_route(|stats| stats.upstream_rq_timeout().inc());
        if !self.has_head {
            if let Some(record) = self.record() {
                record.ended_by_global_limit = true;
            }
            self.tell_result(cx, OutlierResult::Timeout(self.timeout_status));
        }
        if let Some(attempt) = &self.attempt {
            attempt.host.stats().rq_timeout.inc();
            if !self.response_started {
                self.charge_abort(self.timeout_status);
            }
        }
        self.track_timeout(cx);
        let reply = reply::response_timeout(self.timeout_status);
        self.time_out(cx, reply);
    }

    /// Answers with a timeout, or resets a response whose head is sent.
    fn time_out(&mut self, cx: &mut Cx<'_>, reply: LocalReply) {
        if !self.has_head {
            return self.fail(cx, reply);
        }
        let info = cx.info();
        reply.flags.iter().for_each(|flag| info.set_flag(flag));
        info.response_code_details = Some(reply.details);
        self.done = true;
        self.end_attempt(cx);
        cx.reset(ResetReason::LocalReset);
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
        self.tell_result(cx, OutlierResult::Timeout(self.timeout_status));
        if let Some(attempt) = &mut self.attempt {
            attempt.host.stats().rq_timeout.inc();
            attempt.end();
        }
        if let Some(record) = self.record() {
            record.info.set_flag(ResponseFlag::UpstreamRequestTimeout);
        }
        let random = cx.worker().random();
        if let Some(retry) = &mut self.retry {
            let decision = retry.on_reset(ResetReason::LocalReset, true, random);
            if self.may_retry(cx, decision) {
                self.is_timeout_retry = true;
                return;
            }
        }
        if self.response_started {
            self.charge_late_abort();
        } else {
            self.charge_abort(self.timeout_status);
        }
        self.track_timeout(cx);
        self.time_out(cx, reply::per_try_timeout(self.timeout_status, idle));
    }

    /// The stream has lasted as long as the cluster lets it.
    pub(crate) fn on_max_stream_duration(&mut self, cx: &mut Cx<'_>) {
        self.stream_due = None;
        if let Some(cluster) = &self.cluster {
            cluster.stats().upstream_rq_max_duration_reached().inc();
        }
        if self.response_started {
            self.charge_late_abort();
        }
        self.time_out(cx, reply::max_stream_duration(self.request_ended));
    }
}
