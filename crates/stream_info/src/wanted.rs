//! Facts that cost something to find out, and are found out only once a format asks for them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether anybody in this process wants to know something.
pub struct Wanted(AtomicBool);

/// The connections' round-trip times, which the kernel is asked for (`%DOWNSTREAM_CX_RTT%`).
pub static ROUND_TRIP_TIME: Wanted = Wanted(AtomicBool::new(false));

/// How often routes were looked for, and how long that took (`%ROUTE_RESOLUTION_COUNT%`,
/// `%ROUTE_RESOLUTION_TIME_US%`).
pub static ROUTE_RESOLUTIONS: Wanted = Wanted(AtomicBool::new(false));

impl Wanted {
    /// A format that asks for it was made.
    pub fn want(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether one was made yet.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.0.load(Relaxed)
    }
}
