//! Waits for a connection's transport socket before its filters are made.

use crate::active::Active;
use crate::local::{LocalChain, LocalListener};
use nuncio_net::{ConnectionEvent, Transport};
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Timer;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Why a connection failed whose handshake took too long.
const CONNECT_TIMEOUT: &str = "connect timeout";

/// A connection whose transport socket isn't ready.
pub(crate) struct Handshake {
    listener: Rc<LocalListener>,
    chain: Rc<LocalChain>,
    parts: Option<(Transport, ConnectionInfo, Active)>,
    timer: Timer,
}

impl Handshake {
    pub fn new(
        listener: Rc<LocalListener>,
        chain: Rc<LocalChain>,
        parts: (Transport, ConnectionInfo, Active),
    ) -> Self {
        Self {
            listener,
            chain,
            parts: Some(parts),
            timer: Timer::default(),
        }
    }

    /// Closes the connection, and lets the logs know why.
    fn give_up(&mut self, event: ConnectionEvent) {
        self.chain.count_failed_handshake(event);
        if let Some((transport, info, mut active)) = self.parts.take() {
            drop(transport);
            active.begin(&Rc::new(info));
        }
    }
}

impl Future for Handshake {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let worker = this.listener.worker();
        worker.tick();
        let Some((transport, info, _)) = &mut this.parts else {
            return Poll::Ready(());
        };
        if let Transport::Layered(layer) = transport {
            match layer.poll_handshake(task) {
                Poll::Ready(Ok(())) => info.tls = layer.tls().cloned(),
                Poll::Ready(Err(_)) => {
                    info.tls = layer.tls().cloned();
                    info.transport_failure_reason = layer.failure().cloned();
                    this.give_up(ConnectionEvent::RemoteClose);
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    let timeout = this.chain.spec.transport_socket_connect_timeout;
                    let deadline = timeout.map(|timeout| info.start + timeout);
                    if this.timer.poll(worker, deadline, task).is_ready() {
                        let stats = &this.listener.stats;
                        stats.downstream_cx_transport_socket_connect_timeout().inc();
                        info.transport_failure_reason = Some(CONNECT_TIMEOUT.into());
                        this.give_up(ConnectionEvent::LocalClose);
                        return Poll::Ready(());
                    }
                    return Poll::Pending;
                }
            }
        }
        if let Some((transport, info, active)) = this.parts.take() {
            this.listener.run(&this.chain, transport, info, active);
        }
        Poll::Ready(())
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.timer.disarm(self.listener.worker());
    }
}
