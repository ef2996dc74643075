//! The pool of a host's HTTP connections: whoever asks for a stream gets it on a connection that
//! has room, or waits for one.
//!
//! Which version is spoken is the cluster's choice, the downstream's, or what TLS agreed on (ALPN);
//! how connections live is told in `http1` and `http2`.

use super::PoolFailure;
use super::client_stream::ClientStream;
use super::connect::{Connected, Use, connect};
use super::counted::{CountedConnection, Live, MayConnect};
use super::http1::{Leased, Slot};
use super::http2::Seat;
use super::http2_connection::Http2Connection;
use super::waiting::{Waiter, Waiting};
use crate::cluster::UpstreamProtocol;
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::preconnect::{AT_ONCE, HostPreconnect, Load};
use crate::resource::Priority;
use nuncio_net::TransportSocketOptions;
use nuncio_stream_info::Protocol;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What the connections of a pool speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum HttpUse {
    Http1,
    Http2,
    /// What TLS agrees on; HTTP/1 where it doesn't say.
    Auto,
}

impl HttpUse {
    pub const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Auto];

    /// What a cluster's configuration asks for.
    pub const fn of(protocol: UpstreamProtocol, downstream: Option<Protocol>) -> Self {
        match (protocol, downstream) {
            (UpstreamProtocol::Http1, _) => Self::Http1,
            (UpstreamProtocol::Http2, _) => Self::Http2,
            (UpstreamProtocol::Auto, _) => Self::Auto,
            (UpstreamProtocol::Downstream { http2 }, None) if http2 => Self::Http2,
            (UpstreamProtocol::Downstream { .. }, Some(Protocol::Http2)) => Self::Http2,
            (UpstreamProtocol::Downstream { .. }, _) => Self::Http1,
        }
    }
}

/// What a pool gives to one that waits: a place for one stream.
pub(super) enum Granted {
    Http1(Leased),
    Http2(Seat),
}

/// A host's HTTP connections on one worker, for one routing priority.
pub(crate) struct HttpPool {
    pub(super) core: Rc<ClusterCore>,
    pub(super) host: Arc<Host>,
    pub(super) priority: Priority,
    speaks: HttpUse,
    /// What transport sockets are told of its requests.
    options: TransportSocketOptions,
    pub(super) waiting: Waiting<Granted>,
    /// HTTP/1 connections: the last one was used last, and is used first.
    pub(super) idle: RefCell<Vec<Rc<Slot>>>,
    /// How many of `idle` have ended.
    pub(super) ended_idle: Cell<usize>,
    /// HTTP/2 connections that take streams; the first that has room is used.
    pub(super) shared: RefCell<Vec<Rc<Http2Connection>>>,
    connecting: Cell<usize>,
    pub(super) live: Rc<Live>,
    draining: Cell<bool>,
    /// Where connections are made before they are asked for.
    preconnect: Option<HostPreconnect>,
}

