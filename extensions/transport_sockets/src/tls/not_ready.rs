//! The transport of a connection whose context still waits for its secrets: it fails at once.

use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_net::{Socket, TransportSocket};
use nuncio_stream_info::TlsInfo;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// In Envoy's words.
const FAILURE: &str = "TLS error: Secret is not supplied by SDS";

/// A transport that fails at once.
pub struct NotReadySocket {
    socket: Socket,
    failure: Arc<str>,
}

impl NotReadySocket {
    /// Over `socket`, of which nothing is read.
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            failure: FAILURE.into(),
        }
    }
}

fn refused<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl TransportSocket for NotReadySocket {
    fn poll_handshake(&mut self, _task: &mut Context<'_>) -> Poll<io::Result<()>> {
        refused()
    }

    fn poll_read(
        &mut self,
        _task: &mut Context<'_>,
        _block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        refused()
    }

    fn poll_write(&mut self, _task: &mut Context<'_>, _from: &mut Buffer) -> Poll<io::Result<()>> {
        refused()
    }

    fn poll_end_write(&mut self, _task: &mut Context<'_>) -> Poll<io::Result<()>> {
        refused()
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn tls(&self) -> Option<&Arc<TlsInfo>> {
        None
    }

    fn failure(&self) -> Option<&Arc<str>> {
        Some(&self.failure)
    }
}
