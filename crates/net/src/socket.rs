//! A connected stream socket: TCP, Unix, or inside this worker.

use crate::internal_listeners::InternalListeners;
use crate::internal_socket::InternalSocket;
use crate::socket_options::{SocketOptions, round_trip_time};
use crate::tcp_socket::TcpSocket;
use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_base::address::Address;
use nuncio_worker::Worker;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::poll_read_buf;

/// How many slices one vectored write takes.
pub(crate) const SLICES: usize = 16;

/// A number for a new connection, unique in this process, downstream or upstream.
pub fn next_connection_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A connected socket, driven by the worker that owns it.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(Rc<TcpSocket>),
    /// A Unix stream socket.
    Unix(Box<UnixStream>),
    /// To or from an internal listener.
    Internal(Box<InternalSocket>),
}

impl Socket {
    /// A connected TCP stream.
    pub fn tcp(stream: TcpStream) -> Self {
        Self::Tcp(Rc::new(TcpSocket::new(stream)))
    }

    /// A connected Unix stream.
    pub fn unix(stream: UnixStream) -> Self {
        Self::Unix(Box::new(stream))
    }

    /// Connects to `address` on `worker`, with options set before.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(
        worker: &Worker,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Self> {
        match address {
            Address::Ip(ip) => {
                let socket = if ip.is_ipv4() {
                    tokio::net::TcpSocket::new_v4()?
                } else {
                    tokio::net::TcpSocket::new_v6()?
                };
                if let Some(source) = options.apply_for(&socket, *ip)? {
                    socket.bind(source)?;
                }
                let stream = socket.connect(*ip).await?;
                stream.set_nodelay(true)?;
                Ok(Self::tcp(stream))
            }
            Address::Pipe(path) => Ok(Self::unix(connect_unix(path).await?)),
            Address::Internal(address) => {
                let listeners: Rc<InternalListeners> = worker.services().get_or_default();
                Ok(Self::Internal(Box::new(listeners.connect(address)?)))
            }
        }
    }

    /// Reads what is there, one read at most, into `block`'s spare room; 0 is the end. A short
    /// read is taken as drained: the next call waits without asking the system again.
    pub fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => socket.poll_read(task, block),
            Self::Unix(stream) => poll_read_buf(Pin::new(stream.as_mut()), task, block),
            Self::Internal(socket) => socket.poll_read(task, block),
        }
    }

    /// Writes as much of `from` as goes, and takes it off; ready when all is written.
    pub fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        from: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        let stream = match self {
            Self::Tcp(socket) => return socket.poll_write(task, from),
            Self::Internal(socket) => return socket.poll_write(task, from),
            Self::Unix(stream) => stream,
        };
        while !from.is_empty() {
            let mut slices = [io::IoSlice::new(&[]); SLICES];
            let count = from.io_slices(&mut slices);
            let stream = Pin::new(stream.as_mut());
            let written = ready!(stream.poll_write_vectored(task, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            from.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends bytes in front of what a layer above will write; ready when all are sent.
    ///
    /// # Errors
    /// What the system says.
    pub fn poll_send(&self, task: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>> {
        if let Self::Internal(socket) = self {
            return socket.poll_write(task, from);
        }
        while !from.is_empty() {
            ready!(self.poll_write_ready(task))?;
            let sent = self.try_io(Interest::WRITABLE, |socket| {
                let flags = rustix::net::SendFlags::NOSIGNAL;
                Ok(rustix::net::send(socket, from.front(), flags)?)
            });
            match sent {
                Ok(sent) => from.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when something may be read, the end included.
    pub(crate) fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.stream().poll_read_ready(task),
            Self::Unix(stream) => stream.poll_read_ready(task),
            Self::Internal(_) => Poll::Ready(Err(no_kernel())),
        }
    }

    /// Ready when something may be written.
    pub(crate) fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.stream().poll_write_ready(task),
            Self::Unix(stream) => stream.poll_write_ready(task),
            Self::Internal(_) => Poll::Ready(Err(no_kernel())),
        }
    }

    /// Where the peer wanted to go, where the system has sent it elsewhere (`SO_ORIGINAL_DST`).
    pub fn original_destination(&self) -> Option<std::net::SocketAddr> {
        let Self::Tcp(tcp) = self else {
            return None;
        };
        let socket = socket2::SockRef::from(tcp.stream());
        let found = match tcp.stream().local_addr().ok()?.is_ipv4() {
            true => socket.original_dst_v4(),
            false => socket.original_dst_v6(),
        };
        found.ok()?.as_socket()
    }

    /// How long the peer takes to answer, as the kernel has measured it; of TCP only.
    pub fn round_trip_time(&self) -> Option<Duration> {
        match self {
            Self::Tcp(socket) => round_trip_time(socket.stream().as_fd()),
            Self::Unix(_) | Self::Internal(_) => None,
        }
    }

    /// Runs a system call on the socket; where that would block, the socket counts as not ready.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        match self {
            Self::Tcp(socket) => {
                let stream = socket.stream();
                stream.try_io(interest, || call(stream.as_fd()))
            }
            Self::Unix(stream) => stream.try_io(interest, || call(stream.as_fd())),
            Self::Internal(_) => Err(no_kernel()),
        }
    }

    /// Whether the kernel has it: else no system call knows it.
    pub fn is_kernels(&self) -> bool {
        !matches!(self, Self::Internal(_))
    }

    /// The end inside this worker, if it is one.
    pub fn internal(&self) -> Option<&InternalSocket> {
        match self {
            Self::Internal(socket) => Some(socket),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// As [`Transport::write_late`](crate::Transport::write_late).
    pub fn write_late(&self, worker: &Worker, from: &mut Buffer) -> bool {
        match self {
            Self::Tcp(socket) => socket.write_late(worker, from),
            Self::Unix(_) | Self::Internal(_) => false,
        }
    }

    /// As [`Transport::is_stuck`](crate::Transport::is_stuck).
    pub fn is_stuck(&self) -> bool {
        matches!(self, Self::Tcp(socket) if socket.is_stuck())
    }

    /// Whether nothing that was put off waits here.
    pub fn is_flushed(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.has_none_late(),
            Self::Unix(_) | Self::Internal(_) => true,
        }
    }

    /// Writes what was put off: what is to be written past it comes behind it.
    ///
    /// # Errors
    /// The peer takes nothing any more.
    pub fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_flush(task),
            Self::Unix(_) | Self::Internal(_) => Poll::Ready(Ok(())),
        }
    }

    /// Ends the writing direction.
    pub fn poll_end_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.poll_end_write(task),
            Self::Unix(stream) => Pin::new(stream.as_mut()).poll_shutdown(task),
            Self::Internal(socket) => {
                socket.end_write();
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Makes closing send a reset instead of a normal end.
    pub fn reset_on_close(&self) {
        match self {
            Self::Tcp(socket) => {
                socket.forget_late();
                // A socket that can't be set is already gone.
                let _ = socket2::SockRef::from(socket.stream()).set_linger(Some(Duration::ZERO));
            }
            Self::Unix(_) => {}
            Self::Internal(socket) => socket.reset_on_close(),
        }
    }

    /// The socket's own address.
    pub fn local_address(&self) -> Option<Address> {
        match self {
            Self::Tcp(socket) => socket.stream().local_addr().ok().map(Address::Ip),
            Self::Unix(stream) => stream.local_addr().ok().map(|a| unix_address(&a)),
            Self::Internal(socket) => Some(socket.local_address().clone()),
        }
    }

    /// The peer's address.
    pub fn peer_address(&self) -> Option<Address> {
        match self {
            Self::Tcp(socket) => socket.stream().peer_addr().ok().map(Address::Ip),
            Self::Unix(stream) => stream.peer_addr().ok().map(|a| unix_address(&a)),
            Self::Internal(socket) => Some(socket.peer_address().clone()),
        }
    }
}

