//! What outlier detection counts.

use super::spec::Ejection;
use nuncio_stats::{Counter, stat_group};

stat_group! {
    /// `cluster.NAME.outlier_detection.`
    pub(super) struct OutlierStats {
        counters {
            ejections_consecutive_5xx,
            ejections_detected_consecutive_5xx,
            ejections_detected_consecutive_gateway_failure,
            ejections_detected_consecutive_local_origin_failure,
            ejections_detected_degradation,
            ejections_detected_failure_percentage,
            ejections_detected_local_origin_failure_percentage,
            ejections_detected_local_origin_success_rate,
            ejections_detected_success_rate,
            ejections_enforced_consecutive_5xx,
            ejections_enforced_consecutive_gateway_failure,
            ejections_enforced_consecutive_local_origin_failure,
            ejections_enforced_failure_percentage,
            ejections_enforced_local_origin_failure_percentage,
            ejections_enforced_local_origin_success_rate,
            ejections_enforced_success_rate,
            ejections_enforced_total,
            ejections_overflow,
            ejections_success_rate,
            ejections_total,
        }
        gauges { ejections_active }
    }
}

impl OutlierStats {
    /// Counts what was found; two have an older name too.
    pub fn count_detected(&self, ejection: Ejection) {
        match ejection {
            Ejection::Consecutive5xx => self.ejections_consecutive_5xx().inc(),
            Ejection::SuccessRate => self.ejections_success_rate().inc(),
            _ => {}
        }
        self.detected(ejection).inc();
    }

    fn detected(&self, ejection: Ejection) -> Counter<'_> {
        match ejection {
            Ejection::Consecutive5xx => self.ejections_detected_consecutive_5xx(),
            Ejection::ConsecutiveGatewayFailure => {
                self.ejections_detected_consecutive_gateway_failure()
            }
            Ejection::ConsecutiveLocalOriginFailure => {
                self.ejections_detected_consecutive_local_origin_failure()
            }
            Ejection::SuccessRate => self.ejections_detected_success_rate(),
            Ejection::SuccessRateLocalOrigin => self.ejections_detected_local_origin_success_rate(),
            Ejection::FailurePercentage => self.ejections_detected_failure_percentage(),
            Ejection::FailurePercentageLocalOrigin => {
                self.ejections_detected_local_origin_failure_percentage()
            }
        }
    }

    /// Counts what was carried out.
    pub fn count_enforced(&self, ejection: Ejection) {
        self.ejections_enforced_total().inc();
        let counter = match ejection {
            Ejection::Consecutive5xx => self.ejections_enforced_consecutive_5xx(),
            Ejection::ConsecutiveGatewayFailure => {
                self.ejections_enforced_consecutive_gateway_failure()
            }
            Ejection::ConsecutiveLocalOriginFailure => {
                self.ejections_enforced_consecutive_local_origin_failure()
            }
            Ejection::SuccessRate => self.ejections_enforced_success_rate(),
            Ejection::SuccessRateLocalOrigin => self.ejections_enforced_local_origin_success_rate(),
            Ejection::FailurePercentage => self.ejections_enforced_failure_percentage(),
            Ejection::FailurePercentageLocalOrigin => {
                self.ejections_enforced_local_origin_failure_percentage()
            }
        };
        counter.inc();
    }
}
