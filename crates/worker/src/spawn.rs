//! Starts workers: a thread and an event loop each, and main's own loop.

use crate::mailbox::{Message, WorkerHandle};
use crate::timer::Timers;
use crate::worker::{Worker, WorkerId};
use nuncio_base::random::Random;
use std::io;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// A running worker thread.
pub struct WorkerThread {
    handle: WorkerHandle,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerThread {
    /// Starts worker `index`.
    ///
    /// # Errors
    /// When the thread, its event loop or its randomness can't be had.
    pub fn start(index: u32) -> io::Result<Self> {
        let (handle, receiver) = WorkerHandle::new(WorkerId::Worker(index));
        let (stop, stopped) = watch::channel(false);
        let random = Random::from_system()?;
        let own = handle.clone();
        let (started, ready) = std::sync::mpsc::channel();
        // Linux shows at most 15 characters: as Envoy, `wrk:worker_0`.
        let thread = std::thread::Builder::new()
            .name(format!("wrk:worker_{index}"))
            .spawn(move || match local_runtime() {
                Ok(runtime) => {
                    // The starter waits for this answer, so it is there.
                    let _ = started.send(Ok(()));
                    run_worker(own, receiver, stopped, random, &runtime);
                }
                Err(error) => drop(started.send(Err(error))),
            })?;
        ready.recv().map_err(io::Error::other)??;
        Ok(Self {
            handle,
            stop,
            thread: Some(thread),
        })
    }

    /// The worker's mailbox.
    pub fn handle(&self) -> &WorkerHandle {
        &self.handle
    }

    /// Ends the worker: its connections are dropped, its thread has ended on return.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        // A worker that has ended by itself listens no more.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            nuncio_base::bug!("a worker thread panicked");
        }
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.join();
    }
}

/// Runs `main` on this thread as the main worker, with its own event loop.
///
/// # Errors
/// When the event loop or randomness can't be had.
pub fn run_main<T, F: Future<Output = T>>(main: impl FnOnce(Rc<Worker>) -> F) -> io::Result<T> {
    let (handle, receiver) = WorkerHandle::new(WorkerId::Main);
    let runtime = local_runtime()?;
    let random = Random::from_system()?;
    Ok(runtime.block_on(async {
        let worker = Worker::new(handle, random);
        worker.spawn(Timers::drive(Rc::clone(&worker)));
        worker.spawn(Rc::clone(&worker).run_late());
        worker.spawn(drain_mailbox(Rc::clone(&worker), receiver));
        main(worker).await
    }))
}

fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}

fn run_worker(
    handle: WorkerHandle,
    receiver: UnboundedReceiver<Message>,
    mut stopped: watch::Receiver<bool>,
    random: Random,
    runtime: &LocalRuntime,
) {
    runtime.block_on(async {
        let worker = Worker::new(handle, random);
        worker.spawn(Timers::drive(Rc::clone(&worker)));
        worker.spawn(Rc::clone(&worker).run_late());
        worker.spawn(drain_mailbox(Rc::clone(&worker), receiver));
        // The root future does nothing but wait: a wake through it costs three times a task's.
        let _ = stopped.wait_for(|stop| *stop).await;
    });
}

/// For how long messages are taken before connections have their turn: ten thousand clusters that
/// change at once are as many messages.
const MAILBOX_TURN: Duration = Duration::from_micros(200);

async fn drain_mailbox(worker: Rc<Worker>, mut receiver: UnboundedReceiver<Message>) {
    let mut turn_ends = worker.now();
    loop {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(_) => match receiver.recv().await {
                Some(message) => {
                    worker.tick();
                    turn_ends = worker.now() + MAILBOX_TURN;
                    message
                }
                None => return,
            },
        };
        worker.tick();
        if worker.now() > turn_ends {
            tokio::task::yield_now().await;
            worker.tick();
            turn_ends = worker.now() + MAILBOX_TURN;
        }
        message(&worker);
    }
}
