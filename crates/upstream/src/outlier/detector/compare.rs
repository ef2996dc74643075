//! Finds hosts whose success rates are worse than others', or too bad.

use super::OutlierDetector;
use crate::outlier::{Ejection, SuccessRates};
use nuncio_base::runtime_flags::RuntimeFlags;

impl OutlierDetector {
    /// Compares the hosts' success rates. `counts` are requests and successes, `local` says whether
    /// of connecting.
    pub(super) fn compare(&self, counts: &[(u64, (u64, u64))], local: bool, flags: &RuntimeFlags) {
        let spec = &self.spec;
        let integer = |key: &str, default: u32| flags.integer(key, default.into());
        let rate_hosts = integer(
            "outlier_detection.success_rate_minimum_hosts",
            spec.success_rate_minimum_hosts,
        );
        let rate_volume = integer(
            "outlier_detection.success_rate_request_volume",
            spec.success_rate_request_volume,
        );
        let failure_hosts = integer(
            "outlier_detection.failure_percentage_minimum_hosts",
            spec.failure_percentage_minimum_hosts,
        );
        let failure_volume = integer(
            "outlier_detection.failure_percentage_request_volume",
            spec.failure_percentage_request_volume,
        );
        self.set_rates(local, SuccessRates::default());
        if (counts.len() as u64) < rate_hosts.min(failure_hosts) {
            return;
        }
        let rated = self.rate(counts, local, rate_volume.min(failure_volume));
        let enough = |volume: u64| rated.iter().filter(move |rated| rated.1 >= volume);
        let rates: Vec<f64> = enough(rate_volume).map(|rated| rated.2).collect();
        if !rates.is_empty() && rates.len() as u64 >= rate_hosts {
            let key = "outlier_detection.success_rate_stdev_factor";
            let factor = integer(key, spec.success_rate_stdev_factor) as f64 / 1000.0;
            let found = SuccessRates::of(&rates, factor);
            self.set_rates(local, found);
            let ejection = match local {
                false => Ejection::SuccessRate,
                true => Ejection::SuccessRateLocalOrigin,
            };
            for (id, _, rate) in enough(rate_volume) {
                if *rate < found.ejection_threshold {
                    self.stats.count_detected(ejection);
                    let rates = [*rate, found.average, found.ejection_threshold];
                    self.eject(*id, ejection, rates);
                }
            }
        }
        let failing = enough(failure_volume).count() as u64;
        if failing == 0 || failing < failure_hosts {
            return;
        }
        let key = "outlier_detection.failure_percentage_threshold";
        let threshold = integer(key, spec.failure_percentage_threshold) as f64;
        let ejection = match local {
            false => Ejection::FailurePercentage,
            true => Ejection::FailurePercentageLocalOrigin,
        };
        for (id, _, rate) in enough(failure_volume) {
            if 100.0 - rate >= threshold {
                self.stats.count_detected(ejection);
                self.eject(*id, ejection, [*rate, -1.0, -1.0]);
            }
        }
    }

    /// The hosts that are not ejected and had requests: number, requests, success rate in percent.
    fn rate(
        &self,
        counts: &[(u64, (u64, u64))],
        local: bool,
        shown_from: u64,
    ) -> Vec<(u64, u64, f64)> {
        let mut hosts = self.hosts.borrow_mut();
        let mut rated = Vec::new();
        for (id, (total, successes)) in counts {
            let watched = hosts.get_mut(id).filter(|watched| !watched.is_ejected());
            let Some(watched) = watched.filter(|_| *total > 0) else {
                continue;
            };
            let rate = *successes as f64 * 100.0 / *total as f64;
            if *total >= shown_from {
                watched.rates[usize::from(local)] = rate;
            }
            rated.push((*id, *total, rate));
        }
        rated
    }

    fn set_rates(&self, local: bool, found: SuccessRates) {
        let mut rates = self.rates.get();
        rates[usize::from(local)] = found;
        self.rates.set(rates);
    }
}
