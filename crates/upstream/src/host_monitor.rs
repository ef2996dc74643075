//! What workers tell main of a host's answers to clients: outlier detection and passive health
//! checks.

use crate::discovery::MembersHandle;
use crate::outlier::{Ejection, OutlierMonitor, OutlierResult};
use nuncio_worker::Worker;

/// Watches one host. Set by main before any worker sees the host.
pub struct HostMonitor {
    members: MembersHandle,
    host: u64,
    /// Whether its cluster has health checks.
    checked: bool,
    outlier: Option<OutlierMonitor>,
}

impl HostMonitor {
    pub(crate) fn new(
        members: MembersHandle,
        host: u64,
        checked: bool,
        outlier: Option<OutlierMonitor>,
    ) -> Self {
        Self {
            members,
            host,
            checked,
            outlier,
        }
    }

    /// The counts of outlier detection.
    pub(crate) fn outlier(&self) -> Option<&OutlierMonitor> {
        self.outlier.as_ref()
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
