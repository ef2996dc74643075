//! How long one check waits for the next.

use super::host_health::Transition;
use nuncio_base::random::Random;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time::millis;
use std::time::Duration;

/// The pauses between checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// While a host is healthy.
    pub healthy: Duration,
    /// While it is unhealthy.
    pub unhealthy: Duration,
    /// While successes of an unhealthy host are counted.
    pub healthy_edge: Duration,
    /// While failures of a healthy host are counted.
    pub unhealthy_edge: Duration,
    /// While the cluster has never had a connection.
    pub no_traffic: Duration,
    /// The same of a healthy host.
    pub no_traffic_healthy: Duration,
    /// Up to this is added to each pause.
    pub jitter: Duration,
    /// Up to this share of a pause is added to it, in percent.
    pub jitter_percent: u32,
    /// The first check comes within this time.
    pub initial_jitter: Duration,
}

impl Intervals {
    /// All pauses as long.
    pub fn every(interval: Duration) -> Self {
        Self {
            healthy: interval,
            unhealthy: interval,
            healthy_edge: interval,
            unhealthy_edge: interval,
            no_traffic: interval,
            no_traffic_healthy: interval,
            jitter: Duration::ZERO,
            jitter_percent: 0,
            initial_jitter: Duration::ZERO,
        }
    }

    /// The pause before the first check.
    pub(super) fn first(&self, random: &mut Random) -> Duration {
        up_to(self.initial_jitter, random)
    }

    /// The pause after a check that succeeded or failed.
    pub(super) fn next(
        &self,
        succeeded: bool,
        transition: Transition,
        has_traffic: bool,
        flags: &RuntimeFlags,
        random: &mut Random,
    ) -> Duration {
        let pending = transition == Transition::Pending;
        let base = match (has_traffic, succeeded, pending) {
            (true, false, true) => self.unhealthy_edge,
            (true, false, false) => self.unhealthy,
            (true, true, true) => self.healthy_edge,
            (true, true, false) => self.healthy,
            (false, true, false) => self.no_traffic_healthy,
            (false, _, _) => self.no_traffic,
        };
        let share = base.saturating_mul(self.jitter_percent) / 100;
        let pause = base + up_to(share, random) + up_to(self.jitter, random);
        // Zero would be a check without end.
        let least = flags.integer("health_check.min_interval", 0).max(1);
        let most = flags.integer("health_check.max_interval", u64::MAX);
        Duration::from_millis(millis(pause).min(most).max(least))
    }
}

fn up_to(limit: Duration, random: &mut Random) -> Duration {
    match millis(limit) {
        0 => Duration::ZERO,
        limit => Duration::from_millis(random.below(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_health_and_traffic() {
        let seconds = Duration::from_secs;
        let intervals = Intervals {
            healthy: seconds(1),
            unhealthy: seconds(2),
            healthy_edge: seconds(3),
            unhealthy_edge: seconds(4),
            no_traffic: seconds(60),
            no_traffic_healthy: seconds(30),
            ..Intervals::every(Duration::ZERO)
        };
        let random = &mut Random::seeded(1);
        use Transition::{Changed, Pending, Unchanged};
        for (succeeded, transition, has_traffic, expected) in [
            (true, Unchanged, true, 1),
            (true, Changed, true, 1),
            (true, Pending, true, 3),
            (false, Changed, true, 2),
            (false, Pending, true, 4),
            (true, Unchanged, false, 30),
            (true, Pending, false, 60),
            (false, Unchanged, false, 60),
        ] {
            let flags = RuntimeFlags::default();
            let pause = intervals.next(succeeded, transition, has_traffic, &flags, random);
            assert_eq!(
                pause,
                seconds(expected),
                "{succeeded} {transition:?} {has_traffic}"
            );
        }
        assert_eq!(intervals.first(random), Duration::ZERO);
    }

    #[test]
    fn jitter_adds_and_runtime_bounds() {
        use nuncio_base::runtime_flags::FlagValue;
        let second = Duration::from_secs(1);
        let intervals = Intervals {
            jitter: second,
            jitter_percent: 50,
            initial_jitter: second,
            ..Intervals::every(second)
        };
        let random = &mut Random::seeded(2);
        let none = RuntimeFlags::default();
        let pauses = (0..200).map(|_| {
            assert!(intervals.first(random) < second);
            intervals.next(true, Transition::Unchanged, true, &none, random)
        });
        let pauses: Vec<_> = pauses.collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (second..second * 5 / 2).contains(pause))
        );
        assert!(pauses.iter().any(|pause| *pause > second * 3 / 2));
        for (key, value, expected) in [
            ("health_check.max_interval", 7.0, 7),
            ("health_check.max_interval", 0.0, 1),
            ("health_check.min_interval", 9000.0, 9000),
        ] {
            let layer = [(key.to_owned(), FlagValue::Number(value))];
            let flags = RuntimeFlags::merged([&layer[..]]);
            let pause = intervals.next(true, Transition::Unchanged, true, &flags, random);
            assert_eq!(pause, Duration::from_millis(expected), "{key} {value}");
        }
    }
}
