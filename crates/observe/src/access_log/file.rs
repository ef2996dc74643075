//! One log file: buffers that workers append to, and a thread that empties them.
//!
//! Each worker has a buffer of its own. Its lock is contended only in the moment in which the
//! thread takes the buffer's content, so that a line costs no more than its formatting; disks
//! and pipes are waited for by the thread alone.

use super::flusher;
use super::manager::{Destination, FilesystemStats, FlushSettings, Output};
use nuncio_stats::{Group, Store};
use nuncio_worker::Worker;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A worker's buffer grows to this while a destination is slow; then lines are dropped and
/// counted as `write_failed`.
pub(super) const MAX_BUFFERED: usize = 8 * 1024 * 1024;

pub(super) fn stat_groups(store: &Store) -> Group<FilesystemStats> {
    store.scope("filesystem").group()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks stays whole: nothing that can panic is done to it in parts.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pieces of one turn of a worker: where they end, and the turn's time.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) end: usize,
    pub(super) time: Instant,
}

/// Pieces of a worker, one behind the other.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) bytes: Vec<u8>,
    /// In order; by them the thread puts the pieces of several workers in order.
    pub(super) marks: Vec<Mark>,
}

impl Pieces {
    /// What they take of a buffer's bound.
    fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.marks.as_slice())
    }

    /// Notes that what was appended is of `time`.
    fn mark(&mut self, time: Instant) {
        let end = self.bytes.len();
        match self.marks.last_mut() {
            Some(last) if last.time == time => last.end = end,
            _ => self.marks.push(Mark { end, time }),
        }
    }
}

/// What a worker has written and the thread hasn't taken.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) pieces: Pieces,
    /// Whether the thread was told already.
    pub(super) told: bool,
}

/// What the thread is asked for.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) flush: bool,
    pub(super) reopen: bool,
    pub(super) exit: bool,
    pub(super) ended: bool,
}

/// What workers and the thread share.
pub(super) struct Shared {
    pub(super) destination: Destination,
    pub(super) settings: FlushSettings,
    pub(super) stats: Group<FilesystemStats>,
    pub(super) buffers: Mutex<Vec<Arc<Mutex<Pending>>>>,
    pub(super) orders: Mutex<Orders>,
    /// Signals every change of `orders`.
    pub(super) changed: Condvar,
}

impl Shared {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut lock(&self.orders));
        self.changed.notify_all();
    }
}

/// A log file.
pub struct AccessLogFile {
    shared: Arc<Shared>,
    /// Opened with the file; the thread takes it when it starts.
    output: Mutex<Option<Output>>,
}

impl AccessLogFile {
    pub(super) fn open(
        destination: &Destination,
        settings: FlushSettings,
        stats: Group<FilesystemStats>,
    ) -> Result<Arc<Self>, String> {
        let output = destination.open()?;
        let shared = Arc::new(Shared {
            destination: destination.clone(),
            settings,
            stats,
            buffers: Mutex::default(),
            orders: Mutex::default(),
            changed: Condvar::new(),
        });
        Ok(Arc::new(Self {
            shared,
            output: Mutex::new(Some(output)),
        }))
    }

    /// The worker's end of this file: the same one for all logs of a worker, which keeps their
    /// lines in order.
    pub fn local(&self, worker: &Rc<Worker>) -> Rc<LocalFile> {
        let files: Rc<LocalFiles> = worker.services().get_or_default();
        let mut files = files.0.borrow_mut();
        let same = |local: &&Rc<LocalFile>| Arc::ptr_eq(&local.shared, &self.shared);
        if let Some(local) = files.iter().find(same) {
            return Rc::clone(local);
        }
        // A worker's files go when nothing logs to them any more.
        files.retain(|local| Rc::strong_count(local) > 1);
        let local = Rc::new(self.local_file());
        files.push(Rc::clone(&local));
        local
    }

    pub(super) fn local_file(&self) -> LocalFile {
        LocalFile {
            pending: self.pending(),
            stats: self.shared.stats.local(),
            first: Cell::new(true),
            shared: Arc::clone(&self.shared),
        }
    }

    /// An end of this file for all threads.
    pub fn shared(&self) -> SharedFile {
        SharedFile {
            pending: self.pending(),
            first: AtomicBool::new(true),
            shared: Arc::clone(&self.shared),
        }
    }

    /// A buffer that the thread, which is started with the first, will look at.
    fn pending(&self) -> Arc<Mutex<Pending>> {
        if let Some(output) = lock(&self.output).take() {
            flusher::start(Arc::clone(&self.shared), output);
        }
        let pending = Arc::<Mutex<Pending>>::default();
        lock(&self.shared.buffers).push(Arc::clone(&pending));
        pending
    }

    pub(super) fn reopen(&self) {
        self.shared.order(|orders| orders.reopen = true);
    }

    pub(super) fn begin_shutdown(&self) {
        // Without a thread nothing was ever written.
        let never_started = lock(&self.output).take().is_some();
        self.shared.order(|orders| {
            orders.exit = true;
            orders.ended |= never_started;
        });
    }

    /// Waits until the thread has ended; whether it has.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut orders = lock(&self.shared.orders);
        while !orders.ended {
            let left = deadline.saturating_duration_since(nuncio_base::time::monotonic());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(orders, left);
            orders = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// The log files of one worker.
#[derive(Default)]
struct LocalFiles(RefCell<Vec<Rc<LocalFile>>>);

/// A worker's end of a log file.
pub struct LocalFile {
    pending: Arc<Mutex<Pending>>,
    stats: FilesystemStats,
    first: Cell<bool>,
    shared: Arc<Shared>,
}

impl LocalFile {
    /// Appends what `write` appends to its argument, as one piece of the turn that began at `now`.
    /// Does not wait for the destination; drops the piece if too much is waiting for it.
    pub fn append(&self, now: Instant, write: impl FnOnce(&mut Vec<u8>)) {
        let is_first = || self.first.replace(false);
        append(
            &self.shared,
            &self.pending,
            &self.stats,
            is_first,
            now,
            write,
        );
    }
}

/// An end of a log file for all threads, for what is seldom written.
pub struct SharedFile {
    pending: Arc<Mutex<Pending>>,
    first: AtomicBool,
    shared: Arc<Shared>,
}

impl SharedFile {
    /// As [`LocalFile::append`], at the present time.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let is_first = || self.first.swap(false, Ordering::Relaxed);
        let (stats, now) = (self.shared.stats.local(), nuncio_base::time::monotonic());
        append(&self.shared, &self.pending, &stats, is_first, now, write);
    }
}

fn append(
    shared: &Shared,
    pending: &Mutex<Pending>,
    stats: &FilesystemStats,
    is_first: impl FnOnce() -> bool,
    now: Instant,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let mut pending = lock(pending);
    if pending.pieces.size() >= MAX_BUFFERED {
        stats.write_failed().inc();
        return;
    }
    let before = pending.pieces.bytes.len();
    write(&mut pending.pieces.bytes);
    pending.pieces.mark(now);
    let after = pending.pieces.bytes.len();
    // The first line is written at once, as in Envoy: who looks for it need not wait.
    let due = is_first() || after >= shared.settings.min_size;
    let tell = due && !pending.told;
    pending.told |= due;
    drop(pending);
    stats.write_buffered().inc();
    stats.write_total_buffered().add((after - before) as u64);
    if tell {
        shared.order(|orders| orders.flush = true);
    }
}
