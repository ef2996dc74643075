//! The HTTP/1 pool: one request at a time per connection.
//!
//! An idle connection is owned by its pool and watched by its keeper, the task that connected it;
//! a leased one is owned and polled by its stream alone, while the keeper sleeps. Changing hands
//! moves a box and asks the transport once for readiness with the new owner's waker: no
//! allocation, no timer operation, no other task's turn.

use super::PoolFailure;
use super::client_stream::ClientStream;
use super::connect::{Use, connect};
use super::counted::{CountedConnection, MayConnect};
use super::http1_connection::Http1Connection;
use super::waiting::{Waiter, Waiting};
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::resource::{Priority, Resource};
use nuncio_worker::Timer;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How many connections a single request may cause.
const CONNECTS_AT_ONCE: usize = 3;

/// A host's HTTP/1 connections on one worker, for one routing priority.
pub(crate) struct Http1Pool {
    core: Rc<ClusterCore>,
    host: Arc<Host>,
    priority: Priority,
    waiting: Waiting<Leased>,
    /// The last one was used last, and is used first.
    idle: RefCell<Vec<Rc<Slot>>>,
    /// How many of `idle` have ended.
    ended_idle: Cell<usize>,
    connecting: Cell<usize>,
    live: Rc<Cell<u32>>,
    draining: Cell<bool>,
}

/// Where a connection lies while nobody leases it.
struct Slot {
    idle: Cell<Option<Box<Http1Connection>>>,
    /// Wakes the keeper.
    keeper: Waker,
    /// When the connection is too old for another request.
    expires: Option<Instant>,
    expired: Cell<bool>,
    /// The connection is gone.
    ended: Cell<bool>,
}

/// A connection that changes hands.
struct Leased {
    connection: Box<Http1Connection>,
    slot: Rc<Slot>,
}

impl Http1Pool {
    pub fn new(core: &Rc<ClusterCore>, host: &Arc<Host>, priority: Priority) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            host: Arc::clone(host),
            priority,
            waiting: Waiting::new(core, host, priority),
            idle: RefCell::default(),
            ended_idle: Cell::new(0),
            connecting: Cell::new(0),
            live: Rc::default(),
            draining: Cell::new(false),
        })
    }

    /// The idle connection that was used last.
    fn take_idle(&self) -> Option<Leased> {
        let mut idle = self.idle.borrow_mut();
        while let Some(slot) = idle.pop() {
            match slot.idle.take() {
                Some(connection) => return Some(Leased { connection, slot }),
                None => self.ended_idle.set(self.ended_idle.get() - 1),
            }
        }
        None
    }

    /// Gives a connection to whoever waits, or keeps it.
    fn offer(self: &Rc<Self>, leased: Leased) {
        let Some(mut leased) = self.waiting.serve(leased) else {
            return;
        };
        if self.draining.get() {
            return self.end(leased);
        }
        let slot = Rc::clone(&leased.slot);
        let mut keeper = Context::from_waker(&slot.keeper);
        if leased.connection.poll_idle(&mut keeper).is_ready() {
            return self.end(leased);
        }
        leased.connection.idle_since = self.core.worker.now();
        slot.idle.set(Some(leased.connection));
        self.idle.borrow_mut().push(slot);
    }

    /// Closes a connection, and sees to it that nobody waits for it.
    fn end(self: &Rc<Self>, leased: Leased) {
        let Leased { connection, slot } = leased;
        drop(connection);
        slot.ended.set(true);
        slot.keeper.wake_by_ref();
        self.connect_as_needed();
    }

    /// The keeper of an idle connection closed it.
    fn ended_while_idle(&self) {
        let ended = self.ended_idle.get() + 1;
        self.ended_idle.set(ended);
        let mut idle = self.idle.borrow_mut();
        if ended > idle.len() / 2 {
            idle.retain(|slot| !slot.ended.get());
            self.ended_idle.set(0);
        }
    }

    /// Makes as many connections as streams wait, within the limits.
    fn connect_as_needed(self: &Rc<Self>) {
        for _ in 0..CONNECTS_AT_ONCE {
            if self.waiting.len() <= self.connecting.get() {
                return;
            }
            let (core, host) = (&self.core, &self.host);
            let (may, counted) = CountedConnection::try_new(core, host, self.priority, &self.live);
            let Some(counted) = counted else {
                return;
            };
            core.stats.upstream_cx_http1_total().inc();
            self.connecting.set(self.connecting.get() + 1);
            core.worker.spawn(Rc::clone(self).connect(counted));
            if may == MayConnect::OnlyThis {
                return;
            }
        }
    }

    /// The life of a connection's task: connects, then keeps.
    async fn connect(self: Rc<Self>, mut counted: CountedConnection) {
        let result = connect(&mut counted, Use::Http1).await;
        self.connecting.set(self.connecting.get() - 1);
        let connected = match result {
            Ok(connected) => connected,
            Err(failure) => {
                drop(counted);
                self.waiting.fail_all(&failure);
                return self.connect_as_needed();
            }
        };
        let connected_at = self.core.worker.now();
        let longest = self.core.spec().http.max_connection_duration;
        let keeper = std::future::poll_fn(|task| Poll::Ready(task.waker().clone())).await;
        let slot = Rc::new(Slot {
            idle: Cell::new(None),
            keeper,
            expires: longest.map(|longest| connected_at + longest),
            expired: Cell::new(false),
            ended: Cell::new(false),
        });
        let connection = Box::new(Http1Connection::new(connected, counted));
        self.offer(Leased {
            connection,
            slot: Rc::clone(&slot),
        });
        Keeper {
            pool: self,
            slot,
            timer: Timer::default(),
        }
        .await;
    }

    /// Closes what is idle; what is leased or still connecting is closed when it would become so.
    pub fn drain(self: &Rc<Self>) {
        self.draining.set(true);
        while let Some(leased) = self.take_idle() {
            self.end(leased);
        }
    }

    /// Counts a request on the connection, unless the circuit breaker is open.
    fn attach(self: &Rc<Self>, mut leased: Leased) -> Result<ClientStream, PoolFailure> {
        let stats = &self.core.stats;
        if !self.core.try_take(self.priority, Resource::Requests) {
            stats.upstream_rq_active_overflow().inc();
            self.offer(leased);
            return Err(PoolFailure::overflow(true));
        }
        stats.upstream_rq_total().inc();
        stats.upstream_rq_active().inc();
        self.host.stats().rq_total.inc();
        self.host.stats().rq_active.inc();
        leased.connection.begin();
        Ok(ClientStream::http1(Http1Lease {
            leased: Some(leased),
            pool: Rc::clone(self),
        }))
    }
}

