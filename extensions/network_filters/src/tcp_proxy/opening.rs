//! An upstream on its way: a connection, or a stream whose response must be good first.

use super::carrier::Carrier;
use super::relay::Relay;
use super::tunnel::Tunnel;
use super::tunnel_headers::TunnelHeaders;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_stream_info::{ConnectionInfo, Protocol, UpstreamInfo};
use nuncio_upstream::{
    ClientStream, Host, LocalCluster, PoolFailure, StreamRequest, TcpConnection, TcpRequest,
};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// What was asked for.
pub(super) enum Opening {
    Tcp(TcpRequest),
    Tunnel(Box<OpeningTunnel>),
}

/// A stream, and what it asks for.
pub(super) struct OpeningTunnel {
    host: Arc<Host>,
    request: StreamRequest,
    head: HeaderMap,
    stream: Option<ClientStream>,
    /// Where what is kept of the response goes.
    kept: (TunnelHeaders, Rc<ConnectionInfo>),
}

/// What is there.
pub(super) enum Opened {
    Tcp(Box<TcpConnection>),
    Tunnel(ClientStream),
}

impl Opening {
    /// Asks for a stream with this head.
    pub fn tunnel(
        host: &Arc<Host>,
        request: StreamRequest,
        head: HeaderMap,
        kept: (TunnelHeaders, Rc<ConnectionInfo>),
    ) -> Self {
        Self::Tunnel(Box::new(OpeningTunnel {
            host: Arc::clone(host),
            request,
            head,
            stream: None,
            kept,
        }))
    }

    /// The host that was chosen.
    pub fn host(&self) -> &Arc<Host> {
        match self {
            Self::Tcp(request) => request.host(),
            Self::Tunnel(tunnel) => &tunnel.host,
        }
    }

    /// Ready once bytes can flow.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<Opened, PoolFailure>> {
        match self {
            Self::Tcp(request) => {
                let opened = ready!(request.poll(task));
                Poll::Ready(opened.map(|connection| Opened::Tcp(Box::new(connection))))
            }
            Self::Tunnel(tunnel) => Poll::Ready(ready!(tunnel.poll(task)).map(Opened::Tunnel)),
        }
    }
}

impl OpeningTunnel {
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<ClientStream, PoolFailure>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match ready!(self.request.poll(task)) {
                Ok(mut stream) => {
                    stream.send_headers(&self.head, End::No);
                    stream
                }
                Err(failure) => return Poll::Ready(Err(failure)),
            },
        };
        loop {
            let Poll::Ready(frame) = stream.poll(task) else {
                self.stream = Some(stream);
                return Poll::Pending;
            };
            match frame {
                Frame::Informational(_) => {}
                Frame::Headers(head, end) => {
                    let is_good = end == End::No && is_good(&head, stream.info().protocol);
                    let (kept, info) = &self.kept;
                    kept.keep_headers(head, info);
                    return Poll::Ready(if is_good { Ok(stream) } else { Err(refused()) });
                }
                _ => return Poll::Ready(Err(refused())),
            }
        }
    }
}

/// HTTP/1 takes any success for a tunnel (RFC 9110 section 9.3.6), HTTP/2 in Envoy only 200.
fn is_good(head: &HeaderMap, protocol: Protocol) -> bool {
    match (head.get(names::STATUS), protocol) {
        (Some(status), Protocol::Http2) => status == b"200",
        (Some(status), _) => status.starts_with(b"2"),
        (None, _) => false,
    }
}

/// To Envoy the connection failed.
fn refused() -> PoolFailure {
    PoolFailure {
        reason: ResetReason::RemoteConnectionFailure,
        transport_failure_reason: "".into(),
        at_host: false,
    }
}

impl Opened {
    /// Records which connection it is.
    pub fn describe(&self, upstream: &mut UpstreamInfo) {
        match self {
            Self::Tcp(connection) => {
                let facts = &connection.info;
                upstream.set_remote_address(&facts.remote_address);
                upstream.local_address.clone_from(&facts.local_address);
                upstream.connection_id = Some(facts.connection_id);
                upstream.tls.clone_from(&facts.tls);
                upstream.connect_start = Some(facts.connect_start);
                upstream.connect_end = Some(facts.connect_end);
            }
            Self::Tunnel(stream) => {
                let facts = stream.info();
                upstream.set_remote_address(&facts.remote_address);
                upstream.local_address.clone_from(&facts.local_address);
                upstream.connection_id = Some(facts.connection_id);
                upstream.protocol = Some(facts.protocol);
                upstream.streams_before = facts.streams_before;
                upstream.tls.clone_from(&facts.tls);
                upstream.connect_start = Some(facts.connect_start);
                upstream.connect_end = Some(facts.connect_end);
            }
        }
    }

    /// What carries bytes through it.
    pub fn carrier(self, cluster: Rc<LocalCluster>, now: Instant) -> Carrier {
        match self {
            Self::Tcp(connection) => {
                Carrier::Relay(Box::new(Relay::new(*connection, cluster, now)))
            }
            Self::Tunnel(stream) => Carrier::Tunnel(Box::new(Tunnel::new(stream, now))),
        }
    }
}
