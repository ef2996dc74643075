//! The TCP pool: a connection of one's own for everyone who asks; none comes back.

use super::PoolFailure;
use super::connect::{Connected, Use, connect};
use super::counted::{CountedConnection, Live, MayConnect};
use super::doom::{Doom, Doomed};
use super::waiting::{Waiter, Waiting};
use crate::host::Host;
use crate::local_cluster::ClusterCore;
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
    core: Rc<ClusterCore>,
    host: Arc<Host>,
    priority: Priority,
    /// What transport sockets are told of who it is for.
    options: TransportSocketOptions,
    waiting: Waiting<Ready>,
    connecting: RefCell<VecDeque<Rc<Connect>>>,
    live: Rc<Live>,
    doomed: Doomed,
}

/// A connection on its way, so that it can be given up.
#[derive(Default)]
struct Connect {
    given_up: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

struct Ready {
    connected: Connected,
    counted: CountedConnection,
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
        })
    }

    /// Whether it has no connection, and nobody waits for one.
    pub fn is_unused(&self) -> bool {
        self.live.get() == 0 && self.waiting.len() == 0
    }

    fn connect_as_needed(self: &Rc<Self>) {
        while self.waiting.len() > self.connecting.borrow().len() {
            let (core, host) = (&self.core, &self.host);
            let (may, counted) = CountedConnection::try_new(core, host, self.priority, &self.live);
            let Some(counted) = counted else {
                return;
            };
            let connect = Rc::new(Connect::default());
            self.connecting.borrow_mut().push_back(Rc::clone(&connect));
            core.worker.spawn(Rc::clone(self).run(counted, connect));
            if may == MayConnect::OnlyThis {
                return;
            }
        }
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
            // Nobody wants it any more. (A connection that nobody waits for is closed likewise.)
            None => {}
            Some(Ok(connected)) => drop(self.waiting.serve(Ready { connected, counted })),
            Some(Err(failure)) => {
                drop(counted);
                self.waiting.fail_all(&failure);
            }
        }
        self.connect_as_needed();
    }

    /// Gives up connections that nobody waits for.
    fn give_up_excess(&self) {
        let mut connecting = self.connecting.borrow_mut();
        while connecting.len() > self.waiting.len() {
            let Some(connect) = connecting.pop_front() else {
                return;
            };
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