impl Socket {
    /// Takes the socket off this worker, to be handed to another.
    ///
    /// # Errors
    /// What the system says; the socket is closed then. One inside this worker stays there.
    pub fn detach(self) -> io::Result<DetachedSocket> {
        Ok(match self {
            Self::Tcp(socket) => {
                // Before its connection begins nobody else has it.
                let socket = Rc::try_unwrap(socket).map_err(|_| io::ErrorKind::ResourceBusy)?;
                DetachedSocket::Tcp(socket.into_stream().into_std()?)
            }
            Self::Unix(stream) => DetachedSocket::Unix(stream.into_std()?),
            Self::Internal(_) => return Err(no_kernel()),
        })
    }
}

/// A connected socket between two workers.
#[derive(Debug)]
pub enum DetachedSocket {
    /// TCP over IPv4 or IPv6.
    Tcp(std::net::TcpStream),
    /// A Unix stream socket.
    Unix(std::os::unix::net::UnixStream),
}

impl DetachedSocket {
    /// The socket on the calling worker.
    ///
    /// # Errors
    /// What the system says; the socket is closed then.
    pub fn attach(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Socket::unix(UnixStream::from_std(stream)?),
        })
    }
}

/// What is asked of the kernel of a socket that it doesn't have.
fn no_kernel() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

async fn connect_unix(path: &str) -> io::Result<UnixStream> {
    match path.strip_prefix('@') {
        // A leading `@` names a socket of the abstract namespace, which begins with a zero byte.
        Some(name) => UnixStream::connect(format!("\0{name}")).await,
        None => UnixStream::connect(path).await,
    }
}

/// A Unix socket's address as Envoy shows it: empty where the peer has no name.
pub fn unix_address(address: &tokio::net::unix::SocketAddr) -> Address {
    let text = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => path.to_string_lossy().into_owned(),
        (None, Some(name)) => format!("@{}", String::from_utf8_lossy(name)),
        (None, None) => String::new(),
    };
    Address::Pipe(text.into())
}
