//! The header, sent before anything else; then the wrapped socket is all that is left.

use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_net::{Socket, Transport, TransportSocket};
use nuncio_stream_info::TlsInfo;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A socket whose header is on its way.
pub struct HeaderSocket {
    header: Buffer,
    /// How long the header is.
    length: u64,
    /// There until it is taken.
    inner: Option<Transport>,
}

impl HeaderSocket {
    /// `inner`, once the header is sent.
    pub fn new(header: Vec<u8>, inner: Transport) -> Self {
        Self {
            length: header.len() as u64,
            header: header.into(),
            inner: Some(inner),
        }
    }

    fn inner(&mut self) -> io::Result<&mut Transport> {
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.inner.as_mut().ok_or_else(gone)
    }
}

impl TransportSocket for HeaderSocket {
    fn poll_handshake(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { header, inner, .. } = self;
        let Some(inner) = inner else {
            return Poll::Ready(Ok(()));
        };
        ready!(inner.socket().poll_send(task, header))?;
        match inner {
            Transport::Raw(_) => Poll::Ready(Ok(())),
            Transport::Layered(layer) => layer.poll_handshake(task),
        }
    }

    fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        self.inner()?.poll_read(task, block)
    }

    fn poll_write(&mut self, task: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>> {
        self.inner()?.poll_write(task, from)
    }

    fn poll_end_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_end_write(task)
    }

    fn socket(&self) -> &Socket {
        self.inner
            .as_ref()
            .expect("asked before it is taken")
            .socket()
    }

    fn tls(&self) -> Option<&Arc<TlsInfo>> {
        self.inner.as_ref()?.tls()
    }

    fn failure(&self) -> Option<&Arc<str>> {
        match self.inner.as_ref()? {
            Transport::Raw(_) => None,
            Transport::Layered(layer) => layer.failure(),
        }
    }

    fn take_inner(&mut self) -> Option<(Transport, u64)> {
        Some((self.inner.take()?, self.length))
    }
}
