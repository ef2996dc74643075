//! One connection's manager: finds out which HTTP version is spoken, and watches the time limits.

use crate::conn_manager::connection::Connection;
use crate::conn_manager::http1::Http1Session;
use crate::conn_manager::http2::Http2Session;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::spec::CodecType;
use nuncio_base::Buffer;
use nuncio_base::time::millis;
use nuncio_net::{Close, ConnCx, ConnectionEvent, FilterStatus, NetworkFilter, NewConnection};
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

/// When this much waits to be written, it is written before more is made: what was just read is
/// still in the cache, and its read block is soon free again.
const WRITE_SOON: usize = 16 * 1024;
/// What HTTP/2 begins with, as far as it takes to tell it from HTTP/1.
const HTTP2_PREFIX: &[u8] = b"PRI * HTTP/2";

/// The connection manager of one connection.
pub struct HttpConnectionManager {
    conn: Connection,
    session: Session,
}

/// What the connection speaks.
enum Session {
    /// Nothing has come that would tell.
    Unknown,
    Http1(Http1Session),
    Http2(Box<Http2Session>),
}

impl Session {
    /// Ends the streams.
    fn close(&mut self, conn: &Connection) {
        match self {
            Self::Unknown => {}
            Self::Http1(session) => session.close(conn),
            Self::Http2(session) => session.close(conn),
        }
    }

    /// What the first bytes, or ALPN, say; still unknown where they do not suffice.
    fn of(conn: &Connection, cx: &ConnCx<'_>) -> Self {
        let alpn = cx.info().tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        let codec = match (conn.local.spec.codec, alpn) {
            (CodecType::Auto, Some(b"h2")) => CodecType::Http2,
            (CodecType::Auto, Some(b"http/1.1" | b"http/1.0")) => CodecType::Http1,
            (CodecType::Auto, _) if conn.input.starts_with(HTTP2_PREFIX) => CodecType::Http2,
            (CodecType::Auto, _) if HTTP2_PREFIX.starts_with(&conn.input) => return Self::Unknown,
            (CodecType::Auto, _) => CodecType::Http1,
            (codec, _) => codec,
        };
        let stats = &conn.local.stats;
        if codec == CodecType::Http2 {
            stats.downstream_cx_http2_total().inc();
            stats.downstream_cx_http2_active().inc();
            return Self::Http2(Box::new(Http2Session::new(conn)));
        }
        stats.downstream_cx_http1_total().inc();
        stats.downstream_cx_http1_active().inc();
        Self::Http1(Http1Session::default())
    }

    fn poll(&mut self, conn: &mut Connection, cx: &mut ConnCx<'_>, task: &mut Context<'_>) -> bool {
        match self {
            Self::Unknown => false,
            Self::Http1(session) => session.poll(conn, cx, task),
            Self::Http2(session) => session.poll(conn, cx, task),
        }
    }

    fn is_idle(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Http1(session) => session.is_idle(),
            Self::Http2(session) => session.is_idle(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Unknown => None,
            Self::Http1(session) => session.deadline(),
            Self::Http2(session) => session.deadline(),
        }
    }

    /// Whether the connection is asked to end already.
    fn is_drained(&self) -> bool {
        matches!(self, Self::Http1(session) if session.last_response_next)
    }
}

impl HttpConnectionManager {
    /// A manager for a new connection.
    pub fn new(local: &Rc<HcmLocal>, connection: &NewConnection<'_>) -> Self {
        Self {
            conn: Connection::new(local, connection),
            session: Session::Unknown,
        }
    }

