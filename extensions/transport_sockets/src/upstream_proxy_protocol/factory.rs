//! What headers are made of.

use super::header::HeaderSocket;
use nuncio_base::address::Address;
use nuncio_codec::proxy_protocol::{Endpoints, write_v1, write_v2};
use nuncio_config::proxy_protocol::TlvValue;
use nuncio_http::format_cx::with_headers;
use nuncio_net::{
    Downstream, LocalUpstreamSocketFactory, Socket, SocketWants, Transport, UpstreamConnection,
    UpstreamSocketFactory,
};
use nuncio_stream_info::proxy_protocol::PassThrough;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use nuncio_worker::Worker;
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// Which header is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The transport socket as configured.
pub struct ProxyProtocolSpec {
    /// The header's version.
    pub version: Version,
    /// Which values of the downstream connection's header are sent.
    pub passed: PassThrough,
    /// What is sent besides.
    pub added: Arc<[(u8, TlvValue)]>,
    /// The wrapped socket; `None`: the plain one.
    pub inner: Option<Arc<dyn UpstreamSocketFactory>>,
}

impl UpstreamSocketFactory for ProxyProtocolSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalUpstreamSocketFactory> {
        let inner = self.inner.as_ref();
        Rc::new(LocalProxyProtocol {
            worker: Rc::clone(worker),
            version: self.version,
            passed: self.passed.clone(),
            added: Arc::clone(&self.added),
            inner: inner.map(|inner| inner.localize(worker)),
        })
    }

    fn wants(&self) -> SocketWants {
        let own = SocketWants {
            downstream: true,
            ..SocketWants::default()
        };
        let inner = self.inner.as_ref();
        inner.map_or(own, |inner| inner.wants().or(own))
    }
}

struct LocalProxyProtocol {
    worker: Rc<Worker>,
    version: Version,
    passed: PassThrough,
    added: Arc<[(u8, TlvValue)]>,
    inner: Option<Rc<dyn LocalUpstreamSocketFactory>>,
}

impl LocalUpstreamSocketFactory for LocalProxyProtocol {
    fn create(&self, socket: Socket, connection: &UpstreamConnection<'_>) -> Transport {
        let header = match (self.version, &connection.options.downstream) {
            (Version::V1, Some(downstream)) => write_v1(endpoints(downstream)),
            // Nobody's connection is our own, as one that checks the host's health.
            (Version::V1, None) => write_v1(own_endpoints(&socket)),
            (Version::V2, Some(downstream)) => self.write_v2(&socket, connection, downstream),
            (Version::V2, None) => write_v2(None, std::iter::empty()),
        };
        let inner = match &self.inner {
            Some(inner) => inner.create(socket, connection),
            None => Transport::Raw(socket),
        };
        Transport::Layered(Box::new(HeaderSocket::new(header, inner)))
    }

    fn is_secure(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.is_secure())
    }
}

impl LocalProxyProtocol {
    /// What the host adds goes before what the cluster adds, and that before what is passed on: of
    /// one type only the first of these speaks.
    fn write_v2(
        &self,
        socket: &Socket,
        connection: &UpstreamConnection<'_>,
        downstream: &Downstream,
    ) -> Vec<u8> {
        let of_host = connection.host_tlvs;
        let has = |kind: &u8, known: &[(u8, Vec<u8>)]| known.iter().any(|(other, _)| other == kind);
        let added = self.added.iter().filter(|(kind, _)| !has(kind, of_host));
        let added: Vec<(u8, Cow<'_, [u8]>)> = added
            .map(|(kind, value)| (*kind, self.value(value, socket)))
            .collect();
        let passed = downstream.tlvs.as_deref().unwrap_or_default().iter();
        let passed = passed.filter(|(kind, _)| {
            self.passed.passes(*kind)
                && !has(kind, of_host)
                && !added.iter().any(|(other, _)| other == kind)
        });
        let of_host = of_host
            .iter()
            .map(|(kind, value)| (*kind, value.as_slice()));
        let passed = passed.map(|(kind, value)| (*kind, value.as_slice()));
        let added = added.iter().map(|(kind, value)| (*kind, &**value));
        write_v2(endpoints(downstream), of_host.chain(added).chain(passed))
    }

    fn value<'a>(&self, value: &'a TlvValue, socket: &Socket) -> Cow<'a, [u8]> {
        let format = match value {
            TlvValue::Bytes(bytes) => return Cow::Borrowed(bytes),
            TlvValue::Format(format) => format,
        };
        // As in Envoy what is formatted is the connection to the host.
        let unknown = || Address::Pipe("".into());
        let (now, wall) = (self.worker.now(), self.worker.wall());
        let local = socket.local_address().unwrap_or_else(unknown);
        let remote = socket.peer_address().unwrap_or_else(unknown);
        let connection = ConnectionInfo::new(0, local, remote.clone(), (now, wall));
        let mut info = StreamInfo::new(Rc::new(connection), Timings::new(wall, now));
        info.upstream_mut().address = Some(remote);
        let mut text = Vec::new();
        with_headers(&self.worker, &info, None, None, |cx| {
            format.append(cx, &mut text);
        });
        Cow::Owned(text)
    }
}

fn endpoints(downstream: &Downstream) -> Option<Endpoints> {
    Some(Endpoints {
        source: downstream.source.ip()?,
        destination: downstream.destination.ip()?,
    })
}

fn own_endpoints(socket: &Socket) -> Option<Endpoints> {
    Some(Endpoints {
        source: socket.local_address()?.ip()?,
        destination: socket.peer_address()?.ip()?,
    })
}
