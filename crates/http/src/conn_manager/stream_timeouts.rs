//! A stream's time limits, and what happens when one has passed.

use crate::conn_manager::stream::ActiveStream;
use crate::local_reply::LocalReply;
use nuncio_stream_info::ResponseFlag;
use std::time::{Duration, Instant};

impl ActiveStream {
    /// The soonest of this stream's time limits.
    pub fn deadline(&self) -> Option<Instant> {
        let idle = self.stream_idle().map(|limit| self.moved_at + limit);
        [
            idle,
            self.head_deadline(),
            self.request_deadline(),
            self.duration_deadline(),
            self.wake_at,
            self.log_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn start(&self) -> Instant {
        match &self.filters {
            Some(filters) => filters.state.info.timings.start,
            None => self.moved_at,
        }
    }

    fn stream_idle(&self) -> Option<Duration> {
        let of_route = self
            .filters
            .as_ref()
            .and_then(|filters| filters.state.route.idle_timeout());
        match of_route {
            Some(limit) => Some(limit).filter(|limit| !limit.is_zero()),
            None => self.local.spec.timeouts.stream_idle,
        }
    }

    /// How long its last bytes may wait for the client.
    pub(super) fn flush_limit(&self) -> Option<Duration> {
        let filters = self.filters.as_ref();
        let action = filters.and_then(|filters| filters.state.route.action());
        let of_route = action.and_then(|action| action.flush_timeout);
        let timeouts = &self.local.spec.timeouts;
        match of_route.or(timeouts.stream_flush) {
            Some(limit) => Some(limit).filter(|limit| !limit.is_zero()),
            None => self.stream_idle(),
        }
    }

    fn request_deadline(&self) -> Option<Instant> {
        let limit = self
            .local
            .spec
            .timeouts
            .request
            .filter(|_| !self.request_complete && !self.response_started)?;
        Some(self.start() + limit)
    }

    fn head_deadline(&self) -> Option<Instant> {
        let limit = self.local.spec.timeouts.request_headers;
        Some(self.start() + limit.filter(|_| self.awaits_head && !self.response_started)?)
    }

    fn duration_deadline(&self) -> Option<Instant> {
        Some(self.start() + self.duration_limit?)
    }

    /// A time limit has passed, or a filter's turn has come.
    pub fn on_deadline(&mut self, now: Instant) {
        self.log_periodically(now);
        let stats = self.local.stats.clone();
        if self.duration_deadline().is_some_and(|at| at <= now) {
            stats.downstream_rq_max_duration_reached().inc();
            let status = self.timeout_status();
            let mut reply = LocalReply::new(
                status,
                "downstream duration timeout",
                "max_duration_timeout",
            );
            reply.grpc_status = Some(4);
            return self.time_out(reply);
        }
        if self.request_deadline().is_some_and(|at| at <= now) {
            stats.downstream_rq_timeout().inc();
            let reply = LocalReply::new(408, "request timeout", "request_overall_timeout");
            return self.time_out(reply);
        }
        if self.head_deadline().is_some_and(|at| at <= now) {
            stats.downstream_rq_header_timeout().inc();
            let reply = LocalReply::new(408, "request header timeout", "request_header_timeout");
            return self.time_out(reply);
        }
        if self
            .stream_idle()
            .is_some_and(|limit| self.moved_at + limit <= now)
        {
            stats.downstream_rq_idle_timeout().inc();
            let status = self.timeout_status();
            self.time_out(
                LocalReply::new(status, "stream timeout", "stream_idle_timeout")
                    .flag(ResponseFlag::StreamIdleTimeout),
            );
        }
    }

    /// Once the request is complete it is the upstream that is slow.
    const fn timeout_status(&self) -> u16 {
        if self.request_complete { 504 } else { 408 }
    }

    fn time_out(&mut self, reply: LocalReply) {
        self.filters().order(|cx| cx.local_reply(reply));
    }
}
