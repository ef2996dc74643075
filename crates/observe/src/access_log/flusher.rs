//! The thread that writes one log file.

use super::file::{Mark, Pending, Pieces, Shared, lock};
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
        merged: Vec::new(),
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
    /// What is being written; its memory goes back to the workers.
    taken: Vec<Pieces>,
    /// The pieces of several workers, in order.
    merged: Vec<u8>,
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

    /// Writes what the workers have appended, in the order in which they did.
    fn write_pending(&mut self) {
        let buffers = lock(&self.shared.buffers).clone();
        self.take(&buffers);
        drop(buffers);
        // A buffer that only this list holds belonged to a worker that is gone.
        let in_use = |buffer: &Arc<Mutex<Pending>>| {
            Arc::strong_count(buffer) > 1 || !lock(buffer).pieces.bytes.is_empty()
        };
        lock(&self.shared.buffers).retain(in_use);
        let mut filled = self.taken.iter().filter(|taken| !taken.bytes.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => return,
            (Some(only), None) => {
                let written = write(&mut self.output, &only.bytes);
                self.count(written, only.bytes.len());
            }
            (Some(_), Some(_)) => {
                merge(&self.taken, &mut self.merged);
                let written = write(&mut self.output, &self.merged);
                self.count(written, self.merged.len());
            }
        }
        self.merged.clear();
        self.merged.shrink_to(KEPT);
        for taken in &mut self.taken {
            taken.bytes.clear();
            taken.bytes.shrink_to(KEPT);
            taken.marks.clear();
            taken.marks.shrink_to(KEPT / size_of::<Mark>());
        }
    }

    /// Takes all buffers at one moment: what is appended later than anything taken stays behind.
    fn take(&mut self, buffers: &[Arc<Mutex<Pending>>]) {
        self.taken.resize_with(buffers.len(), Pieces::default);
        let mut locked: Vec<_> = buffers.iter().map(|buffer| lock(buffer)).collect();
        for (pending, taken) in locked.iter_mut().zip(&mut self.taken) {
            pending.told = false;
            std::mem::swap(&mut pending.pieces, taken);
        }
    }

    fn count(&self, written: io::Result<()>, bytes: usize) {
        match written {
            Ok(()) => self.stats.write_completed().inc(),
            Err(_) => self.stats.write_failed().inc(),
        }
        self.stats.write_total_buffered().sub(bytes as u64);
    }

    fn reopen(&mut self) {
        self.output = None;
        match self.shared.destination.open() {
            Ok(output) => self.output = Some(output),
            Err(_) => self.stats.reopen_failed().inc(),
        }
    }
}

/// Puts the pieces of several workers in the order of their times.
fn merge(taken: &[Pieces], merged: &mut Vec<u8>) {
    let mut runs: Vec<(Instant, &[u8])> = Vec::new();
    for pieces in taken {
        let mut begin = 0;
        for mark in &pieces.marks {
            runs.push((mark.time, &pieces.bytes[begin..mark.end]));
            begin = mark.end;
        }
    }
    // Stable: pieces of one worker stay in their order.
    runs.sort_by_key(|(time, _)| *time);
    runs.iter()
        .for_each(|(_, run)| merged.extend_from_slice(run));
}

fn write(output: &mut Option<Output>, bytes: &[u8]) -> io::Result<()> {
    match output {
        None => Err(io::ErrorKind::NotFound.into()),
        Some(Output::File(file)) => file.write_all(bytes),
        Some(Output::Stdout) => write_and_flush(&mut io::stdout().lock(), bytes),
        Some(Output::Stderr) => write_and_flush(&mut io::stderr().lock(), bytes),
    }
}

fn write_and_flush(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