impl HttpPool {
    pub fn new(
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        priority: Priority,
        speaks: HttpUse,
        options: TransportSocketOptions,
    ) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            host: Arc::clone(host),
            priority,
            speaks,
            options,
            waiting: Waiting::new(core, host, priority),
            idle: RefCell::default(),
            ended_idle: Cell::new(0),
            shared: RefCell::default(),
            connecting: Cell::new(0),
            live: Live::counted(),
            draining: Cell::new(false),
            preconnect: HostPreconnect::of(core, host),
        })
    }

    /// Whether it has no connection, and nobody waits for one.
    pub(super) fn is_unused(&self) -> bool {
        self.live.get() == 0 && self.connecting.get() == 0 && self.waiting.len() == 0
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    fn take(self: &Rc<Self>) -> Option<Granted> {
        match self.speaks {
            HttpUse::Http1 => self.take_idle().map(Granted::Http1),
            HttpUse::Http2 => self.take_seat().map(Granted::Http2),
            HttpUse::Auto => {
                let seat = self.take_seat().map(Granted::Http2);
                seat.or_else(|| self.take_idle().map(Granted::Http1))
            }
        }
    }

    /// How many streams the connections that are being made will take, as far as one can say.
    fn expected(&self) -> usize {
        let connecting = self.connecting.get();
        match self.speaks {
            HttpUse::Http1 => connecting,
            HttpUse::Http2 | HttpUse::Auto => {
                let each = self.core.spec().http.http2.max_concurrent_streams as usize;
                let unheard = self.shared.borrow();
                let unheard = unheard.iter().map(|connection| connection.unheard_room());
                unheard.fold(connecting.saturating_mul(each), usize::saturating_add)
            }
        }
    }

    /// The pool's streams, and what its connections take.
    fn load(&self) -> Load {
        let shared = self.shared.borrow();
        let (idle, connecting) = (self.idle_count(), self.connecting.get());
        let alone = idle + connecting + shared.len();
        let seats: usize = shared.iter().map(|connection| connection.seats()).sum();
        // A connection that has heard from its peer knows its room, others expect some.
        let room = |connection: &Rc<Http2Connection>| match connection.unheard_room() {
            0 => connection.room() as usize,
            room => room,
        };
        Load {
            pending: self.waiting.len(),
            active: (self.live.get() as usize).saturating_sub(alone) + seats,
            capacity: match self.speaks {
                HttpUse::Http1 => connecting + idle,
                HttpUse::Http2 | HttpUse::Auto => {
                    let each = self.core.spec().http.http2.max_concurrent_streams as usize;
                    let rooms = shared.iter().map(room);
                    rooms.fold(
                        connecting.saturating_mul(each) + idle,
                        usize::saturating_add,
                    )
                }
            },
        }
    }

    /// Makes as many connections as streams wait, and more where the cluster's policy wants that,
    /// within the limits. A connection that ends is made anew only where streams wait.
    pub(super) fn connect_as_needed(self: &Rc<Self>) {
        if self.waiting.len() > 0 {
            self.connect_some();
        }
    }

    /// Makes connections for streams to come, where the cluster's policy wants that.
    fn preconnect(self: &Rc<Self>) {
        if self.preconnect.is_some() {
            self.connect_some();
        }
    }

    fn connect_some(self: &Rc<Self>) {
        for _ in 0..AT_ONCE {
            if !self.connect_one(None) {
                return;
            }
        }
    }

    /// Makes a connection for a stream to come, if one is wanted at this ratio; whether another may
    /// be made.
    pub fn preconnect_at(self: &Rc<Self>, ratio: f32) -> bool {
        self.connect_one(Some(ratio))
    }

    /// Makes a connection if one is wanted; whether another may be made.
    fn connect_one(self: &Rc<Self>, predicted: Option<f32>) -> bool {
        let (core, host) = (&self.core, &self.host);
        let is_wanted = match &self.preconnect {
            Some(policy) if !self.is_draining() => {
                policy.wants((core, host), self.load(), predicted)
            }
            Some(_) | None => self.waiting.len() > self.expected(),
        };
        if !is_wanted {
            return false;
        }
        let (may, counted) = CountedConnection::try_new(core, host, self.priority, &self.live);
        let Some(counted) = counted else {
            return false;
        };
        match self.speaks {
            HttpUse::Http1 => {
                core.http1_stats();
                core.stats.upstream_cx_http1_total().inc();
            }
            HttpUse::Http2 => {
                core.http2_local();
                core.stats.upstream_cx_http2_total().inc();
            }
            HttpUse::Auto => {}
        }
        self.connecting.set(self.connecting.get() + 1);
        core.worker.spawn(Rc::clone(self).connect(counted));
        may == MayConnect::Yes
    }

    /// The life of a connection's task: connects, then keeps or drives.
    async fn connect(self: Rc<Self>, mut counted: CountedConnection) {
        let result = connect(&mut counted, Use::Http(self.speaks), &self.options).await;
        self.connecting.set(self.connecting.get() - 1);
        let connected = match result {
            Ok(connected) => connected,
            Err(failure) => {
                drop(counted);
                self.waiting.fail_all(&failure);
                return self.connect_some();
            }
        };
        if self.speaks == HttpUse::Auto {
            CountedConnection::count_once_more(&self.core, &counted.host);
        }
        if self.speaks_http2(&connected) {
            // Boxed: a connection's task is small until it is known what it does.
            Box::pin(self.drive(connected, counted)).await;
        } else {
            self.keep(connected, counted).await;
        }
    }

    fn speaks_http2(&self, connected: &Connected) -> bool {
        match self.speaks {
            HttpUse::Http1 => false,
            HttpUse::Http2 => true,
            HttpUse::Auto => {
                let tls = connected.transport.tls();
                let agreed = tls.and_then(|tls| tls.alpn.as_deref());
                let is_http2 = agreed == Some(b"h2");
                let stats = &self.core.stats;
                if is_http2 {
                    stats.upstream_cx_http2_total().inc();
                } else {
                    stats.upstream_cx_http1_total().inc();
                }
                is_http2
            }
        }
    }

    fn idle_count(&self) -> usize {
        self.idle.borrow().len() - self.ended_idle.get()
    }

    /// Whether it is in use, and only by idle connections.
    pub(super) fn is_idle(&self) -> bool {
        let shared = self.shared.borrow();
        let idle = self.idle_count() + shared.len();
        let live = self.live.get() as usize;
        let no_streams = shared.iter().all(|connection| connection.is_idle());
        live > 0 && live == idle && no_streams && self.waiting.len() == 0
    }

    /// Closes the connections that are idle.
    pub(super) fn close_idle(self: &Rc<Self>) {
        while let Some(leased) = self.take_idle() {
            self.end(leased);
        }
        let shared = self.shared.borrow().clone();
        shared.iter().for_each(|connection| connection.drain());
    }

    /// Closes what is idle; what is leased or still connecting is closed when it would become so.
    pub fn drain(self: &Rc<Self>) {
        self.draining.set(true);
        self.close_idle();
    }
}

