//! Makes a connection to a host: over all its addresses, within the cluster's time.

use super::PoolFailure;
use super::counted::{Cause, CountedConnection};
use super::http::HttpUse;
use super::secure::secure;
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use nuncio_base::address::Address;
use nuncio_codec::ResetReason;
use nuncio_net::{AlpnFallback, Socket, SocketOptions, Transport, TransportSocketOptions};
use nuncio_worker::{Timer, Worker};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long an address is given before the next is tried beside it (Envoy's happy eyeballs,
/// RFC 8305 section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(300);

/// A connection that was made.
pub(crate) struct Connected {
    pub transport: Transport,
    /// The address that answered.
    pub address: Address,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Http(HttpUse),
    Tcp,
}

impl Use {
    /// The protocols offered where the configuration names none.
    pub fn alpn(self) -> AlpnFallback {
        match self {
            Self::Http(HttpUse::Http1) => &[b"http/1.1"],
            Self::Http(HttpUse::Http2) => &[b"h2"],
            Self::Http(HttpUse::Auto) => &[b"h2", b"http/1.1"],
            Self::Tcp => &[],
        }
    }
}

/// Connects to `counted`'s host, and counts how that went.
pub(crate) async fn connect(
    counted: &mut CountedConnection,
    purpose: Use,
    options: &TransportSocketOptions,
) -> Result<Connected, PoolFailure> {
    let core = Rc::clone(&counted.core);
    let order = core.spec().address_order;
    let attempts = Attempts {
        core: Rc::clone(&core),
        host: Arc::clone(&counted.host),
        worker: Rc::clone(&core.worker),
        is_first: true,
        untried: order.sort(&counted.host.addresses()).into_iter(),
        options: Arc::clone(&core.spec().socket_options),
        running: Vec::new(),
        next_at: core.worker.now(),
        give_up_at: counted.connect_start + core.spec().connect_timeout,
        timer: Timer::default(),
        error: None,
    };
    match attempts.await {
        Ok(connected) => {
            let connected = secure(counted, connected, (purpose, options)).await?;
            counted.connected();
            Ok(connected)
        }
        Err(Some((error, address))) => {
            let unbound = error.kind() == io::ErrorKind::AddrNotAvailable;
            let unbound = core.spec().socket_options.source.filter(|_| unbound);
            if unbound.is_some() {
                core.stats.bind_errors().inc();
            }
            let ours = unbound.is_some() || is_exhaustion(&error);
            counted.connect_failed(if ours { Cause::Local } else { Cause::Remote });
            Err(failure(&error, &address, unbound, ours))
        }
        Err(None) => {
            counted.connect_failed(Cause::Timeout);
            Err(PoolFailure {
                reason: ResetReason::ConnectionTimeout,
                transport_failure_reason: "".into(),
                at_host: true,
            })
        }
    }
}

type Attempt = (Address, Pin<Box<dyn Future<Output = io::Result<Socket>>>>);

/// Attempts on a host's addresses, one after the other, each beside the earlier ones.
struct Attempts {
    core: Rc<ClusterCore>,
    host: Arc<Host>,
    /// Nothing was tried yet.
    is_first: bool,
    worker: Rc<Worker>,
    untried: std::vec::IntoIter<Address>,
    options: Arc<SocketOptions>,
    running: Vec<Attempt>,
    next_at: Instant,
    give_up_at: Instant,
    timer: Timer,
    /// The last failure.
    error: Option<(io::Error, Address)>,
}

impl Attempts {
    fn start_next(&mut self) -> bool {
        let Some(address) = self.untried.next() else {
            return false;
        };
        if !std::mem::take(&mut self.is_first) {
            CountedConnection::count_once_more(&self.core, &self.host);
        }
        let (target, options) = (address.clone(), Arc::clone(&self.options));
        let worker = Rc::clone(&self.worker);
        let attempt = async move { Socket::connect(&worker, &target, &options).await };
        self.running.push((address, Box::pin(attempt)));
        self.next_at = self.worker.now() + NEXT_ADDRESS;
        true
    }

    fn poll_running(&mut self, task: &mut Context<'_>) -> Option<(Socket, Address)> {
        let mut at = 0;
        while at < self.running.len() {
            match self.running[at].1.as_mut().poll(task) {
                Poll::Ready(Ok(socket)) => {
                    let (address, _) = self.running.swap_remove(at);
                    return Some((socket, address));
                }
                Poll::Ready(Err(error)) => {
                    let (address, _) = self.running.swap_remove(at);
                    self.error = Some((error, address));
                    // A failure needs no waiting for the next address.
                    self.next_at = self.worker.now();
                }
                Poll::Pending => at += 1,
            }
        }
        None
    }
}

impl Future for Attempts {
    /// The error is `None` where time ran out.
    type Output = Result<(Socket, Address), Option<(io::Error, Address)>>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.worker.tick();
        loop {
            if let Some(connected) = this.poll_running(task) {
                return Poll::Ready(Ok(connected));
            }
            let now = this.worker.now();
            if now >= this.next_at && this.start_next() {
                continue;
            }
            if this.running.is_empty() {
                let failed = this.error.take().unwrap_or_else(no_address);
                return Poll::Ready(Err(Some(failed)));
            }
            if now >= this.give_up_at {
                return Poll::Ready(Err(None));
            }
            let more = !this.untried.as_slice().is_empty();
            let until = if more {
                this.next_at.min(this.give_up_at)
            } else {
                this.give_up_at
            };
            let worker = Rc::clone(&this.worker);
            if this.timer.poll(&worker, Some(until), task).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.timer.disarm(&self.worker);
    }
}

fn no_address() -> (io::Error, Address) {
    let error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    (error, Address::Pipe("".into()))
}

/// Whether this process, or this machine, has no more of something.
fn is_exhaustion(error: &io::Error) -> bool {
    let exhausted = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| exhausted.contains(&code))
}

/// As Envoy words it: what the system says at once is told from what it says later. `unbound`: the
/// address of ours that could not be had.
fn failure(
    error: &io::Error,
    address: &Address,
    unbound: Option<SocketAddr>,
    ours: bool,
) -> PoolFailure {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut};
    let later = matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | TimedOut
    );
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let reason = match (unbound, address) {
        (Some(source), _) => format!("failed to bind to {source}: {text}"),
        (None, Address::Ip(_)) if later => format!("delayed connect error: {text}"),
        _ => format!("immediate connect error: {text}|remote address:{address}"),
    };
    PoolFailure {
        reason: if ours {
            ResetReason::LocalConnectionFailure
        } else {
            ResetReason::RemoteConnectionFailure
        },
        transport_failure_reason: reason.into(),
        at_host: true,
    }
}
