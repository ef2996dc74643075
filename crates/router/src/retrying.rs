//! Another attempt: whether there is one, when, and what it counts.

use crate::host_request::priority_of;
use crate::reply;
use crate::retry::Decision;
use crate::router::Router;
use nuncio_http::Cx;
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::Priority;
use std::time::Duration;

impl Router {
    /// Carries a decision out; whether there will be another attempt.
    pub(crate) fn may_retry(&mut self, cx: &mut Cx<'_>, decision: Decision) -> bool {
        let Some(cluster) = self.cluster.clone() else {
            return false;
        };
        // What the last retry was allowed is given back, whatever becomes of the next.
        self.retry_permit = None;
        let stats = cluster.stats();
        match decision {
            Decision::No => {
                // Whatever this is, it is no reason for another retry: the last one was enough.
                if self.retry.as_ref().is_some_and(|retry| retry.has_retried()) {
                    stats.upstream_rq_retry_success().inc();
                    self.count_route(|stats| stats.upstream_rq_retry_success().inc());
                }
                false
            }
            Decision::LimitExceeded => {
                stats.upstream_rq_retry_limit_exceeded().inc();
                self.count_route(|stats| stats.upstream_rq_retry_limit_exceeded().inc());
                cx.info().set_flag(ResponseFlag::UpstreamRetryLimitExceeded);
                false
            }
            Decision::Yes {
                after,
                rate_limited,
            } => {
                let action = cx.state().route.action();
                let priority = action.map_or(Priority::Default, priority_of);
                let Some(permit) = cluster.try_retry(priority) else {
                    stats.upstream_rq_retry_overflow().inc();
                    self.count_route(|stats| stats.upstream_rq_retry_overflow().inc());
                    cx.info().set_flag(ResponseFlag::UpstreamOverflow);
                    return false;
                };
                stats.upstream_rq_retry().inc();
                self.count_route(|stats| stats.upstream_rq_retry().inc());
                if rate_limited {
                    stats.upstream_rq_retry_backoff_ratelimited().inc();
                } else {
                    stats.upstream_rq_retry_backoff_exponential().inc();
                }
                self.retry_permit = Some(permit);
                self.wait_for_retry(cx, after);
                true
            }
        }
    }

    fn wait_for_retry(&mut self, cx: &mut Cx<'_>, after: Duration) {
        if let Some(mut attempt) = self.attempt.take() {
            attempt.host.stats().rq_error.inc();
            self.request_started |= attempt.request_sent;
            attempt.end();
            let upstream = cx.info().upstream_mut();
            upstream.connection_id = None;
            upstream.bytes += attempt.bytes();
            self.log_attempt(cx, attempt);
        }
        self.is_retry = true;
        self.back_off_until = Some(cx.worker().now() + after);
    }

    /// The request grows larger than what is kept of it for another attempt: there will be none.
    pub(crate) fn give_up_retries(&mut self, cx: &mut Cx<'_>) {
        self.replay = None;
        self.retry = None;
        self.retry_permit = None;
        if let Some(cluster) = &self.cluster {
            cluster.stats().retry_or_shadow_abandoned().inc();
        }
        if self.attempt.is_none() {
            self.back_off_until = None;
            self.answer_with_attempts(cx, reply::retry_buffer_exceeded());
        }
    }
}
