//! Slow start: a host that has just become healthy gets a small share of traffic first, and more
//! as time goes (Envoy's "Slow start mode").

use crate::health::Health;
use crate::host::Host;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How hosts start slowly (`SlowStartConfig`).
#[derive(Clone, Debug)]
pub struct SlowStartSettings {
    /// For how long.
    pub window: Duration,
    /// How much faster than linearly traffic grows.
    pub aggression: f64,
    /// The runtime flag that overrides that; empty for none.
    pub aggression_key: Arc<str>,
    /// The least share of a host's weight, 0 to 1.
    pub min_weight: f64,
}

/// The same on a worker.
pub(super) struct SlowStart {
    pub settings: SlowStartSettings,
    pub worker: Rc<Worker>,
}

impl SlowStart {
    /// Whether any of these hosts is in its window.
    pub fn begins(&self, hosts: &[Arc<Host>]) -> bool {
        let now = self.worker.now();
        hosts
            .iter()
            .any(|host| self.settings.time(host, now).is_some())
    }

    /// The share of its weight that a host has now.
    pub fn share(&self, host: &Host) -> f64 {
        let settings = &self.settings;
        let Some(time) = settings.time(host, self.worker.now()) else {
            return 1.0;
        };
        let key = &settings.aggression_key;
        let aggression = match self.worker.flags().number(key, settings.aggression) {
            number if number > 0.0 => number,
            _ => 1.0,
        };
        settings.share(time, aggression)
    }
}

impl SlowStartSettings {
    /// For how long a host has been healthy, where that is less than the window.
    fn time(&self, host: &Host, now: Instant) -> Option<Duration> {
        let time = now.saturating_duration_since(host.healthy_since()?);
        (host.health() == Health::Healthy && time < self.window).then_some(time)
    }

    fn share(&self, time: Duration, aggression: f64) -> f64 {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let linear = millis(time).max(1.0) / millis(self.window);
        linear.powf(1.0 / aggression).max(self.min_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_with_time() {
        let settings = SlowStartSettings {
            window: Duration::from_secs(10),
            aggression: 1.0,
            aggression_key: "".into(),
            min_weight: 0.1,
        };
        for (seconds, aggression, expected) in [
            (0, 1.0, 0.1),
            (1, 1.0, 0.1),
            (5, 1.0, 0.5),
            (9, 1.0, 0.9),
            (5, 2.0, 0.5_f64.sqrt()),
            (5, 0.5, 0.25),
        ] {
            let share = settings.share(Duration::from_secs(seconds), aggression);
            assert!(
                (share - expected).abs() < 1e-9,
                "{seconds} {aggression}: {share}"
            );
        }
    }
}
