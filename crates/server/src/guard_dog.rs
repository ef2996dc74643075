//! Watches that the event loops turn (Envoy's watchdog, with its default timeouts): a thread leaves
//! a message with each of them, and counts where it lies too long.

use nuncio_base::time;
use nuncio_stats::{Scope, SharedCounter, Store};
use nuncio_worker::{WorkerHandle, WorkerId};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// `miss_timeout`: a loop that does not turn for so long counts a miss.
const MISS: Duration = Duration::from_millis(200);

/// `megamiss_timeout`: and a mega miss after this.
const MEGA_MISS: Duration = Duration::from_secs(1);

/// How often it looks: as Envoy, half of the shortest timeout.
const INTERVAL: Duration = Duration::from_millis(100);

/// The thread that watches; it ends when this is dropped.
pub struct GuardDog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GuardDog {
    /// Begins to watch. Its stats are there when this returns.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(main: WorkerHandle, workers: &[WorkerHandle], store: &Store) -> io::Result<Self> {
        let watch = |handle: WorkerHandle| Watched::new(handle, store, time::monotonic());
        let mut watched: Vec<_> = workers.iter().cloned().map(watch).collect();
        watched.push(watch(main));
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("dog:watches".to_owned())
            .spawn(move || run(&mut watched, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for GuardDog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            nuncio_base::bug!("the watchdog thread panicked");
        }
    }
}

fn run(watched: &mut [Watched], stopped: &Receiver<()>) {
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        for one in &mut *watched {
            one.step(time::monotonic());
        }
    }
}

/// Misses of one loop, and of all loops of its kind.
struct Misses {
    miss: [SharedCounter; 2],
    mega_miss: [SharedCounter; 2],
}

impl Misses {
    fn new(id: WorkerId, store: &Store) -> Self {
        let (kind, name) = match id {
            WorkerId::Main => ("main_thread", "server.main_thread".to_owned()),
            WorkerId::Worker(index) => ("workers", format!("server.worker_{index}")),
        };
        let scopes = [store.scope(kind), store.scope(&name)];
        let counters = |name| scopes.each_ref().map(|scope: &Scope| scope.counter(name));
        Self {
            miss: counters("watchdog_miss"),
            mega_miss: counters("watchdog_mega_miss"),
        }
    }
}

/// One loop.
struct Watched {
    handle: WorkerHandle,
    /// Set by the loop when it takes the message; there is never more than one.
    touched: Arc<AtomicBool>,
    asked: Instant,
    missed: bool,
    mega_missed: bool,
    misses: Misses,
}

impl Watched {
    fn new(handle: WorkerHandle, store: &Store, now: Instant) -> Self {
        let misses = Misses::new(handle.id(), store);
        let watched = Self {
            handle,
            touched: Arc::default(),
            asked: now,
            missed: false,
            mega_missed: false,
            misses,
        };
        watched.ask();
        watched
    }

    fn ask(&self) {
        let touched = Arc::clone(&self.touched);
        self.handle
            .post(move |_| touched.store(true, Ordering::Relaxed));
    }

    fn step(&mut self, now: Instant) {
        if self.touched.swap(false, Ordering::Relaxed) {
            (self.missed, self.mega_missed, self.asked) = (false, false, now);
            return self.ask();
        }
        let late = now.saturating_duration_since(self.asked);
        if late > MISS && !self.missed {
            self.missed = true;
            self.misses.miss.iter().for_each(SharedCounter::inc);
        }
        if late > MEGA_MISS && !self.mega_missed {
            self.mega_missed = true;
            self.misses.mega_miss.iter().for_each(SharedCounter::inc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_worker::WorkerThread;

    #[test]
    fn a_loop_that_stands_still_is_counted_once() {
        let store = Store::default();
        let thread = WorkerThread::start(3).unwrap();
        let (go, wait) = channel::<()>();
        thread.handle().post(move |_| {
            let _ = wait.recv();
        });
        let start = time::monotonic();
        let mut watched = Watched::new(thread.handle().clone(), &store, start);
        // Milliseconds since the start, then misses and mega misses so far.
        let cases = [
            (100, 0, 0),
            (250, 1, 0),
            (900, 1, 0),
            (1100, 1, 1),
            (5000, 1, 1),
        ];
        for (millis, miss, mega_miss) in cases {
            watched.step(start + Duration::from_millis(millis));
            for scope in ["workers", "server.worker_3"] {
                let value = |name| store.counter_value(&format!("{scope}.{name}"));
                assert_eq!(value("watchdog_miss"), Some(miss), "{scope} {millis}");
                assert_eq!(
                    value("watchdog_mega_miss"),
                    Some(mega_miss),
                    "{scope} {millis}"
                );
            }
        }
        drop(go);
        while !watched.touched.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        watched.step(start + Duration::from_secs(6));
        assert!(!watched.missed);
        thread.stop();
    }
}
