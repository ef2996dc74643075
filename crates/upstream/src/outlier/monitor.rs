//! Counts one host's answers, on whatever worker they come.

use super::spec::{Ejection, OutlierSpec};
use nuncio_base::runtime_flags::RuntimeFlags;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// What became of an attempt, where there is no status to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutlierResult {
    /// There is a connection; whatever is spoken on it is still to come.
    Connected,
    /// There is a connection, and nothing more will be known of it.
    ConnectedFinal,
    /// There was no connection, or it broke.
    ConnectFailed,
    /// There was no answer in time; with the status made for that.
    Timeout(u16),
}

/// Requests of one interval.
#[derive(Default, Debug)]
struct Bucket {
    total: AtomicU64,
    successes: AtomicU64,
}

impl Bucket {
    fn count(&self, success: bool) {
        self.total.fetch_add(1, Relaxed);
        if success {
            self.successes.fetch_add(1, Relaxed);
        }
    }

    fn take(&self) -> (u64, u64) {
        let total = self.total.swap(0, Relaxed);
        (total, self.successes.swap(0, Relaxed).min(total))
    }
}

/// The counts of one host.
#[derive(Debug)]
pub struct OutlierMonitor {
    spec: Arc<OutlierSpec>,
    consecutive_5xx: AtomicU32,
    gateway_failures: AtomicU32,
    local_failures: AtomicU32,
    external: Bucket,
    local: Bucket,
}

impl OutlierMonitor {
    /// Nothing counted yet.
    pub(crate) fn new(spec: &Arc<OutlierSpec>) -> Self {
        Self {
            spec: Arc::clone(spec),
            consecutive_5xx: AtomicU32::new(0),
            gateway_failures: AtomicU32::new(0),
            local_failures: AtomicU32::new(0),
            external: Bucket::default(),
            local: Bucket::default(),
        }
    }

    /// A response came. `found` is told of each reason to eject the host.
    pub(crate) fn put_status(&self, status: u16, flags: &RuntimeFlags, found: impl Fn(Ejection)) {
        let fails = (500..600).contains(&status);
        self.external.count(!fails);
        if !fails {
            self.consecutive_5xx.store(0, Relaxed);
            self.gateway_failures.store(0, Relaxed);
            return;
        }
        let spec = &self.spec;
        if matches!(status, 502..=504) {
            let key = "outlier_detection.consecutive_gateway_failure";
            let limit = flags.integer(key, spec.consecutive_gateway_failure.into());
            if is_reached(&self.gateway_failures, limit) {
                found(Ejection::ConsecutiveGatewayFailure);
            }
        } else {
            self.gateway_failures.store(0, Relaxed);
        }
        let limit = flags.integer(
            "outlier_detection.consecutive_5xx",
            spec.consecutive_5xx.into(),
        );
        if is_reached(&self.consecutive_5xx, limit) {
            found(Ejection::Consecutive5xx);
        }
    }

    /// Something other than a response. Where origins are not split it counts as a status.
    pub(crate) fn put_result(
        &self,
        result: OutlierResult,
        flags: &RuntimeFlags,
        found: impl Fn(Ejection),
    ) {
        if self.spec.split_external_local_origin_errors {
            let success = match result {
                OutlierResult::Connected | OutlierResult::ConnectedFinal => true,
                OutlierResult::ConnectFailed | OutlierResult::Timeout(_) => false,
            };
            return self.put_local(success, flags, found);
        }
        match result {
            OutlierResult::Connected => {}
            OutlierResult::ConnectedFinal => self.put_status(200, flags, found),
            OutlierResult::ConnectFailed => self.put_status(503, flags, found),
            OutlierResult::Timeout(status) => self.put_status(status, flags, found),
        }
    }

    fn put_local(&self, success: bool, flags: &RuntimeFlags, found: impl Fn(Ejection)) {
        self.local.count(success);
        if success {
            return self.local_failures.store(0, Relaxed);
        }
        let key = "outlier_detection.consecutive_local_origin_failure";
        let limit = flags.integer(key, self.spec.consecutive_local_origin_failure.into());
        if is_reached(&self.local_failures, limit) {
            found(Ejection::ConsecutiveLocalOriginFailure);
        }
    }

    /// Begins to count anew what leads to this ejection.
    pub(super) fn reset(&self, ejection: Ejection) {
        let counter = match ejection {
            Ejection::Consecutive5xx => &self.consecutive_5xx,
            Ejection::ConsecutiveGatewayFailure => &self.gateway_failures,
            Ejection::ConsecutiveLocalOriginFailure => &self.local_failures,
            _ => return,
        };
        counter.store(0, Relaxed);
    }

    /// Begins to count anew everything that comes in a row.
    pub(super) fn reset_all(&self) {
        for counter in [
            &self.consecutive_5xx,
            &self.gateway_failures,
            &self.local_failures,
        ] {
            counter.store(0, Relaxed);
        }
    }

    /// Requests and successes since the last call: of the host itself, and of connecting to it.
    pub(super) fn take_counts(&self) -> [(u64, u64); 2] {
        [self.external.take(), self.local.take()]
    }
}

fn is_reached(counter: &AtomicU32, limit: u64) -> bool {
    u64::from(counter.fetch_add(1, Relaxed)) + 1 == limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn found(spec: OutlierSpec, put: impl Fn(&OutlierMonitor, &dyn Fn(Ejection))) -> Vec<Ejection> {
        let monitor = OutlierMonitor::new(&Arc::new(spec));
        let found = RefCell::new(Vec::new());
        put(&monitor, &|ejection| found.borrow_mut().push(ejection));
        found.into_inner()
    }

    #[test]
    fn failures_in_a_row_are_found_once() {
        use Ejection::{Consecutive5xx as Server, ConsecutiveGatewayFailure as Gateway};
        for (statuses, expected) in [
            (&[500, 500, 200, 500, 500, 500, 500][..], &[Server][..]),
            (&[502, 503, 500, 504, 502], &[Gateway, Server, Gateway]),
            (&[404, 599, 599, 600, 599], &[]),
        ] {
            let spec = OutlierSpec {
                consecutive_5xx: 3,
                consecutive_gateway_failure: 2,
                ..OutlierSpec::default()
            };
            let flags = RuntimeFlags::default();
            let found = found(spec, |monitor, found| {
                for status in statuses {
                    monitor.put_status(*status, &flags, found);
                }
            });
            assert_eq!(found, expected, "{statuses:?}");
        }
    }

    #[test]
    fn connecting_is_told_apart_where_that_is_asked_for() {
        use OutlierResult::{ConnectFailed, Connected, ConnectedFinal, Timeout};
        for (split, results, expected) in [
            (false, [ConnectFailed, Connected, ConnectFailed], 1),
            (false, [ConnectFailed, ConnectedFinal, ConnectFailed], 0),
            (false, [Timeout(504), Connected, Timeout(204)], 0),
            (true, [ConnectFailed, Connected, ConnectFailed], 0),
            (true, [Connected, ConnectFailed, Timeout(504)], 1),
        ] {
            let spec = OutlierSpec {
                split_external_local_origin_errors: split,
                consecutive_5xx: 2,
                consecutive_local_origin_failure: 2,
                ..OutlierSpec::default()
            };
            let flags = RuntimeFlags::default();
            let found = found(spec, |monitor, found| {
                for result in results {
                    monitor.put_result(result, &flags, found);
                }
                let [external, local] = monitor.take_counts();
                assert_eq!((external.0 > 0, local.0 > 0), (!split, split));
            });
            assert_eq!(found.len(), expected, "{split} {results:?}");
        }
    }
}
