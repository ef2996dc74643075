//! The TCP pool: a connection of one's own for everyone who asks; none comes back. Where the
//! cluster wants connections made before they are asked for, they are kept until then.

use super::PoolFailure;
use super::connect::{Connected, Use, connect};
use super::counted::{CountedConnection, Live, MayConnect};
use super::doom::{Doom, Doomed};
use super::tcp_kept::Kept;
use super::waiting::{Waiter, Waiting};
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::preconnect::{AT_ONCE, HostPreconnect, Load};
use crate::resource::{Priority, Resource};
use nuncio_base::address::Address;
use nuncio_net::{Transport, TransportSocketOptions, next_connection_id};
use nuncio_stream_info::TlsInfo;
use nuncio_worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// A host's TCP connections on one worker, for one routing priority.
pub(crate) struct TcpPool {
    pub(super) core: Rc<ClusterCore>,
    host: Arc<Host>,
    priority: Priority,
    /// What transport sockets are told of who it is for.
    options: TransportSocketOptions,
    waiting: Waiting<Ready>,
    connecting: RefCell<VecDeque<Rc<Connect>>>,
    live: Rc<Live>,
    doomed: Doomed,
    pub(super) kept: Kept,
    draining: Cell<bool>,
    /// Where connections are made before they are asked for.
    preconnect: Option<HostPreconnect>,
}

/// A connection on its way, so that it can be given up.
#[derive(Default)]
struct Connect {
    given_up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A connection that nobody has used.
pub(super) struct Ready {
    pub connected: Connected,
    pub counted: CountedConnection,
}

impl Ready {
    /// Whether its peer has ended it, and said nothing.
    pub fn has_ended(&self) -> bool {
        self.connected.transport.socket().has_ended()
    }
}

impl TcpPool {
    pub fn new(
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        priority: Priority,
        options: TransportSocketOptions,
    ) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            host: Arc::clone(host),
            priority,
            options,
            waiting: Waiting::new(core, host, priority),
            connecting: RefCell::default(),
            live: Rc::default(),
            doomed: Doomed::default(),
            kept: Kept::default(),
            draining: Cell::new(false),
            preconnect: HostPreconnect::of(core, host),
        })
    }

    /// Whether it has no connection, and nobody waits for one.
    pub fn is_unused(&self) -> bool {
        self.live.get() == 0 && self.waiting.len() == 0
    }

    fn load(&self) -> Load {
        let connecting = self.connecting.borrow().len();
        let unused = connecting + self.kept.len();
        Load {
            pending: self.waiting.len(),
            active: (self.live.get() as usize).saturating_sub(unused),
            capacity: unused,
        }
    }

    /// Makes as many connections as wait for one, and more where the cluster's policy wants that,
    /// within the limits.
    pub(super) fn connect_as_needed(self: &Rc<Self>) {
        if self.waiting.len() > 0 {
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
            Some(policy) if !self.draining.get() => {
                policy.wants((core, host), self.load(), predicted)
            }
            Some(_) | None => self.waiting.len() > self.connecting.borrow().len(),
        };
        if !is_wanted {
            return false;
        }
        let (may, counted) = CountedConnection::try_new(core, host, self.priority, &self.live);
        let Some(counted) = counted else {
            return false;
        };
        let connect = Rc::new(Connect::default());
        self.connecting.borrow_mut().push_back(Rc::clone(&connect));
        core.worker.spawn(Rc::clone(self).run(counted, connect));
        may == MayConnect::Yes
    }

    /// Closes what nobody uses; what is still connecting when it would become so.
    pub fn drain(&self) {
        self.draining.set(true);
        self.kept.close();
    }

    /// The host has become unhealthy: its connections are closed.
    pub fn close_connections(&self) {
        self.doomed.fail_all();
    }

    async fn run(self: Rc<Self>, mut counted: CountedConnection, this: Rc<Connect>) {
        let result = {
            let mut connecting = std::pin::pin!(connect(&mut counted, Use::Tcp, &self.options));
            std::future::poll_fn(|task| {
                if this.given_up.get() {
                    return Poll::Ready(None);
                }
                *this.waker.borrow_mut() = Some(task.waker().clone());
                connecting.as_mut().poll(task).map(Some)
            })
            .await
        };
        self.connecting
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, &this));
        match result {
            // Nobody wants it any more.
            None => {}
            Some(Ok(connected)) => match self.waiting.serve(Ready { connected, counted }) {
                Some(unused) if self.preconnect.is_some() && !self.draining.get() => {
                    return Box::pin(self.keep(unused)).await;
                }
                unused => drop(unused),
            },
            Some(Err(failure)) => {
                drop(counted);
                self.waiting.fail_all(&failure);
                return self.connect_some();
            }
        }
        self.connect_as_needed();
    }

    /// Gives up connections that nobody waits for.
    fn give_up_excess(&self) {
        let ratio = self
            .preconnect
            .as_ref()
            .map_or(1.0, HostPreconnect::per_upstream);
        let mut load = self.load();
        let mut connecting = self.connecting.borrow_mut();
        while let Some(connect) = connecting.pop_front() {
            load.capacity = connecting.len();
            if load.exceeds(ratio, 0) {
                return connecting.push_front(connect);
            }
            connect.given_up.set(true);
            if let Some(waker) = connect.waker.take() {
                waker.wake();
            }
        }
    }

    fn attach(self: &Rc<Self>, ready: Ready) -> TcpConnection {
        let stats = &self.core.stats;
        stats.upstream_rq_total().inc();
        stats.upstream_rq_active().inc();
        self.host.stats().rq_total.inc();
        self.host.stats().rq_active.inc();
        self.core.take(self.priority, Resource::Requests);
        let Ready { connected, counted } = ready;
        let closes = self.core.spec().close_connections_on_host_health_failure;
        TcpConnection {
            info: TcpConnectionInfo {
                connection_id: next_connection_id(),
                local_address: connected.transport.socket().local_address(),
                remote_address: connected.address,
                tls: connected.transport.tls().cloned(),
                connect_start: counted.connect_start,
                connect_end: counted.connect_end.unwrap_or(counted.connect_start),
            },
            transport: connected.transport,
            guard: TcpGuard {
                pool: Rc::clone(self),
                counted: Some(counted),
                doom: closes.then(|| self.doomed.add()),
                complete: false,
            },
        }
    }
}

