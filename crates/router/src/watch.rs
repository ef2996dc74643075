//! What watches hosts is told of each attempt: outlier detection, passive health checks, load
//! reports.

use crate::response::http_status_of;
use crate::router::Router;
use nuncio_base::{HeaderMap, names};
use nuncio_http::Cx;
use nuncio_upstream::host_monitor::HostMonitor;
use nuncio_upstream::outlier::OutlierResult;

impl Router {
    fn monitor(&self) -> Option<&HostMonitor> {
        self.attempt.as_ref()?.host.monitor()
    }

    /// A response came.
    pub(crate) fn tell_monitor(&mut self, cx: &Cx<'_>, status: u16, headers: &HeaderMap) {
        let Some(monitor) = self.monitor() else {
            return;
        };
        let grpc = headers.get(names::GRPC_STATUS).filter(|_| self.is_grpc);
        monitor.on_status(grpc.map_or(status, http_status_of), cx.worker());
        if headers.contains(names::X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL) {
            monitor.on_immediate_health_check_fail();
        }
        if monitor.on_load_report(headers, cx.worker())
            && let Some(attempt) = &mut self.attempt
        {
            attempt.load_reported = true;
        }
    }

    /// A response's trailers came: they count where its headers say nothing.
    pub(crate) fn tell_monitor_of_trailers(&self, cx: &Cx<'_>, trailers: &HeaderMap) {
        let attempt = self.attempt.as_ref();
        if let Some(monitor) = self.monitor()
            && attempt.is_some_and(|attempt| !attempt.load_reported)
        {
            monitor.on_load_report(trailers, cx.worker());
        }
    }

    /// Anything but a response came.
    pub(crate) fn tell_result(&self, cx: &Cx<'_>, result: OutlierResult) {
        if let Some(monitor) = self.monitor() {
            monitor.on_result(result, cx.worker());
        }
    }
}
