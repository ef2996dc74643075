//! A health check's own connection to a host: no pool, and not counted as traffic.

use super::exchange::HttpConnection;
use super::host_health::Failure;
use super::http1::Http1Connection;
use super::http2::Http2Connection;
use crate::cluster::ClusterInfo;
use crate::host::Host;
use crate::stats::ClusterUpdateStats;
use crate::transport::LocalSockets;
use bytes::Bytes;
use nuncio_base::Buffer;
use nuncio_base::metadata::Fields;
use nuncio_codec::h1::H1Stats;
use nuncio_codec::h2::{H2Local, H2Stats};
use nuncio_net::{AlpnFallback, Socket, Transport, UpstreamConnection};
use nuncio_worker::Worker;
use std::cell::OnceCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What connections are made with.
pub(super) struct Connector {
    pub worker: Rc<Worker>,
    pub info: Arc<ClusterInfo>,
    pub sockets: LocalSockets,
    stats: ClusterUpdateStats,
    /// There from the first HTTP connection on.
    http1_stats: OnceCell<H1Stats>,
    http2: OnceCell<Rc<H2Local>>,
}

impl Connector {
    pub fn new(worker: &Rc<Worker>, info: &Arc<ClusterInfo>) -> Self {
        Self {
            worker: Rc::clone(worker),
            info: Arc::clone(info),
            sockets: info.spec.transport_sockets.localize(worker),
            stats: info.update_stats.local(),
            http1_stats: OnceCell::new(),
            http2: OnceCell::new(),
        }
    }

    /// Connects for HTTP.
    pub async fn connect_http(&self, host: &Host, http2: bool) -> Result<HttpConnection, Failure> {
        let alpn: AlpnFallback = if http2 { &[b"h2"] } else { &[b"http/1.1"] };
        let connection = self.connect(host, alpn).await?;
        let (scope, http) = (&self.info.scope, &self.info.spec.http);
        // The codec's stats are there, as in Envoy, from the first connection on.
        if http2 {
            let local = self.http2.get_or_init(|| {
                Rc::new(H2Local {
                    settings: Arc::clone(&http.http2),
                    stats: scope.scope("http2").group::<H2Stats>().local(),
                })
            });
            let connection = Http2Connection::new(connection, local);
            return Ok(HttpConnection::Http2(Box::new(connection)));
        }
        let stats = || scope.scope("http1").group::<H1Stats>().local();
        self.http1_stats.get_or_init(stats);
        let connection = Http1Connection::new(connection, &http.http1);
        Ok(HttpConnection::Http1(Box::new(connection)))
    }

    /// Connects to where `host` is checked. The caller limits the time.
    pub async fn connect(&self, host: &Host, alpn: AlpnFallback) -> Result<Connection, Failure> {
        let spec = &self.info.spec;
        let (address, options) = (host.check_address(), &spec.socket_options);
        let socket = Socket::connect(&self.worker, &address, options).await;
        let socket = socket.map_err(|_| Failure::Network)?;
        let place = self.place(host);
        if self.criteria().is_some() {
            self.info.count_socket_match_at(place, &self.stats);
        }
        let factory = self.sockets.at(place);
        let mut transport = match factory {
            None => Transport::Raw(socket),
            Some(factory) => {
                let host_name = host.hostname();
                let connection = UpstreamConnection {
                    host_name,
                    host_metadata: host.metadata().map(|data| &**data),
                    alpn_fallback: alpn,
                    host_tlvs: host.added_tlvs(),
                    options: &nuncio_net::TransportSocketOptions::default(),
                };
                factory.create(socket, &connection)
            }
        };
        if let Transport::Layered(layer) = &mut transport {
            let handshake = poll_fn(|task| layer.poll_handshake(task)).await;
            handshake.map_err(|_| Failure::Network)?;
            if let Some((inner, _)) = layer.take_inner() {
                transport = inner;
            }
        }
        Ok(Connection {
            worker: Rc::clone(&self.worker),
            transport,
        })
    }

    /// Whether connections to `host` are secured: what `:scheme` tells.
    pub fn is_secure(&self, host: &Host) -> bool {
        let socket = self.sockets.at(self.place(host));
        socket.is_some_and(|socket| socket.is_secure())
    }

    fn criteria(&self) -> Option<&Fields> {
        let check = self.info.spec.health_check.as_ref()?;
        check.transport_socket_match_criteria.as_ref()
    }

    /// Which transport socket match is taken for a host.
    fn place(&self, host: &Host) -> Option<usize> {
        let sockets = &self.info.spec.transport_sockets;
        match self.criteria() {
            Some(criteria) => sockets.find_for(criteria),
            None => sockets.find(host),
        }
    }
}

/// A connection.
pub(super) struct Connection {
    worker: Rc<Worker>,
    transport: Transport,
}

impl Connection {
    /// Writes all of `from`.
    pub async fn write(&mut self, from: &mut Buffer) -> Result<(), Failure> {
        poll_fn(|task| self.poll_write(task, from)).await
    }

    /// As [`write`](Self::write).
    pub fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        from: &mut Buffer,
    ) -> Poll<Result<(), Failure>> {
        let written = self.transport.poll_write(task, from);
        written.map_err(|_| Failure::Network)
    }

    /// Reads what comes; nothing is the end.
    pub async fn read(&mut self) -> Result<Bytes, Failure> {
        poll_fn(|task| self.poll_read(task)).await
    }

    /// As [`read`](Self::read). While nothing is awaited, anything means that the connection is of
    /// no more use.
    pub fn poll_read(&mut self, task: &mut Context<'_>) -> Poll<Result<Bytes, Failure>> {
        let transport = &mut self.transport;
        self.worker.with_read_block(|block| {
            let read = transport.poll_read(task, block);
            read.map(|read| match read {
                Ok(_) => Ok(block.split().freeze()),
                Err(_) => Err(Failure::Network),
            })
        })
    }
}
