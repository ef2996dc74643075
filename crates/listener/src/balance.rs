//! Exact balance: each accepted connection goes to the worker that has the fewest.

use nuncio_worker::{WorkerHandle, WorkerId};
use std::sync::{Mutex, PoisonError};

/// The connections of one listener by worker, and the workers' mailboxes.
pub(crate) struct ExactBalance {
    workers: Vec<WorkerHandle>,
    // Locked once per accept and end of a connection of listeners that ask for exactness.
    counts: Mutex<Vec<u64>>,
}

impl ExactBalance {
    pub fn new(workers: Vec<WorkerHandle>) -> Self {
        Self {
            counts: Mutex::new(vec![0; workers.len()]),
            workers,
        }
    }

    /// Counts a connection for the worker with the fewest, the first of several; `None` without
    /// workers.
    pub fn pick(&self) -> Option<&WorkerHandle> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, count) = counts
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, count)| **count)?;
        *count += 1;
        self.workers.get(index)
    }

    /// A connection of that worker has ended.
    pub fn release(&self, worker: WorkerId) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.workers.iter().position(|w| w.id() == worker);
        if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
            *count -= 1;
        }
    }
}
