//! The end of a stream: stats and logs.

use crate::chain::FilterStream;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use nuncio_base::time::millis;
use nuncio_observe::AccessLogType;

impl ActiveStream {
    /// Ends the stream: filters are told, stats charged, logs written, memory given back.
    pub fn finish(mut self, local: &HcmLocal) {
        if let Some(mut filters) = self.filters.take() {
            self.end(&mut filters, local);
            filters.finish();
        }
    }

    /// Tells filters that the stream is over, charges stats and writes logs.
    fn end(&self, filters: &mut FilterStream, local: &HcmLocal) {
        let info = &filters.state.info;
        if let Some(status) = info.response_code
            && !info.is_health_check
        {
            local.stats.count_response(status);
            local.listener_stats.count_response(status);
        }
        self.end_unanswered(filters, local);
    }

    /// The same for a stream whose response no client gets.
    pub(super) fn end_unanswered(&self, filters: &mut FilterStream, local: &HcmLocal) {
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