/// What is known of a TCP connection.
#[derive(Clone, Debug)]
pub struct TcpConnectionInfo {
    /// The connection's number, unique in this process.
    pub connection_id: u64,
    /// The connection's own address.
    pub local_address: Option<Address>,
    /// The address that was connected to.
    pub remote_address: Address,
    /// TLS facts.
    pub tls: Option<Arc<TlsInfo>>,
    /// When connecting began.
    pub connect_start: Instant,
    /// When the connection was there.
    pub connect_end: Instant,
}

/// A connection to a host, for its owner alone.
pub struct TcpConnection {
    /// What bytes go through.
    pub transport: Transport,
    /// What is known of it.
    pub info: TcpConnectionInfo,
    /// Keeps the counts: to be dropped with the transport.
    pub guard: TcpGuard,
}

/// Counts a TCP connection until it is dropped.
pub struct TcpGuard {
    pool: Rc<TcpPool>,
    /// There until dropped.
    counted: Option<CountedConnection>,
    /// Where the connection is not to outlast its host's health.
    doom: Option<Rc<Doom>>,
    complete: bool,
}

impl TcpGuard {
    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.pool.core.worker
    }

    /// How much may wait to be written, in bytes; 0: without limit.
    pub(super) fn buffer_limit(&self) -> usize {
        self.pool.core.spec().per_connection_buffer_limit as usize
    }

    /// Both sides have ended what the connection was for: the peer did so last.
    pub(super) fn complete(&mut self) {
        self.complete = true;
        self.closed_by_peer();
    }

    /// Whether the connection is to be closed, as its host has become unhealthy; if not, the task
    /// is woken when it is.
    pub fn poll_host_failed(&self, task: &Context<'_>) -> bool {
        self.doom.as_ref().is_some_and(|doom| doom.poll(task))
    }

    /// Counts bytes received.
    pub fn received(&self, bytes: u64) {
        let stats = &self.pool.core.stats;
        stats.upstream_cx_rx_bytes_total().add(bytes);
    }

    /// Counts bytes sent.
    pub fn sent(&self, bytes: u64) {
        let stats = &self.pool.core.stats;
        stats.upstream_cx_tx_bytes_total().add(bytes);
    }

    /// The peer ended the connection, or the network did; without this, its end is counted as
    /// ours.
    pub fn closed_by_peer(&mut self) {
        if let Some(counted) = &mut self.counted {
            counted.remote_closed = true;
        }
    }
}

impl Drop for TcpGuard {
    fn drop(&mut self) {
        let pool = &self.pool;
        pool.core.stats.upstream_rq_active().dec();
        pool.host.stats().rq_active.dec();
        pool.core.give(pool.priority, Resource::Requests);
        if let Some(doom) = &self.doom {
            pool.doomed.remove(doom);
        }
        if let Some(mut counted) = self.counted.take() {
            // To Envoy a TCP connection in use is one request that seldom completes.
            counted.with_active_request = !self.complete;
        }
        pool.connect_as_needed();
    }
}

/// A connection that was asked for. Poll it until it is ready, once; dropping it cancels.
pub struct TcpRequest {
    pool: Rc<TcpPool>,
    waiter: Option<Rc<Waiter<Ready>>>,
}

impl TcpRequest {
    pub(crate) fn new(pool: Rc<TcpPool>) -> Self {
        Self { pool, waiter: None }
    }

    /// The host that is connected to.
    pub fn host(&self) -> &Arc<Host> {
        &self.pool.host
    }

    /// Ready once there is a connection.
    ///
    /// # Errors
    /// A circuit breaker is open, or no connection could be made.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<TcpConnection, PoolFailure>> {
        if self.waiter.is_none() {
            if let Some(ready) = self.pool.kept.take() {
                self.pool.connect_some();
                return Poll::Ready(Ok(self.pool.attach(ready)));
            }
            match self.pool.waiting.join() {
                Ok(waiter) => self.waiter = Some(waiter),
                Err(failure) => return Poll::Ready(Err(failure)),
            }
            self.pool.connect_as_needed();
        }
        let Some(waiter) = &self.waiter else {
            return Poll::Pending;
        };
        let answer = std::task::ready!(waiter.poll(task));
        self.waiter = None;
        Poll::Ready(answer.map(|ready| self.pool.attach(ready)))
    }
}

impl Drop for TcpRequest {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take()
            && self.pool.waiting.cancel(&waiter)
        {
            self.pool.give_up_excess();
        }
    }
}
