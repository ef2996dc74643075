//! A hashed timer wheel: O(1) to arm and cancel, one look per tick to fire (millisecond ticks).
//!
//! Deadlines that only move later need no work: the owner finds out when the entry fires, and arms
//! again. See `nuncio-worker`, which owns the wheel of a worker and drives it.

use crate::slab::{Slab, SlabKey};
use std::task::Waker;
use std::time::{Duration, Instant};

const SLOTS: usize = 4096;
const TICK: Duration = Duration::from_millis(1);

/// Names an armed timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerKey(SlabKey);

struct Entry {
    tick: u64,
    waker: Waker,
}

/// The timers of one worker. Time is given, never read.
pub struct TimerWheel {
    start: Instant,
    /// Everything at or before this tick has fired.
    done: u64,
    entries: Slab<Entry>,
    slots: Vec<Vec<SlabKey>>,
    /// No entry is due before this tick; a lower bound, so that an idle wheel sleeps long.
    soonest: u64,
}

impl TimerWheel {
    /// An empty wheel that begins at `start`.
    pub fn new(start: Instant) -> Self {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self {
            start,
            done: 0,
            entries: Slab::default(),
            slots,
            soonest: u64::MAX,
        }
    }

    /// The number of armed timers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn tick_of(&self, at: Instant) -> u64 {
        // Rounded up: a timer never fires early.
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
    }

    /// Arms a timer: `waker` is woken by the first [`fire`](Self::fire) at or after `at`.
    pub fn arm(&mut self, at: Instant, waker: Waker) -> TimerKey {
        let tick = self.tick_of(at).max(self.done + 1);
        let key = self.entries.insert(Entry { tick, waker });
        self.slots[(tick % SLOTS as u64) as usize].push(key);
        self.soonest = self.soonest.min(tick);
        TimerKey(key)
    }

    /// Disarms a timer; nothing happens where it has fired. Its place in the wheel is cleaned up
    /// when the wheel passes it.
    pub fn cancel(&mut self, key: TimerKey) {
        self.entries.remove(key.0);
    }

    /// Whether the timer is still armed.
    pub fn is_armed(&mut self, key: TimerKey) -> bool {
        self.entries.get_mut(key.0).is_some()
    }

    /// Wakes every timer due at `now`.
    pub fn fire(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.start);
        let target = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        if target <= self.done {
            return;
        }
        // A long sleep passes every slot once at most.
        let first = (self.done + 1).max(target.saturating_sub(SLOTS as u64 - 1));
        if self.soonest <= target {
            for tick in first..=target {
                self.fire_slot((tick % SLOTS as u64) as usize, target);
            }
        }
        self.done = target;
        if self.soonest <= target {
            self.soonest = self.find_soonest();
        }
    }

    fn fire_slot(&mut self, slot: usize, target: u64) {
        let entries = &mut self.entries;
        self.slots[slot].retain(|key| match entries.get_mut(*key) {
            Some(entry) if entry.tick > target => true,
            Some(_) => {
                if let Some(entry) = entries.remove(*key) {
                    entry.waker.wake();
                }
                false
            }
            None => false,
        });
    }

    fn find_soonest(&mut self) -> u64 {
        if self.entries.is_empty() {
            return u64::MAX;
        }
        for tick in self.done + 1..=self.done + SLOTS as u64 {
            if !self.slots[(tick % SLOTS as u64) as usize].is_empty() {
                return tick;
            }
        }
        self.done + SLOTS as u64
    }

    /// When [`fire`](Self::fire) should next be called; `None`: not until a timer is armed.
    pub fn next(&self) -> Option<Instant> {
        // Ticks count on for as long as the process lives: more than 32 bits after seven weeks.
        (self.soonest != u64::MAX).then(|| self.start + Duration::from_millis(self.soonest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn fires_once_never_early_at_any_distance() {
        let start = crate::time::monotonic();
        for delay_ms in [0_u64, 1, 2, 4095, 4096, 4097, 10_000, 3_600_000] {
            let mut wheel = TimerWheel::new(start);
            let count = Arc::new(Count(AtomicU32::new(0)));
            wheel.arm(
                start + Duration::from_millis(delay_ms),
                count.clone().into(),
            );
            let mut now = start;
            let mut turns = 0;
            while count.0.load(Ordering::Relaxed) == 0 {
                now = wheel.next().unwrap().max(now);
                wheel.fire(now);
                turns += 1;
                assert!(turns < 2_000, "{delay_ms}");
            }
            let late = now - start;
            assert!(
                late >= Duration::from_millis(delay_ms),
                "early: {late:?} for {delay_ms}"
            );
            assert!(
                late <= Duration::from_millis(delay_ms + 1),
                "late: {late:?} for {delay_ms}"
            );
            wheel.fire(now + Duration::from_secs(100));
            assert_eq!((count.0.load(Ordering::Relaxed), wheel.next()), (1, None));
        }
    }

    #[test]
    fn a_wheel_turns_for_years() {
        let start = crate::time::monotonic();
        for days in [49, 50, 365, 3650] {
            let mut wheel = TimerWheel::new(start);
            let now = start + Duration::from_secs(days * 24 * 3600);
            wheel.fire(now);
            let count = Arc::new(Count(AtomicU32::new(0)));
            let due = now + Duration::from_millis(500);
            wheel.arm(due, count.clone().into());
            let next = wheel.next().unwrap();
            assert!(next > now && next <= due, "after {days} days");
            wheel.fire(next);
            assert_eq!(count.0.load(Ordering::Relaxed), u32::from(next == due));
        }
    }

    #[test]
    fn a_cancelled_timer_is_silent() {
        let start = crate::time::monotonic();
        let mut wheel = TimerWheel::new(start);
        let count = Arc::new(Count(AtomicU32::new(0)));
        let a = wheel.arm(start + Duration::from_millis(5), count.clone().into());
        let b = wheel.arm(start + Duration::from_millis(5), count.clone().into());
        wheel.cancel(a);
        assert!(!wheel.is_armed(a) && wheel.is_armed(b));
        wheel.fire(start + Duration::from_millis(50));
        wheel.cancel(b);
        assert_eq!((count.0.load(Ordering::Relaxed), wheel.len()), (1, 0));
    }
}