/// Watches one connection while it is idle, and ends with it.
struct Keeper {
    pool: Rc<Http1Pool>,
    slot: Rc<Slot>,
    timer: Timer,
}

impl Future for Keeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let Self { pool, slot, timer } = self.get_mut();
        let worker = &pool.core.worker;
        worker.tick();
        loop {
            if slot.ended.get() {
                return Poll::Ready(());
            }
            let now = worker.now();
            let idle_timeout = pool.core.spec().http.idle_timeout;
            let expired = slot.expires.is_some_and(|at| at <= now);
            if expired && !slot.expired.replace(true) {
                pool.core.stats.upstream_cx_max_duration_reached().inc();
            }
            let idle = slot.idle.take();
            // A leased connection may become idle at once, and is then too old no sooner than this.
            let since = idle
                .as_ref()
                .map_or(now, |connection| connection.idle_since);
            let idle_until = idle_timeout.map(|timeout| since + timeout);
            if let Some(mut connection) = idle {
                let timed_out = idle_until.is_some_and(|until| until <= now);
                if timed_out {
                    pool.core.stats.upstream_cx_idle_timeout().inc();
                }
                if timed_out || expired || connection.poll_idle(task).is_ready() {
                    drop(connection);
                    slot.ended.set(true);
                    pool.ended_while_idle();
                    pool.connect_as_needed();
                    return Poll::Ready(());
                }
                slot.idle.set(Some(connection));
            }
            let expires = slot.expires.filter(|_| !expired);
            let until = match (idle_until, expires) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if timer.poll(worker, until, task).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.timer.disarm(&self.pool.core.worker);
    }
}

/// A stream's hold on its connection.
pub(super) struct Http1Lease {
    /// There until dropped.
    leased: Option<Leased>,
    pool: Rc<Http1Pool>,
}

const HELD: &str = "a lease holds its connection until it is dropped";

impl Http1Lease {
    pub fn connection(&self) -> &Http1Connection {
        &self.leased.as_ref().expect(HELD).connection
    }

    pub fn connection_mut(&mut self) -> &mut Http1Connection {
        &mut self.leased.as_mut().expect(HELD).connection
    }
}

impl Drop for Http1Lease {
    fn drop(&mut self) {
        let pool = &self.pool;
        pool.core.stats.upstream_rq_active().dec();
        pool.host.stats().rq_active.dec();
        pool.core.give(pool.priority, Resource::Requests);
        if let Some(mut leased) = self.leased.take() {
            if leased.connection.finish() && !leased.slot.expired.get() {
                pool.offer(leased);
            } else {
                pool.end(leased);
            }
        }
    }
}

/// A stream that was asked for. Poll it until it is ready, once; dropping it cancels.
pub struct StreamRequest {
    pool: Rc<Http1Pool>,
    waiter: Option<Rc<Waiter<Leased>>>,
}

impl StreamRequest {
    pub(crate) fn new(pool: Rc<Http1Pool>) -> Self {
        Self { pool, waiter: None }
    }

    /// Ready with a stream as soon as there is a connection for it: at once where one is idle.
    ///
    /// # Errors
    /// A circuit breaker is open, or no connection could be made.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<ClientStream, PoolFailure>> {
        loop {
            let leased = match &self.waiter {
                Some(waiter) => match waiter.poll(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(answer) => {
                        self.waiter = None;
                        match answer {
                            Ok(leased) => leased,
                            Err(failure) => return Poll::Ready(Err(failure)),
                        }
                    }
                },
                None => match self.pool.take_idle() {
                    Some(leased) => leased,
                    None => match self.pool.waiting.join() {
                        Ok(waiter) => {
                            self.waiter = Some(waiter);
                            self.pool.connect_as_needed();
                            continue;
                        }
                        Err(failure) => return Poll::Ready(Err(failure)),
                    },
                },
            };
            let mut leased = leased;
            // A peer may have closed since anybody looked.
            if leased.connection.poll_idle(task).is_ready() {
                self.pool.end(leased);
                continue;
            }
            return Poll::Ready(self.pool.attach(leased));
        }
    }
}

impl Drop for StreamRequest {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take()
            && !self.pool.waiting.cancel(&waiter)
            && let Some(Ok(leased)) = waiter.untaken()
        {
            self.pool.offer(leased);
        }
    }
}
