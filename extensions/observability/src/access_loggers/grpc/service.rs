//! The access log service: a stream per worker, opened with the first entries and again after it
//! has ended.

use super::batch::{Batch, BatchSettings};
use nuncio_grpc::{GrpcClient, GrpcEvent, GrpcService, GrpcStream};
use nuncio_stats::{Scope, SharedCounter};
use nuncio_worker::{Timer, Worker};
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const METHOD: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// How much of what was sent the service may leave unread, in bytes, before entries wait.
const UNSENT: usize = 1 << 20;

/// What entries are of: which field of the message they are in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EntryKind {
    /// `http_logs`
    Http = 2,
    /// `tcp_logs`
    Tcp = 3,
}

/// `access_logs.grpc_access_log.`
pub struct LogStats {
    logs_dropped: SharedCounter,
    logs_written: SharedCounter,
}

impl LogStats {
    /// The stats of all services together.
    pub fn new(root: &Scope) -> Self {
        let scope = root.scope("access_logs.grpc_access_log");
        Self {
            logs_dropped: scope.counter("logs_dropped"),
            logs_written: scope.counter("logs_written"),
        }
    }
}

/// A service as configured; loggers with the same configuration share it.
pub struct LogService {
    number: u64,
    kind: EntryKind,
    service: Arc<GrpcService>,
    /// The encoded `Identifier`.
    identifier: Vec<u8>,
    settings: BatchSettings,
    stats: LogStats,
}

/// The services of a worker, by number.
#[derive(Default)]
struct Open(RefCell<HashMap<u64, Weak<LocalLogService>>>);

impl LogService {
    /// A service that nothing was sent to.
    pub fn new(
        kind: EntryKind,
        service: Arc<GrpcService>,
        identifier: Vec<u8>,
        settings: BatchSettings,
        stats: LogStats,
    ) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            kind,
            service,
            identifier,
            settings,
            stats,
        })
    }

    /// The service on one worker.
    pub fn on(self: &Arc<Self>, worker: &Rc<Worker>) -> Rc<LocalLogService> {
        let open = worker.services().get_or_default::<Open>();
        let mut open = open.0.borrow_mut();
        if let Some(known) = open.get(&self.number).and_then(Weak::upgrade) {
            return known;
        }
        open.retain(|_, known| known.strong_count() > 0);
        let local = Rc::new(LocalLogService {
            spec: Arc::clone(self),
            batch: RefCell::new(Batch::new(self.settings)),
            waker: RefCell::default(),
        });
        open.insert(self.number, Rc::downgrade(&local));
        send(&local, worker);
        local
    }
}

/// A service on one worker.
pub struct LocalLogService {
    spec: Arc<LogService>,
    batch: RefCell<Batch>,
    waker: RefCell<Option<Waker>>,
}

impl LocalLogService {
    /// Logs an entry; it is counted as dropped where the service takes none.
    pub fn log(&self, now: Instant, entry: impl FnOnce() -> Vec<u8>) {
        let stats = &self.spec.stats;
        let mut batch = self.batch.borrow_mut();
        if !batch.has_room() {
            stats.logs_dropped.inc();
            return;
        }
        stats.logs_written.inc();
        if batch.push(&entry(), now) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Sends what is due.
    fn poll(&self, sender: &mut Sender, worker: &Rc<Worker>, task: &mut Context<'_>) {
        *self.waker.borrow_mut() = Some(task.waker().clone());
        let mut batch = self.batch.borrow_mut();
        if sender.timer.poll(worker, batch.due(), task).is_ready() || batch.is_due(worker.now()) {
            let fresh = sender.stream.is_none();
            let client = &sender.client;
            let stream = sender.stream.get_or_insert_with(|| client.open(METHOD));
            if stream.unsent() < UNSENT {
                let identifier = fresh.then_some(&*self.spec.identifier);
                let message = batch.take(self.spec.kind, identifier);
                stream.send(&message);
            }
        }
        drop(batch);
        sender.poll(task);
    }
}

impl Drop for LocalLogService {
    fn drop(&mut self) {
        self.wake();
    }
}

struct Sender {
    client: GrpcClient,
    stream: Option<GrpcStream>,
    timer: Timer,
}

impl Sender {
    fn poll(&mut self, task: &mut Context<'_>) {
        while let Some(stream) = &mut self.stream {
            match stream.poll(task) {
                Poll::Pending => return,
                Poll::Ready(GrpcEvent::End(_)) => self.stream = None,
                Poll::Ready(GrpcEvent::Began | GrpcEvent::Message(_)) => {}
            }
        }
    }
}

/// Sends from now on, until nobody logs to the service.
fn send(service: &Rc<LocalLogService>, worker: &Rc<Worker>) {
    let weak = Rc::downgrade(service);
    let mut sender = Sender {
        client: GrpcClient::new(worker, &service.spec.service),
        stream: None,
        timer: Timer::default(),
    };
    let worker = Rc::clone(worker);
    let spawner = Rc::clone(&worker);
    spawner.spawn(async move {
        poll_fn(|task| {
            worker.tick();
            let Some(service) = weak.upgrade() else {
                return Poll::Ready(());
            };
            service.poll(&mut sender, &worker, task);
            Poll::Pending
        })
        .await;
        sender.timer.disarm(&worker);
    });
}
