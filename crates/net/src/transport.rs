//! What bytes pass on their way to the socket: nothing, or a layer such as TLS.

use crate::socket::Socket;
use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_stream_info::TlsInfo;
use nuncio_worker::Worker;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A layer between a connection and its socket (Envoy's transport sockets). It owns the socket.
pub trait TransportSocket {
    /// Goes on with the handshake; ready when data can flow.
    fn poll_handshake(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// As [`Socket::poll_read`].
    fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>>;
    /// As [`Socket::poll_write`].
    fn poll_write(&mut self, task: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>>;
    /// As [`Transport::write_late`]; a layer that can't writes at once.
    fn write_late(&mut self, _worker: &Worker, _from: &mut Buffer) -> bool {
        false
    }
    /// As [`Socket::poll_end_write`].
    fn poll_end_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// The socket below.
    fn socket(&self) -> &Socket;
    /// What the handshake found out, once it is over.
    fn tls(&self) -> Option<&Arc<TlsInfo>>;
    /// Why the layer failed, as Envoy words it.
    fn failure(&self) -> Option<&Arc<str>>;
    /// What is left of a layer that was needed for the handshake alone, with the number of bytes
    /// that it has sent.
    fn take_inner(&mut self) -> Option<(Transport, u64)> {
        None
    }
}

/// A connection's transport. The plain socket, the commonest, is called directly.
pub enum Transport {
    /// The socket itself (`envoy.transport_sockets.raw_buffer`).
    Raw(Socket),
    /// A layer over it.
    Layered(Box<dyn TransportSocket>),
}

impl Transport {
    /// As [`Socket::poll_read`].
    pub fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Raw(socket) => socket.poll_read(task, block),
            Self::Layered(layer) => layer.poll_read(task, block),
        }
    }

    /// As [`Socket::poll_write`].
    pub fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        from: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Raw(socket) => socket.poll_write(task, from),
            Self::Layered(layer) => layer.poll_write(task, from),
        }
    }

    /// Puts a small write off until the other ready connections had their turn, where the
    /// transport can; whether it did, and `from` is empty.
    pub fn write_late(&mut self, worker: &Worker, from: &mut Buffer) -> bool {
        match self {
            Self::Raw(socket) => socket.write_late(worker, from),
            Self::Layered(layer) => layer.write_late(worker, from),
        }
    }

    /// Whether a write that was put off did not go: [`poll_write`](Self::poll_write) goes on with
    /// it, as if it were in front of what it is given, or tells that it failed.
    pub fn is_stuck(&self) -> bool {
        self.socket().is_stuck()
    }

    /// Whether nothing that was written waits here.
    pub fn is_flushed(&self) -> bool {
        self.socket().is_flushed()
    }

    /// As [`Socket::poll_end_write`].
    pub fn poll_end_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Raw(socket) => socket.poll_end_write(task),
            Self::Layered(layer) => layer.poll_end_write(task),
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Raw(socket) => socket,
            Self::Layered(layer) => layer.socket(),
        }
    }

    /// Whether it is known that there is nothing to be read, not even the end; of plain TCP only.
    pub fn is_quiet(&self) -> bool {
        matches!(self, Self::Raw(Socket::Tcp(socket)) if socket.is_quiet())
    }

    /// What TLS found out, where there is TLS.
    pub fn tls(&self) -> Option<&Arc<TlsInfo>> {
        match self {
            Self::Raw(_) => None,
            Self::Layered(layer) => layer.tls(),
        }
    }

    /// The kernel's socket, where nothing lies over it: what `splice` needs.
    pub fn raw(&self) -> Option<&Socket> {
        match self {
            Self::Raw(socket) => Some(socket).filter(|socket| socket.is_kernels()),
            Self::Layered(_) => None,
        }
    }
}