    /// The soonest of this connection's time limits.
    fn deadline(&self, cx: &ConnCx<'_>) -> Option<Instant> {
        let conn = &self.conn;
        let timeouts = &conn.local.spec.timeouts;
        let of_connection = conn.max_duration.map(|limit| cx.info().start + limit);
        let idle = timeouts.idle.map(|limit| conn.idle_since + limit);
        [
            of_connection.filter(|_| !self.is_ending()),
            idle.filter(|_| self.session.is_idle() && conn.drain_until.is_none() && !conn.draining),
            self.session.deadline(),
            conn.drain_until,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_ending(&self) -> bool {
        self.conn.draining || self.conn.drain_until.is_some() || self.session.is_drained()
    }

    /// Ends a connection that has lasted long enough, in two steps.
    fn end_of_connection(&mut self, cx: &mut ConnCx<'_>, now: Instant) -> bool {
        let is_ending = self.is_ending();
        let Self { conn, session } = self;
        let limit = conn.max_duration;
        if limit.is_some_and(|limit| cx.info().start + limit <= now) && !is_ending {
            conn.local.stats.downstream_cx_max_duration_reached().inc();
            match session {
                Session::Unknown => cx.close(Close::Flush),
                Session::Http1(session) => session.start_drain(conn, now),
                Session::Http2(session) => session.start_drain(conn),
            }
            return true;
        }
        if conn.drain_until.is_some_and(|until| until <= now) {
            conn.drain_until = None;
            conn.draining = true;
            if let Session::Http2(session) = session {
                session.goaway();
            }
            if session.is_idle() {
                cx.close(Close::FlushAndDelay);
            }
            return true;
        }
        false
    }

    /// Acts on time limits that have passed, and asks to be woken at the next.
    fn poll_deadlines(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) -> bool {
        let deadline = self.deadline(cx);
        let worker = Rc::clone(&self.conn.local.worker);
        if self.conn.timer.poll(&worker, deadline, task).is_pending() {
            return false;
        }
        let now = worker.now();
        if self.end_of_connection(cx, now) {
            return true;
        }
        let Self { conn, session } = self;
        match session {
            Session::Unknown => {
                conn.local.stats.downstream_cx_idle_timeout().inc();
                cx.close(Close::Flush);
            }
            Session::Http1(session) => session.on_deadline(conn, now),
            Session::Http2(session) => session.on_deadline(conn, cx, now),
        }
        true
    }
}

impl NetworkFilter for HttpConnectionManager {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        // It counts as used, as in Envoy, although nothing is ever buffered there.
        self.conn
            .local
            .stats
            .downstream_cx_rx_bytes_buffered()
            .add(0);
        cx.set_delayed_close(self.conn.local.spec.timeouts.delayed_close);
        FilterStatus::Continue
    }

    fn on_data(&mut self, _cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        self.conn.receive(data);
        FilterStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        if self.conn.closed {
            return;
        }
        if matches!(self.session, Session::Unknown) && !self.conn.input.is_empty() {
            self.session = Session::of(&self.conn, cx);
        }
        loop {
            let mut moved = self.session.poll(&mut self.conn, cx, task);
            if !moved {
                moved = self.poll_deadlines(cx, task);
            }
            if !moved {
                // What is held up for bytes that wait to be written goes on once they are.
                if !cx.write_blocked() {
                    cx.settled();
                }
                break;
            }
            if cx.out().len() >= WRITE_SOON || cx.is_closing() {
                break;
            }
        }
        match &mut self.session {
            Session::Unknown => {}
            Session::Http1(session) => session.throttle(&mut self.conn, cx),
            Session::Http2(session) => session.end_turn(&mut self.conn, cx),
        }
    }

    fn on_delayed_close(&mut self, _cx: &mut ConnCx<'_>) {
        let Self { conn, session } = self;
        session.close(conn);
        conn.timer.disarm(&conn.local.worker);
    }

    fn on_delayed_close_timeout(&mut self) {
        let stats = &self.conn.local.stats;
        stats.downstream_cx_delayed_close_timeout().inc();
    }

    fn on_event(&mut self, cx: &mut ConnCx<'_>, event: ConnectionEvent) {
        let Self { conn, session } = self;
        if std::mem::replace(&mut conn.closed, true) {
            return;
        }
        let stats = &conn.local.stats;
        stats.downstream_cx_destroy().inc();
        let active = !session.is_idle();
        match event {
            ConnectionEvent::RemoteClose => {
                stats.downstream_cx_destroy_remote().inc();
                if active {
                    stats.downstream_cx_destroy_remote_active_rq().inc();
                }
            }
            ConnectionEvent::LocalClose => {
                stats.downstream_cx_destroy_local().inc();
                if active {
                    stats.downstream_cx_destroy_local_active_rq().inc();
                }
            }
        }
        if active {
            stats.downstream_cx_destroy_active_rq().inc();
        }
        session.close(conn);
        conn.summary.tell(cx.info());
        let worker = &conn.local.worker;
        let length = worker.now().saturating_duration_since(cx.info().start);
        conn.local
            .stats
            .downstream_cx_length_ms()
            .record(millis(length));
        conn.timer.disarm(worker);
    }
}

impl Drop for HttpConnectionManager {
    fn drop(&mut self) {
        let stats = &self.conn.local.stats;
        match self.session {
            Session::Unknown => {}
            Session::Http1(_) => stats.downstream_cx_http1_active().dec(),
            Session::Http2(_) => stats.downstream_cx_http2_active().dec(),
        }
    }
}
