//! What hosts say of their load with their responses (ORCA), for policies that go by it.

use nuncio_base::HeaderMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is later than all reports counts from here.
static START: OnceLock<Instant> = OnceLock::new();

/// What one response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// The weight that this gives the host; `None` where it says too little.
    pub weight: Option<u32>,
}

/// How a policy reads reports.
pub trait LoadReports: Send + Sync + fmt::Debug {
    /// The report in a response's headers or trailers; `None` where there is none.
    fn read(&self, headers: &HeaderMap) -> Option<LoadReport>;
}

/// For how long reports count.
#[derive(Clone, Copy, Debug)]
pub struct LoadReportPeriods {
    /// For how long a host must have reported before that counts.
    pub blackout: Duration,
    /// For how long a report counts.
    pub expiration: Duration,
}

/// What a host has reported, to all workers.
#[derive(Debug, Default)]
pub struct HostLoad {
    weight: AtomicU32,
    /// Since when it reports, in milliseconds, from 1; 0: it doesn't.
    since: AtomicU64,
    updated: AtomicU64,
}

impl HostLoad {
    /// It has reported this weight.
    pub fn report(&self, weight: u32, now: Instant) {
        let now = millis(now);
        self.weight.store(weight, Relaxed);
        self.updated.store(now, Relaxed);
        // Who began to report is known from then on.
        let _ = self.since.compare_exchange(0, now, Relaxed, Relaxed);
    }

    /// The weight that it has reported, while that counts.
    pub fn weight(&self, periods: &LoadReportPeriods, now: Instant) -> Option<u32> {
        let (now, since) = (millis(now), self.since.load(Relaxed));
        let is_within = |from: u64, period: Duration| now < from + period.as_millis() as u64;
        if since == 0 || is_within(since, periods.blackout) {
            return None;
        }
        if !is_within(self.updated.load(Relaxed) + 1, periods.expiration) {
            self.since.store(0, Relaxed);
            return None;
        }
        Some(self.weight.load(Relaxed))
    }
}

fn millis(now: Instant) -> u64 {
    let start = *START.get_or_init(|| now);
    now.saturating_duration_since(start).as_millis() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_count_for_a_time() {
        let start = nuncio_base::time::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let periods = LoadReportPeriods {
            blackout: Duration::from_secs(10),
            expiration: Duration::from_secs(60),
        };
        let load = HostLoad::default();
        // When it is asked, what was reported just before, what counts.
        for (seconds, reported, counts) in [
            (0, None, None),
            (5, Some(7), None),
            (14, Some(8), None),
            (15, None, Some(8)),
            (20, Some(9), Some(9)),
            (80, None, Some(9)),
            (81, None, None),
            // From now on it is as if it had never reported.
            (82, Some(10), None),
            (91, Some(11), None),
            (92, None, Some(11)),
        ] {
            if let Some(weight) = reported {
                load.report(weight, at(seconds));
            }
            assert_eq!(load.weight(&periods, at(seconds)), counts, "{seconds}");
        }
    }
}
