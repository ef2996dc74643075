//! The thread that writes one log file.

use super::file::{Pending, Shared, lock};
use super::manager::{FilesystemStats, Output};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The thread does nothing but write: it needs little stack.
const STACK: usize = 128 * 1024;

/// Buffers that grew beyond this while the destination was slow are given back.
const KEPT: usize = 1024 * 1024;

pub(super) fn start(shared: Arc<Shared>, output: Output) {
    let thread = std::thread::Builder::new()
        .name("accesslog".to_owned())
        .stack_size(STACK);
    let own = Arc::clone(&shared);
    if thread.spawn(move || run(&own, output)).is_err() {
        // Lines pile up to their bound and are counted as failed; a shutdown must not wait.
        lock(&shared.orders).ended = true;
    }
}

fn run(shared: &Shared, output: Output) {
    let mut flusher = Flusher {
        shared,
        stats: shared.stats.local(),
        output: Some(output),
        taken: Vec::new(),
    };
    let mut deadline = nuncio_base::time::monotonic() + shared.settings.interval;
    loop {
        let orders = flusher.wait(&mut deadline);
        flusher.write_pending();
        if orders.reopen {
            flusher.reopen();
        }
        if orders.exit {
            break;
        }
    }
    lock(&shared.orders).ended = true;
    shared.changed.notify_all();
}

/// What is to be done now.
struct Now {
    reopen: bool,
    exit: bool,
}

struct Flusher<'a> {
    shared: &'a Shared,
    stats: FilesystemStats,
    /// `None` after a reopen that failed: lines are dropped until one succeeds.
    output: Option<Output>,
    /// The buffer whose content is being written; its memory goes back to a worker.
    taken: Vec<u8>,
}

impl Flusher<'_> {
    /// Waits for an order or the time to flush.
    fn wait(&self, deadline: &mut Instant) -> Now {
        let mut orders = lock(&self.shared.orders);
        loop {
            let now = nuncio_base::time::monotonic();
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                self.stats.flushed_by_timer().inc();
                *deadline = now + self.shared.settings.interval;
            }
            if left.is_zero() || orders.flush || orders.reopen || orders.exit {
                orders.flush = false;
                return Now {
                    reopen: std::mem::take(&mut orders.reopen),
                    exit: orders.exit,
                };
            }
            let waited = self.shared.changed.wait_timeout(orders, left);
            orders = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what the workers have appended.
    fn write_pending(&mut self) {
        let buffers = lock(&self.shared.buffers).clone();
        for buffer in &buffers {
            let mut pending = lock(buffer);
            pending.told = false;
            if pending.bytes.is_empty() {
                continue;
            }
            std::mem::swap(&mut pending.bytes, &mut self.taken);
            drop(pending);
            self.write_taken();
        }
        drop(buffers);
        // A buffer that only this list holds belonged to a worker that is gone.
        let in_use = |buffer: &Arc<Mutex<Pending>>| {
            Arc::strong_count(buffer) > 1 || !lock(buffer).bytes.is_empty()
        };
        lock(&self.shared.buffers).retain(in_use);
    }

    fn write_taken(&mut self) {
        let written = match &mut self.output {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Output::File(file)) => file.write_all(&self.taken),
            Some(Output::Stdout) => write_and_flush(&mut io::stdout().lock(), &self.taken),
            Some(Output::Stderr) => write_and_flush(&mut io::stderr().lock(), &self.taken),
        };
        match written {
            Ok(()) => self.stats.write_completed().inc(),
            Err(_) => self.stats.write_failed().inc(),
        }
        self.stats
            .write_total_buffered()
            .sub(self.taken.len() as u64);
        self.taken.clear();
        self.taken.shrink_to(KEPT);
    }

    fn reopen(&mut self) {
        self.output = None;
        match self.shared.destination.open() {
            Ok(output) => self.output = Some(output),
            Err(_) => self.stats.reopen_failed().inc(),
        }
    }
}

fn write_and_flush(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
