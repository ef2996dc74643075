//! When a name is resolved again.

use nuncio_base::random::Random;
use std::time::Duration;

/// How often names are resolved (`dns_refresh_rate` and what goes with it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRefresh {
    /// After a success.
    pub rate: Duration,
    /// After a failure: the first and the longest back-off; `None`: as after a success.
    pub failure: Option<(Duration, Duration)>,
    /// Whether the records' time to live counts instead of the rate.
    pub respect_ttl: bool,
    /// A time to live that is shorter counts as this.
    pub least_ttl: Duration,
    /// Up to this much is added, at random.
    pub jitter: Duration,
}

impl Default for DnsRefresh {
    fn default() -> Self {
        Self {
            rate: Duration::from_secs(5),
            failure: None,
            respect_ttl: false,
            least_ttl: Duration::ZERO,
            jitter: Duration::ZERO,
        }
    }
}

/// Decides on the pause behind each resolution of one name.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// After a success; `ttl`: the shortest time to live among the records, if there are any.
    pub fn after_success(
        &mut self,
        refresh: &DnsRefresh,
        ttl: Option<Duration>,
        random: &mut Random,
    ) -> Duration {
        self.failures = 0;
        let ttl = ttl.filter(|ttl| refresh.respect_ttl && !ttl.is_zero());
        let ttl = ttl.map(|ttl| ttl.max(refresh.least_ttl));
        ttl.unwrap_or(refresh.rate) + below(refresh.jitter, random)
    }

    /// After a failure: anything up to a bound that doubles with each failure in a row.
    pub fn after_failure(&mut self, refresh: &DnsRefresh, random: &mut Random) -> Duration {
        let Some((base, max)) = refresh.failure else {
            return refresh.rate;
        };
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let bound = base.checked_mul(factor).unwrap_or(max).min(max);
        below(bound, random)
    }
}

/// A random time below `bound`, in milliseconds.
fn below(bound: Duration, random: &mut Random) -> Duration {
    match nuncio_base::time::millis(bound) {
        0 => Duration::ZERO,
        millis => Duration::from_millis(random.below(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        let secs = Duration::from_secs;
        let mut random = Random::seeded(1);
        let plain = DnsRefresh::default();
        let mut pauses = Pauses::default();
        assert_eq!(
            pauses.after_success(&plain, Some(secs(60)), &mut random),
            secs(5)
        );
        assert_eq!(pauses.after_failure(&plain, &mut random), secs(5));
        let all = DnsRefresh {
            failure: Some((secs(1), secs(6))),
            respect_ttl: true,
            jitter: secs(2),
            ..plain
        };
        for (ttl, from) in [(Some(60), 60), (Some(0), 5), (None, 5)] {
            for _ in 0..100 {
                let pause = pauses.after_success(&all, ttl.map(secs), &mut random);
                assert!(
                    pause >= secs(from) && pause < secs(from + 2),
                    "{ttl:?} {pause:?}"
                );
            }
        }
        let least = DnsRefresh {
            respect_ttl: true,
            least_ttl: secs(30),
            ..DnsRefresh::default()
        };
        for (ttl, pause) in [(10, 30), (40, 40), (0, 5)] {
            let ttl = Some(secs(ttl));
            assert_eq!(pauses.after_success(&least, ttl, &mut random), secs(pause));
        }
        for _ in 0..2 {
            for most in [1, 2, 4, 6, 6] {
                assert!(pauses.after_failure(&all, &mut random) < secs(most));
            }
            pauses.after_success(&all, None, &mut random);
        }
        let mut longest = Duration::ZERO;
        for _ in 0..200 {
            longest = longest.max(pauses.after_failure(&all, &mut random));
        }
        assert!(longest > secs(5) && longest < secs(6));
    }
}
