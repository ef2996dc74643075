//! What outlier detection tells the members of a cluster, and is told by them.

use super::Members;
use crate::host::Host;
use crate::outlier::{Ejection, OutlierEvent, SuccessRates};
use std::sync::Arc;

impl Members {
    /// A worker found failures of a host in a row.
    pub(crate) fn on_consecutive_failures(&self, host: u64, ejection: Ejection) {
        if let Some(detector) = self.detector() {
            detector.on_consecutive(host, ejection);
        }
    }

    /// A health check passed.
    pub(crate) fn on_check_passed(&self, host: &Arc<Host>) {
        if let Some(detector) = self.detector() {
            detector.on_check_passed(host);
        }
    }

    /// A host was ejected or taken back.
    pub(crate) fn on_outlier(&self, host: &Arc<Host>, ejected: bool) {
        self.refresh();
        if ejected {
            self.observer().on_host_failure(host);
        }
    }

    /// Passes an event on to who writes it down.
    pub(crate) fn log_outlier(&self, event: &OutlierEvent) {
        self.observer().on_outlier(event);
    }

    /// The success rates of the hosts themselves, and of connecting to them; `None` without outlier
    /// detection.
    pub fn success_rates(&self) -> Option<[SuccessRates; 2]> {
        self.detector().map(|detector| detector.rates())
    }

    /// The same of one host, in percent; -1 where there is none.
    pub fn success_rates_of(&self, host: &Host) -> [f64; 2] {
        let detector = self.detector();
        detector.map_or([-1.0; 2], |detector| detector.rates_of(host.id()))
    }
}
