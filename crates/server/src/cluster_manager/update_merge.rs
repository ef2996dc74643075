//! Changes of hosts' health, weight and metadata are gathered over a while before workers are told,
//! so that many at once cost what one costs (`update_merge_window`).

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What becomes of a change.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Workers are told at once.
    Now {
        /// The last time is longer ago than the window, for a change that could have waited.
        late: bool,
        /// A change that waited goes with it.
        cancelled: bool,
    },
    /// It goes with a change that waits.
    Waits,
    /// It waits until then; what takes it has this ticket.
    Begins(Instant, u64),
}

/// One cluster's changes.
#[derive(Default)]
pub(super) struct UpdateMerge {
    last: Cell<Option<Instant>>,
    /// The ticket of what waits.
    waiting: Cell<Option<u64>>,
    tickets: Cell<u64>,
}

impl UpdateMerge {
    /// A change has come. Those that bring or take hosts are not `mergeable`.
    pub fn admit(&self, now: Instant, mergeable: bool, window: Duration) -> Admission {
        let late = self
            .last
            .get()
            .is_none_or(|last| now.saturating_duration_since(last) > window);
        if late || !mergeable {
            self.last.set(Some(now));
            return Admission::Now {
                late: late && mergeable,
                cancelled: self.waiting.take().is_some(),
            };
        }
        if self.waiting.get().is_some() {
            return Admission::Waits;
        }
        let ticket = self.tickets.get() + 1;
        self.tickets.set(ticket);
        self.waiting.set(Some(ticket));
        Admission::Begins(now + window, ticket)
    }

    /// The time of what waits has come; whether it still waits.
    pub fn take(&self, now: Instant, ticket: u64) -> bool {
        let waits = self.waiting.get() == Some(ticket);
        if waits {
            self.waiting.set(None);
            self.last.set(Some(now));
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_within_the_window_go_together() {
        let start = nuncio_base::time::monotonic();
        let at = |millis| start + Duration::from_millis(millis);
        let second = Duration::from_secs(1);
        let merge = UpdateMerge::default();
        let now = |late, cancelled| Admission::Now { late, cancelled };
        assert_eq!(merge.admit(at(0), true, second), now(true, false));
        assert_eq!(
            merge.admit(at(10), true, second),
            Admission::Begins(at(1010), 1)
        );
        assert_eq!(merge.admit(at(20), true, second), Admission::Waits);
        assert!(merge.take(at(1010), 1) && !merge.take(at(1010), 1));
        assert_eq!(
            merge.admit(at(1500), true, second),
            Admission::Begins(at(2500), 2)
        );
        // A new host can't wait, and takes with it what does.
        assert_eq!(merge.admit(at(1600), false, second), now(false, true));
        assert!(!merge.take(at(2500), 2));
        assert_eq!(merge.admit(at(2601), true, second), now(true, false));
    }
}
