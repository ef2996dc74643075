//! Makes a connection's transport of its socket: the handshake of TLS, within the cluster's time.

use super::PoolFailure;
use super::connect::{Connected, Use};
use super::counted::{Cause, CountedConnection};
use nuncio_base::address::Address;
use nuncio_codec::ResetReason;
use nuncio_net::{Socket, Transport, TransportSocket, TransportSocketOptions, UpstreamConnection};
use nuncio_worker::{Timer, Worker};
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

/// The transport over a socket to `counted`'s host; failures are counted.
pub(super) async fn secure(
    counted: &mut CountedConnection,
    (socket, address): (Socket, Address),
    (purpose, options): (Use, &TransportSocketOptions),
) -> Result<Connected, PoolFailure> {
    let core = Rc::clone(&counted.core);
    let factory = core
        .sockets
        .of(&core.spec().transport_sockets, &counted.host);
    let transport = match factory {
        None => Transport::Raw(socket),
        Some(factory) => factory.create(
            socket,
            &UpstreamConnection {
                host_name: counted.host.hostname(),
                host_metadata: counted.host.metadata().map(|data| &**data),
                alpn_fallback: purpose.alpn(),
                host_tlvs: counted.host.added_tlvs(),
                options,
            },
        ),
    };
    let transport = match transport {
        Transport::Raw(_) => transport,
        Transport::Layered(mut layer) => {
            let give_up_at = counted.connect_start + core.spec().connect_timeout;
            match handshake(&mut *layer, &core.worker, give_up_at).await {
                Some(Ok(())) => match layer.take_inner() {
                    None => Transport::Layered(layer),
                    Some((inner, sent)) => {
                        core.stats.upstream_cx_tx_bytes_total().add(sent);
                        inner
                    }
                },
                outcome => {
                    let timeout = outcome.is_none();
                    let cause = if timeout {
                        Cause::Timeout
                    } else {
                        Cause::Remote
                    };
                    counted.connect_failed(cause);
                    return Err(PoolFailure {
                        reason: match timeout {
                            true => ResetReason::ConnectionTimeout,
                            false => ResetReason::RemoteConnectionFailure,
                        },
                        transport_failure_reason: layer.failure().cloned().unwrap_or_default(),
                        at_host: true,
                    });
                }
            }
        }
    };
    Ok(Connected { transport, address })
}

/// The handshake's outcome, or `None` where time ran out.
async fn handshake(
    layer: &mut dyn TransportSocket,
    worker: &Rc<Worker>,
    give_up_at: Instant,
) -> Option<io::Result<()>> {
    let mut timer = Timer::default();
    let outcome = std::future::poll_fn(|task| {
        worker.tick();
        match layer.poll_handshake(task) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => timer.poll(worker, Some(give_up_at), task).map(|()| None),
        }
    })
    .await;
    timer.disarm(worker);
    outcome
}
