//! A TCP socket whose small writes may be put off until the other ready connections had their turn.

use crate::socket::SLICES;
use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_worker::{Late, Worker};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// From this many bytes on a write is not put off: what was just read is still in the cache, and
/// its read block is soon free again.
const WRITE_AT_ONCE: usize = 16 * 1024;

/// A connected TCP socket.
pub struct TcpSocket {
    stream: TcpStream,
    /// What was put off, or could not be written then.
    late: Cell<Option<Box<Buffer>>>,
    state: Cell<LateState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum LateState {
    /// There is nothing late.
    #[default]
    None,
    /// It is written at the end of the turn.
    PutOff,
    /// Not all of it could be written then: it goes as soon as the socket takes it.
    Stuck,
    /// The connection's task waits for the socket to take it.
    Waiting,
    Failed,
}

impl TcpSocket {
    /// A socket of a connected stream.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            late: Cell::new(None),
            state: Cell::default(),
        }
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The stream alone; what is late is lost.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// As [`Socket::poll_read`](crate::Socket::poll_read).
    pub(crate) fn poll_read(
        &self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(task))?;
            let room = block.capacity() - block.len();
            match self.stream.try_read_buf(block) {
                Ok(read) => {
                    if read > 0 && read < room {
                        // Whatever comes later is announced anew (`epoll(7)`, edge-triggered).
                        let drained = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                        let _ = self.stream.try_io(Interest::READABLE, drained);
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether the event loop knows of nothing to be read; nobody is woken when that changes.
    pub(crate) fn is_quiet(&self) -> bool {
        let known = self.stream.try_io(Interest::READABLE, || Ok(()));
        known.is_err()
    }

    /// Puts writing `from` off, where it is little and nothing is in its way; whether it did, and
    /// `from` is empty.
    pub(crate) fn write_late(self: &Rc<Self>, worker: &Worker, from: &mut Buffer) -> bool {
        let state = self.state.get();
        if from.len() >= WRITE_AT_ONCE || !matches!(state, LateState::None | LateState::PutOff) {
            return false;
        }
        let mut late = match self.late.take() {
            Some(late) if late.len() >= WRITE_AT_ONCE => {
                self.late.set(Some(late));
                return false;
            }
            Some(late) => late,
            None => worker.take_buffer(),
        };
        late.append(from);
        self.late.set(Some(late));
        if state == LateState::None {
            self.state.set(LateState::PutOff);
            worker.do_late(Rc::clone(self) as Rc<dyn Late>);
        }
        true
    }

    /// Whether something late has not been written and must be seen to by the connection's task.
    pub(crate) fn is_stuck(&self) -> bool {
        !matches!(self.state.get(), LateState::None | LateState::PutOff)
    }

    /// Whether there is nothing late.
    pub(crate) fn has_none_late(&self) -> bool {
        self.state.get() == LateState::None
    }

    /// Writes what is late.
    pub(crate) fn poll_flush(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.get() == LateState::Failed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let Some(mut late) = self.late.take() else {
            return Poll::Ready(Ok(()));
        };
        let written = self.poll_write_all(task, &mut late);
        let state = match &written {
            Poll::Ready(Ok(())) => LateState::None,
            Poll::Ready(Err(_)) => LateState::Failed,
            Poll::Pending => LateState::Waiting,
        };
        self.state.set(state);
        if state == LateState::Waiting {
            self.late.set(Some(late));
        }
        written
    }

    /// Writes what is late, then `from`. What is late becomes part of `from`, which may have more
    /// in it afterwards than before.
    pub(crate) fn poll_write(
        &self,
        task: &mut Context<'_>,
        from: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        if self.state.get() == LateState::Failed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if let Some(mut late) = self.late.take() {
            // Whoever comes to write sees to all of it from now on.
            late.append(from);
            std::mem::swap(&mut *late, from);
            self.state.set(LateState::None);
        }
        self.poll_write_all(task, from)
    }

    fn poll_write_all(&self, task: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>> {
        loop {
            match self.try_write(from) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(task))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes and takes off what goes without waiting.
    fn try_write(&self, from: &mut Buffer) -> io::Result<()> {
        while !from.is_empty() {
            let mut slices = [io::IoSlice::new(&[]); SLICES];
            let count = from.io_slices(&mut slices);
            let written = match &slices[..count] {
                // One slice needs no table of slices copied into the kernel.
                [one] => self.stream.try_write(one)?,
                all => self.stream.try_write_vectored(all)?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            from.advance(written);
        }
        Ok(())
    }

    /// Ends the writing direction, behind what is late.
    pub(crate) fn poll_end_write(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(task))?;
        let socket = socket2::SockRef::from(&self.stream);
        Poll::Ready(socket.shutdown(std::net::Shutdown::Write))
    }

    /// Forgets what is late: the connection ends without it.
    pub(crate) fn forget_late(&self) {
        self.late.take();
    }
}

impl Late for TcpSocket {
    /// A failure needs no word to the connection's task: reading tells it.
    fn poll_late(&self, worker: &Worker, task: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.state.get(), LateState::PutOff | LateState::Stuck) {
            // The connection's task sees to it.
            return Poll::Ready(());
        }
        let Some(mut late) = self.late.take() else {
            self.state.set(LateState::None);
            return Poll::Ready(());
        };
        let (state, done) = match self.poll_write_all(task, &mut late) {
            Poll::Ready(Ok(())) => (LateState::None, Poll::Ready(())),
            Poll::Ready(Err(_)) => (LateState::Failed, Poll::Ready(())),
            Poll::Pending => (LateState::Stuck, Poll::Pending),
        };
        self.state.set(state);
        if late.is_empty() {
            worker.give_buffer(late);
        } else if state == LateState::Stuck {
            // Kept beyond this turn: read blocks are not pinned for it.
            late.compact();
            self.late.set(Some(late));
        }
        done
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_worker::run_main;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn pair() -> (Rc<TcpSocket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap());
        let peer = peer.await.unwrap();
        let ours = listener.accept().await.unwrap().0;
        (Rc::new(TcpSocket::new(ours)), peer)
    }

    async fn read(peer: &mut TcpStream, count: usize) -> Vec<u8> {
        let mut read = vec![0; count];
        peer.read_exact(&mut read).await.unwrap();
        read
    }

    fn buffer(bytes: &[u8]) -> Buffer {
        bytes.to_vec().into()
    }

    /// Writes until the socket takes no more; how many bytes it took.
    fn fill(socket: &TcpSocket) -> usize {
        let mut written = 0;
        while let Ok(more) = socket.stream.try_write(&[b'x'; 4096]) {
            written += more;
        }
        written
    }

    #[test]
    fn what_is_late_goes_at_the_end_of_the_turn_and_in_order() {
        run_main(|worker| async move {
            let (socket, mut peer) = pair().await;
            for text in [&b"a"[..], b"b"] {
                let mut from = buffer(text);
                assert!(socket.write_late(&worker, &mut from) && from.is_empty());
            }
            assert!(!socket.has_none_late());
            assert!(!socket.write_late(&worker, &mut buffer(&[0; WRITE_AT_ONCE])));
            assert_eq!(read(&mut peer, 2).await, b"ab");
            assert!(socket.has_none_late());
            // What is written at once comes behind what is late.
            assert!(socket.write_late(&worker, &mut buffer(b"c")));
            let mut from = buffer(b"d");
            std::future::poll_fn(|task| socket.poll_write(task, &mut from))
                .await
                .unwrap();
            assert!(socket.has_none_late() && from.is_empty());
            assert_eq!(read(&mut peer, 2).await, b"cd");
        })
        .unwrap();
    }

    #[test]
    fn what_does_not_go_then_goes_when_the_peer_reads() {
        run_main(|worker| async move {
            let (socket, mut peer) = pair().await;
            let filled = fill(&socket);
            assert!(socket.write_late(&worker, &mut buffer(b"late")));
            while !socket.is_stuck() {
                tokio::task::yield_now().await;
            }
            // Nobody else does anything for it.
            assert!(read(&mut peer, filled + 4).await.ends_with(b"xlate"));
            assert!(socket.has_none_late());
        })
        .unwrap();
    }

    #[test]
    fn whoever_comes_to_write_takes_what_is_stuck() {
        run_main(|worker| async move {
            let (socket, mut peer) = pair().await;
            let filled = fill(&socket);
            assert!(socket.write_late(&worker, &mut buffer(b"late")));
            while !socket.is_stuck() {
                tokio::task::yield_now().await;
            }
            assert!(!socket.write_late(&worker, &mut buffer(b"x")));
            let reads = async move { read(&mut peer, filled + 6).await };
            let reads = tokio::task::spawn_local(reads);
            let mut from = buffer(b" x");
            let writes = std::future::poll_fn(|task| socket.poll_write(task, &mut from));
            writes.await.unwrap();
            assert!(reads.await.unwrap().ends_with(b"xlate x"));
        })
        .unwrap();
    }

    #[test]
    fn a_failure_is_told_to_whoever_writes_next() {
        run_main(|worker| async move {
            let (socket, peer) = pair().await;
            socket2::SockRef::from(&peer)
                .set_linger(Some(std::time::Duration::ZERO))
                .unwrap();
            drop(peer);
            assert!(socket.write_late(&worker, &mut buffer(b"late")));
            while !socket.is_stuck() {
                tokio::task::yield_now().await;
            }
            let failed = std::future::poll_fn(|task| socket.poll_write(task, &mut Buffer::new()));
            assert!(failed.await.is_err());
        })
        .unwrap();
    }
}
