//! What is counted of a response, and the end of a stream: stats and logs.

use crate::chain::FilterStream;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use crate::opaque::{is_connect, is_upgrade};
use nuncio_base::HeaderMap;
use nuncio_base::time::millis;
use nuncio_codec::ResetReason;
use nuncio_observe::AccessLogType;
use nuncio_stream_info::ResponseFlag;

impl ActiveStream {
    /// Charges stats with a response, which goes to the client now.
    pub(super) fn count_response(&mut self) {
        let info = self.info();
        let status = info.response_code.filter(|_| !info.is_health_check);
        if let Some(status) = status {
            self.count_status(status);
        }
    }

    /// The same of an interim one.
    pub fn count_interim(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.status() {
            self.count_status(status);
        }
    }

    pub(super) fn count_status(&self, status: u16) {
        self.local.stats.count_response(status);
        self.local.listener_stats.count_response(status);
    }

    /// Why the client over HTTP/2 is told that its stream is reset: of a CONNECT, which every
    /// upgrade is there, that its connection ended.
    pub fn reason_of_reset(&mut self, reason: ResetReason) -> ResetReason {
        let state = &self.filters().state;
        let headers = &state.request.headers;
        let was_connect = is_connect(headers) || is_upgrade(headers);
        let flags = state.info.flags;
        let ended = flags.has(ResponseFlag::UpstreamConnectionFailure)
            || flags.has(ResponseFlag::UpstreamConnectionTermination);
        match was_connect && ended {
            true => ResetReason::ConnectError,
            false => reason,
        }
    }

    /// Ends the stream: filters are told, stats charged, logs written, memory given back.
    pub fn finish(mut self, local: &HcmLocal) {
        if let Some(mut filters) = self.filters.take() {
            self.end(&mut filters, local);
            filters.finish();
        }
    }

    /// Tells filters that the stream is over, charges its time and writes logs.
    pub(super) fn end(&self, filters: &mut FilterStream, local: &HcmLocal) {
        let now = local.worker.now();
        let info = &mut filters.state.info;
        info.timings.end = Some(now);
        let duration = millis(now.saturating_duration_since(info.timings.start));
        let stats = &local.stats;
        stats.downstream_rq_active().dec();
        if self.is_upgrade {
            stats.downstream_cx_upgrades_active().dec();
        }
        stats.downstream_rq_time().record(duration);
        filters.complete();
        local.log(&mut filters.state, AccessLogType::DownstreamEnd);
    }
}
