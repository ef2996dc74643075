//! The accept loop: one task per listening socket and worker.

use crate::incoming::Incoming;
use crate::local::LocalListener;
use crate::sockets::WorkerSocket;
use nuncio_base::address::Address;
use nuncio_net::Socket;
use nuncio_worker::Timer;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};

/// How many connections are accepted before other tasks get their turn, where config says
/// nothing: Envoy takes all there are, which starves the others in a flood.
const ACCEPTS_PER_TURN: u32 = 64;

/// How long accepting rests when file descriptors have run out. Connections wait in the queue
/// meanwhile, as they do with Envoy, but without keeping the worker busy.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);

enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Accepts connections from one socket.
pub(crate) struct Acceptor {
    listener: Rc<LocalListener>,
    socket: ListenSocket,
    local: Address,
    network_namespace: Option<Arc<str>>,
    /// Whether the socket listens on all addresses, so that each connection has its own.
    wildcard: bool,
    paused_until: Option<Instant>,
    timer: Timer,
}

impl Acceptor {
    pub fn new(listener: &Rc<LocalListener>, bound: WorkerSocket) -> io::Result<Self> {
        let fd = OwnedFd::from(bound.socket);
        let socket = match &bound.local {
            Address::Ip(_) => ListenSocket::Tcp(TcpListener::from_std(fd.into())?),
            Address::Pipe(_) | Address::Internal(_) => {
                ListenSocket::Unix(UnixListener::from_std(fd.into())?)
            }
        };
        Ok(Self {
            listener: Rc::clone(listener),
            socket,
            wildcard: bound
                .local
                .ip_only()
                .is_some_and(|address| address.is_unspecified()),
            local: bound.local,
            network_namespace: bound.network_namespace,
            paused_until: None,
            timer: Timer::default(),
        })
    }

    fn poll_accept(&self, task: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        match &self.socket {
            ListenSocket::Tcp(listener) => listener.poll_accept(task).map_ok(|(stream, peer)| {
                let local = match stream.local_addr() {
                    Ok(local) if self.wildcard => canonical(local),
                    _ => self.local.clone(),
                };
                let mut incoming = Incoming::new(Socket::tcp(stream), local, canonical(peer));
                incoming
                    .network_namespace
                    .clone_from(&self.network_namespace);
                incoming
            }),
            ListenSocket::Unix(listener) => listener.poll_accept(task).map_ok(|(stream, _)| {
                // A Unix peer seldom has a name; as in Envoy the listener's stands for it.
                Incoming::new(Socket::unix(stream), self.local.clone(), self.local.clone())
            }),
        }
    }

    /// Accepts what is there, up to a bound.
    fn turn(&mut self, task: &mut Context<'_>, accepted: &mut u32) -> Poll<()> {
        let most = self.listener.accepts_per_turn().unwrap_or(ACCEPTS_PER_TURN);
        while *accepted < most {
            match self.poll_accept(task) {
                Poll::Ready(Ok(incoming)) => {
                    *accepted += 1;
                    self.listener.on_accept(incoming);
                }
                Poll::Ready(Err(error)) if is_exhausted(&error) => {
                    self.listener.on_exhausted(&error);
                    let until = self.listener.worker().now() + EXHAUSTED_PAUSE;
                    self.paused_until = Some(until);
                    return self.poll_pause(task);
                }
                // The connection ended in the queue; others may wait behind it.
                Poll::Ready(Err(_)) => *accepted += 1,
                Poll::Pending => return Poll::Pending,
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for the end of a pause; never ready while it lasts.
    fn poll_pause(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let worker = self.listener.worker();
        match self.timer.poll(worker, self.paused_until, task) {
            Poll::Ready(()) => {
                self.paused_until = None;
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Future for Acceptor {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.listener.worker().tick();
        if this.paused_until.is_some() {
            let pending = this.poll_pause(task);
            if this.paused_until.is_some() {
                return pending;
            }
        }
        if this.listener.poll_accepting(task).is_pending() {
            return Poll::Pending;
        }
        let mut accepted = 0;
        let result = this.turn(task, &mut accepted);
        if accepted > 0 {
            this.listener.count_accepts(accepted);
        }
        result
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.timer.disarm(self.listener.worker());
    }
}

/// An IPv4 peer of a socket that takes both families is shown as IPv4.
fn canonical(address: SocketAddr) -> Address {
    let ip: IpAddr = address.ip().to_canonical();
    Address::Ip(SocketAddr::new(ip, address.port()))
}

/// Whether the process or the system has no file descriptor or memory left for a connection.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
