//! HTTP/2 connections of a pool: many streams on each, which share the connection's task.

use super::PoolFailure;
use super::client_stream::ClientStream;
use super::connect::Connected;
use super::counted::CountedConnection;
use super::http::{Granted, HttpPool};
use super::http2_connection::Http2Connection;
use super::http2_driver::Http2Driver;
use super::http2_stream::Http2Lease;
use crate::resource::Resource;
use std::rc::Rc;
use std::task::Poll;

/// A place for one stream on a connection, given back when dropped.
pub(super) struct Seat {
    connection: Rc<Http2Connection>,
    pool: Rc<HttpPool>,
}

impl Seat {
    fn new(pool: &Rc<HttpPool>, connection: &Rc<Http2Connection>) -> Self {
        connection.sit_down();
        Self {
            connection: Rc::clone(connection),
            pool: Rc::clone(pool),
        }
    }

    /// Whether the connection has ended since.
    pub fn is_gone(&self) -> bool {
        self.connection.is_ended()
    }

    pub fn connection(&self) -> &Rc<Http2Connection> {
        &self.connection
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connection.stand_up();
        self.pool.serve_waiting(&self.connection);
    }
}

/// A request as circuit breakers and stats see it, until it is dropped.
pub(super) struct ActiveRequest(Rc<HttpPool>);

impl ActiveRequest {
    fn try_new(pool: &Rc<HttpPool>) -> Option<Self> {
        let stats = &pool.core.stats;
        if !pool.core.try_take(pool.priority, Resource::Requests) {
            stats.upstream_rq_active_overflow().inc();
            return None;
        }
        stats.upstream_rq_total().inc();
        stats.upstream_rq_active().inc();
        pool.host.stats().rq_total.inc();
        pool.host.stats().rq_active.inc();
        Some(Self(Rc::clone(pool)))
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let pool = &self.0;
        pool.core.stats.upstream_rq_active().dec();
        pool.host.stats().rq_active.dec();
        pool.core.give(pool.priority, Resource::Requests);
    }
}

impl HttpPool {
    /// A place on the first connection that has one.
    pub(super) fn take_seat(self: &Rc<Self>) -> Option<Seat> {
        let shared = self.shared.borrow();
        let connection = shared.iter().find(|connection| connection.room() > 0)?;
        Some(Seat::new(self, connection))
    }

    /// Gives the places of a connection to those who wait.
    pub(super) fn serve_waiting(self: &Rc<Self>, connection: &Rc<Http2Connection>) {
        while connection.room() > 0 && self.waiting.len() > 0 {
            let seat = Seat::new(self, connection);
            // Somebody waits, so that it isn't given back.
            if let Some(unwanted) = self.waiting.serve(Granted::Http2(seat)) {
                return drop(unwanted);
            }
        }
    }

    /// Begins a stream, unless the circuit breaker is open.
    pub(super) fn attach_http2(self: &Rc<Self>, seat: Seat) -> Result<ClientStream, PoolFailure> {
        let Some(active) = ActiveRequest::try_new(self) else {
            return Err(PoolFailure::overflow(true));
        };
        Ok(ClientStream::http2(Http2Lease::new(seat, active)))
    }

    /// The life of a connection's task from when it is connected.
    pub(super) async fn drive(self: Rc<Self>, connected: Connected, counted: CountedConnection) {
        let waker = std::future::poll_fn(|task| Poll::Ready(task.waker().clone())).await;
        let (connection, driver) = Http2Driver::new(&self, connected, counted, waker);
        self.shared.borrow_mut().push(Rc::clone(&connection));
        self.serve_waiting(&connection);
        if self.is_draining() {
            connection.drain();
        }
        self.connect_as_needed();
        driver.await;
    }

    /// A connection takes no more streams; others may be needed for those who wait.
    pub(super) fn retire(self: &Rc<Self>, connection: &Rc<Http2Connection>) {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|other| !Rc::ptr_eq(other, connection));
        drop(shared);
        self.connect_as_needed();
    }
}
