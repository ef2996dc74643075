//! HTTP/1 connections of a pool: one request at a time on each.
//!
//! An idle connection is owned by its pool and watched by its keeper, the task that connected it;
//! a leased one is owned and polled by its stream alone, while the keeper sleeps. Changing hands
//! moves a box and asks the transport once for readiness with the new owner's waker: no
//! allocation, no timer operation, no other task's turn.

use super::PoolFailure;
use super::client_stream::ClientStream;
use super::connect::Connected;
use super::counted::CountedConnection;
use super::http::{Granted, HttpPool};
use super::http1_connection::Http1Connection;
use crate::resource::Resource;
use nuncio_worker::Timer;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Where a connection lies while nobody leases it.
pub(super) struct Slot {
    pub idle: Cell<Option<Box<Http1Connection>>>,
    /// Wakes the keeper.
    keeper: Waker,
    /// When the connection is too old for another request.
    expires: Option<Instant>,
    expired: Cell<bool>,
    /// The connection is gone.
    ended: Cell<bool>,
}

/// A connection that changes hands.
pub(super) struct Leased {
    pub connection: Box<Http1Connection>,
    slot: Rc<Slot>,
}

impl HttpPool {
    /// The idle connection that was used last.
    pub(super) fn take_idle(&self) -> Option<Leased> {
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
    pub(super) fn offer(self: &Rc<Self>, leased: Leased) {
        let Some(Granted::Http1(mut leased)) = self.waiting.serve(Granted::Http1(leased)) else {
            // Whoever still waits may have another connection, or counts an overflow.
            return self.connect_as_needed();
        };
        if self.is_draining() {
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
    pub(super) fn end(self: &Rc<Self>, leased: Leased) {
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

    /// The life of a connection's task from when it is connected: it keeps the connection.
    pub(super) async fn keep(self: Rc<Self>, connected: Connected, counted: CountedConnection) {
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

    /// Counts a request on the connection, unless the circuit breaker is open.
    pub(super) fn attach_http1(
        self: &Rc<Self>,
        mut leased: Leased,
    ) -> Result<ClientStream, PoolFailure> {
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
    pool: Rc<HttpPool>,
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
    pool: Rc<HttpPool>,
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