/// A stream that was asked for. Poll it until it is ready, once; dropping it cancels.
pub struct StreamRequest {
    /// `None`: there may be no pool for it.
    pool: Option<Rc<HttpPool>>,
    waiter: Option<Rc<Waiter<Granted>>>,
}

impl StreamRequest {
    pub(crate) fn new(pool: Option<Rc<HttpPool>>) -> Self {
        Self { pool, waiter: None }
    }

    /// Whether there may be no pool for it: polling gives an overflow.
    pub fn is_refused(&self) -> bool {
        self.pool.is_none()
    }

    /// Ready with a stream as soon as there is a connection for it: at once where one is idle.
    ///
    /// # Errors
    /// A circuit breaker is open, or no connection could be made.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<ClientStream, PoolFailure>> {
        let Some(pool) = &self.pool else {
            return Poll::Ready(Err(PoolFailure::overflow(false)));
        };
        loop {
            let granted = match &self.waiter {
                Some(waiter) => match waiter.poll(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(answer) => {
                        self.waiter = None;
                        match answer {
                            Ok(granted) => granted,
                            Err(failure) => return Poll::Ready(Err(failure)),
                        }
                    }
                },
                None => match pool.take() {
                    Some(granted) => {
                        pool.preconnect();
                        granted
                    }
                    None => match pool.waiting.join() {
                        Ok(waiter) => {
                            self.waiter = Some(waiter);
                            pool.connect_as_needed();
                            continue;
                        }
                        Err(failure) => return Poll::Ready(Err(failure)),
                    },
                },
            };
            match granted {
                Granted::Http1(mut leased) => {
                    // A peer may have closed since anybody looked.
                    if leased.connection.is_gone(task) {
                        pool.end(leased);
                        continue;
                    }
                    return Poll::Ready(pool.attach_http1(leased));
                }
                Granted::Http2(seat) if seat.is_gone() => {}
                Granted::Http2(seat) => return Poll::Ready(pool.attach_http2(seat)),
            }
        }
    }
}

impl Drop for StreamRequest {
    fn drop(&mut self) {
        if let (Some(waiter), Some(pool)) = (self.waiter.take(), &self.pool)
            && !pool.waiting.cancel(&waiter)
            && let Some(Ok(Granted::Http1(leased))) = waiter.untaken()
        {
            pool.offer(leased);
        }
    }
}
