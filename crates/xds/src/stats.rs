//! What every subscription counts, next to what its kind counts (Envoy's "xDS subscription
//! statistics").

use nuncio_base::hash::xx_hash64;
use nuncio_base::time::{millis, since_epoch};
use nuncio_stats::{Scope, SharedCounter, SharedGauge, SharedHistogram, SharedTextReadout, Unit};
use std::time::SystemTime;

/// A subscription's stats.
pub struct SubscriptionStats {
    pub(crate) init_fetch_timeout: SharedCounter,
    pub(crate) update_attempt: SharedCounter,
    pub(crate) update_failure: SharedCounter,
    pub(crate) update_rejected: SharedCounter,
    pub(crate) update_success: SharedCounter,
    update_time: SharedGauge,
    version: SharedGauge,
    version_text: SharedTextReadout,
    /// Nothing is measured here; held so that it is shown.
    _update_duration: SharedHistogram,
}

impl SubscriptionStats {
    /// The stats below `scope`.
    pub fn new(scope: &Scope) -> Self {
        let (update_time, version) = (scope.gauge("update_time"), scope.gauge("version"));
        update_time.set(0);
        version.set(0);
        Self {
            init_fetch_timeout: scope.counter("init_fetch_timeout"),
            update_attempt: scope.counter("update_attempt"),
            update_failure: scope.counter("update_failure"),
            update_rejected: scope.counter("update_rejected"),
            update_success: scope.counter("update_success"),
            update_time,
            version,
            version_text: scope.text_readout("version_text"),
            _update_duration: scope.histogram("update_duration", Unit::Milliseconds),
        }
    }

    /// An update of this version was accepted.
    pub fn accepted(&self, version: &str, now: SystemTime) {
        self.update_success.inc();
        self.update_time.set(millis(since_epoch(now)));
        self.version.set(xx_hash64(version.as_bytes(), 0));
        self.version_text.set(version);
    }
}
