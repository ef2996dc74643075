//! Puts small writes off until every connection that is ready has had its turn.
//!
//! A write to a peer that sleeps wakes it, which costs more than the write. When the writes of many
//! connections follow each other closely, the peer is still awake for all but the first.

use std::task::Context;

/// From this many bytes on there is no waiting: what was just read is still in the cache, and its
/// read block is soon free again.
const WRITE_AT_ONCE: usize = 16 * 1024;

/// Whether a connection has put a write off.
#[derive(Debug, Default)]
pub struct Gather {
    waits: bool,
}

impl Gather {
    /// Whether the `waiting` bytes are to be written in a later turn; `task` is then woken behind
    /// the tasks that are ready now. The same bytes are put off once.
    pub fn puts_off(&mut self, waiting: usize, task: &Context<'_>) -> bool {
        self.waits = !self.waits && waiting < WRITE_AT_ONCE;
        if self.waits {
            task.waker().wake_by_ref();
        }
        self.waits
    }

    /// Whether a write is put off now: its bytes stay as they are until then.
    pub fn waits(&self) -> bool {
        self.waits
    }
}
