//! What workers tell main of a host's answers to clients, and remember of them: outlier detection,
//! passive health checks, load reports.

use crate::discovery::MembersHandle;
use crate::lb::load_report::{HostLoad, LoadReports};
use crate::outlier::{Ejection, OutlierMonitor, OutlierResult};
use nuncio_base::HeaderMap;
use nuncio_worker::Worker;
use std::sync::Arc;

/// Watches one host. Set by main before any worker sees the host.
pub struct HostMonitor {
    members: MembersHandle,
    host: u64,
    /// Whether its cluster has health checks.
    checked: bool,
    outlier: Option<OutlierMonitor>,
    load: Option<(Arc<dyn LoadReports>, HostLoad)>,
}

impl HostMonitor {
    pub(crate) fn new(
        members: MembersHandle,
        host: u64,
        checked: bool,
        outlier: Option<OutlierMonitor>,
        load_reports: Option<Arc<dyn LoadReports>>,
    ) -> Self {
        Self {
            members,
            host,
            checked,
            outlier,
            load: load_reports.map(|reports| (reports, HostLoad::default())),
        }
    }

    /// The counts of outlier detection.
    pub(crate) fn outlier(&self) -> Option<&OutlierMonitor> {
        self.outlier.as_ref()
    }

    /// What the host has reported of its load, where the cluster's policy goes by that.
    pub fn load(&self) -> Option<&HostLoad> {
        self.load.as_ref().map(|(_, load)| load)
    }

    /// A response's headers or trailers came; whether they report the host's load.
    pub fn on_load_report(&self, headers: &HeaderMap, worker: &Worker) -> bool {
        let Some((reports, load)) = &self.load else {
            return false;
        };
        let Some(report) = reports.read(headers) else {
            return false;
        };
        if let Some(weight) = report.weight {
            load.report(weight, worker.now());
        }
        true
    }

    /// A response said that the host is not healthy (`x-envoy-immediate-health-check-fail`).
    pub fn on_immediate_health_check_fail(&self) {
        if self.checked {
            let host = self.host;
            self.members
                .post(move |members| members.on_passive_failure(host));
        }
    }

    /// A response came; of gRPC, with the status that its own stands for.
    pub fn on_status(&self, status: u16, worker: &Worker) {
        if let Some(outlier) = &self.outlier {
            let flags = worker.flags();
            outlier.put_status(status, &flags, |ejection| self.tell(ejection));
        }
    }

    /// Something else became of an attempt.
    pub fn on_result(&self, result: OutlierResult, worker: &Worker) {
        if let Some(outlier) = &self.outlier {
            let flags = worker.flags();
            outlier.put_result(result, &flags, |ejection| self.tell(ejection));
        }
    }

    fn tell(&self, ejection: Ejection) {
        let host = self.host;
        self.members
            .post(move |members| members.on_consecutive_failures(host, ejection));
    }
}
