//! When paced requests are due: at random, but the same in every run, around a mean rate.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A timer with more than the millisecond that epoll itself offers.
pub struct Pace {
    timer: OwnedFd,
    gaps: Gaps,
    next: Instant,
}

impl Pace {
    /// A stopped timer, registered for edge-triggered events.
    pub fn new(rate: u32, registry: &Registry, token: Token) -> io::Result<Pace> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        let mean = Duration::from_secs(1) / rate.max(1);
        Ok(Pace {
            timer,
            gaps: Gaps { state: SEED, mean },
            next: Instant::now(),
        })
    }

    /// Begins: the first request is due after a gap from now.
    pub fn start(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.next = now + self.gaps.next();
        self.arm(self.next - now)
    }

    /// No more events.
    pub fn stop(&self) -> io::Result<()> {
        self.arm(Duration::ZERO)
    }

    /// How many requests have fallen due since the last call; sets the timer to the next one.
    pub fn due(&mut self) -> io::Result<u32> {
        let now = Instant::now();
        let mut count = 0;
        while self.next <= now {
            count += 1;
            self.next += self.gaps.next();
        }
        // Setting it also clears an expiry that was not read.
        self.arm(self.next - now)?;
        Ok(count)
    }

    /// Sets the timer; zero stops it.
    fn arm(&self, after: Duration) -> io::Result<()> {
        let value = Timespec {
            tv_sec: after.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

/// Gaps between requests, evenly spread from zero to twice the mean.
struct Gaps {
    state: u64,
    mean: Duration,
}

impl Gaps {
    fn next(&mut self) -> Duration {
        // xorshift64: any spread will do, as long as every proxy gets the same.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.mean * ((self.state >> 54) as u32) / 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_average_the_mean() {
        let mut gaps = Gaps {
            state: SEED,
            mean: Duration::from_micros(500),
        };
        let total: Duration = (0..10_000).map(|_| gaps.next()).sum();
        let mean = total.as_secs_f64() / 10_000.0;
        assert!((mean / 500e-6 - 1.0).abs() < 0.02, "{mean}");
    }
}
