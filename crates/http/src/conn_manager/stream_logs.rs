//! Log lines that are written while a stream lasts (`access_log_options`).

use crate::conn_manager::stream::ActiveStream;
use crate::opaque::is_upgrade;
use nuncio_base::names;
use nuncio_observe::AccessLogType;
use std::rc::Rc;
use std::time::Instant;

impl ActiveStream {
    fn log(&mut self, log_type: AccessLogType) {
        let local = Rc::clone(&self.local);
        local.log(&mut self.filters().state, log_type);
    }

    /// The request has come, and goes to the filters.
    pub(super) fn log_request(&mut self) {
        if self.local.spec.logs.on_new_request {
            self.log(AccessLogType::DownstreamStart);
        }
    }

    /// The response's head goes to the client: it may be that of a tunnel.
    pub(super) fn log_tunnel(&mut self) {
        if !self.local.spec.logs.on_tunnel {
            return;
        }
        let state = &self.filters().state;
        let is_connect = state.request.headers.get(names::METHOD) == Some(b"CONNECT");
        let status = state.info.response_code.unwrap_or_default();
        let granted = is_connect && (200..300).contains(&status);
        if granted || is_upgrade(&state.response.headers) {
            self.log(AccessLogType::DownstreamTunnelSuccessfullyEstablished);
        }
    }

    /// The time for a line may have come.
    pub(super) fn log_periodically(&mut self, now: Instant) {
        if self.log_at.is_some_and(|at| at <= now) {
            self.log_at = self.local.spec.logs.interval.map(|interval| now + interval);
            self.log(AccessLogType::DownstreamPeriodic);
        }
    }
}
