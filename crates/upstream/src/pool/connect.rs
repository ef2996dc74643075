//! Makes a connection to a host: over all its addresses, within the cluster's time.

use super::PoolFailure;
use super::counted::CountedConnection;
use nuncio_base::address::Address;
use nuncio_codec::ResetReason;
use nuncio_net::{Socket, SocketOptions, Transport};
use nuncio_worker::{Timer, Worker};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
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

/// Connects to `counted`'s host, and counts how that went.
pub(crate) async fn connect(counted: &mut CountedConnection) -> Result<Connected, PoolFailure> {
    let core = Rc::clone(&counted.core);
    let attempts = Attempts {
        worker: Rc::clone(&core.worker),
        untried: counted.host.addresses().to_vec().into_iter(),
        options: Rc::new(core.spec().socket_options.clone()),
        running: Vec::new(),
        next_at: core.worker.now(),
        give_up_at: counted.connect_start + core.spec().connect_timeout,
        timer: Timer::default(),
        error: None,
    };
    match attempts.await {
        Ok(connected) => {
            counted.connected();
            Ok(connected)
        }
        Err(Some((error, address))) => {
            counted.connect_failed(false);
            Err(failure(&error, &address))
        }
        Err(None) => {
            counted.connect_failed(true);
            Err(PoolFailure {
                reason: ResetReason::ConnectionTimeout,
                transport_failure_reason: "".into(),
            })
        }
    }
}

type Attempt = (Address, Pin<Box<dyn Future<Output = io::Result<Socket>>>>);

/// Attempts on a host's addresses, one after the other, each beside the earlier ones.
struct Attempts {
    worker: Rc<Worker>,
    untried: std::vec::IntoIter<Address>,
    options: Rc<SocketOptions>,
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
        let (target, options) = (address.clone(), Rc::clone(&self.options));
        let attempt = async move { Socket::connect(&target, &options).await };
        self.running.push((address, Box::pin(attempt)));
        self.next_at = self.worker.now() + NEXT_ADDRESS;
        true
    }

    fn poll_running(&mut self, task: &mut Context<'_>) -> Option<Connected> {
        let mut at = 0;
        while at < self.running.len() {
            match self.running[at].1.as_mut().poll(task) {
                Poll::Ready(Ok(socket)) => {
                    let (address, _) = self.running.swap_remove(at);
                    return Some(Connected {
                        transport: Transport::Raw(socket),
                        address,
                    });
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
    type Output = Result<Connected, Option<(io::Error, Address)>>;

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

/// As Envoy words it: what the system says at once is told from what it says later.
fn failure(error: &io::Error, address: &Address) -> PoolFailure {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut};
    let later = matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | TimedOut
    );
    let when = match address {
        Address::Ip(_) if later => "delayed",
        _ => "immediate",
    };
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    PoolFailure {
        reason: ResetReason::RemoteConnectionFailure,
        transport_failure_reason: format!("{when} connect error: {text}").into(),
    }
}
