//! Connections inside one worker, without the kernel: to internal listeners (Envoy's user space
//! sockets, "Internal listener").
//!
//! A written slice is moved to the other end, and copied once when it is read.

use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_base::address::{Address, InternalAddress};
use nuncio_base::metadata::Metadata;
use nuncio_stream_info::FilterState;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What stands for the connecting end in addresses.
const CLIENT_LISTENER: &str = "internal_client_address";

/// One direction.
#[derive(Default)]
struct Pipe {
    bytes: Buffer,
    /// The writer ended in order.
    ended: bool,
    /// The reader is gone: what is written is of no use to anyone.
    unread: bool,
    /// The writer is gone, and wants that taken for a reset.
    reset: bool,
    /// The writer waits for room.
    full: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// What the connecting end passes along: it is there when the listener takes the connection.
#[derive(Default)]
pub struct Passthrough {
    /// Dynamic metadata for the connection.
    pub metadata: Metadata,
    /// Filter state for the connection.
    pub filter_state: FilterState,
}

/// One end of a connection inside a worker.
pub struct InternalSocket {
    input: Rc<RefCell<Pipe>>,
    output: Rc<RefCell<Pipe>>,
    /// How many bytes may wait to be read before writing waits.
    limit: usize,
    passthrough: Rc<RefCell<Passthrough>>,
    local: Address,
    peer: Address,
    resets: std::cell::Cell<bool>,
}

impl InternalSocket {
    /// Both ends of a connection to `address`: the client's, and the listener's. `limit`: how many
    /// bytes may wait in one direction.
    pub fn pair(address: &Arc<InternalAddress>, limit: usize) -> (Self, Self) {
        let client = Address::Internal(Arc::new(InternalAddress {
            listener: CLIENT_LISTENER.to_owned(),
            endpoint_id: String::new(),
        }));
        let server = Address::Internal(Arc::clone(address));
        let (up, down): (Rc<RefCell<Pipe>>, Rc<RefCell<Pipe>>) = Default::default();
        let passthrough: Rc<RefCell<Passthrough>> = Rc::default();
        let end =
            |input: &Rc<RefCell<Pipe>>, output: &Rc<RefCell<Pipe>>, ours: &Address, theirs| Self {
                input: Rc::clone(input),
                output: Rc::clone(output),
                limit,
                passthrough: Rc::clone(&passthrough),
                local: ours.clone(),
                peer: theirs,
                resets: std::cell::Cell::new(false),
            };
        (
            end(&down, &up, &client, server.clone()),
            end(&up, &down, &server, client.clone()),
        )
    }

    /// What is passed along with the connection.
    pub fn passthrough(&self) -> &RefCell<Passthrough> {
        &self.passthrough
    }

    /// Its own address.
    pub fn local_address(&self) -> &Address {
        &self.local
    }

    /// The other end's address.
    pub fn peer_address(&self) -> &Address {
        &self.peer
    }

    pub(crate) fn reset_on_close(&self) {
        self.resets.set(true);
    }

    /// As `Socket::poll_read`.
    pub(crate) fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.input.borrow_mut();
        if pipe.bytes.is_empty() {
            return poll_end(&mut pipe, task).map_ok(|()| 0);
        }
        if block.capacity() == block.len() {
            block.reserve(pipe.bytes.front().len());
        }
        let mut room = block.capacity() - block.len();
        let mut taken = 0;
        while room > 0 && !pipe.bytes.is_empty() {
            let front = pipe.bytes.front();
            let step = front.len().min(room);
            block.extend_from_slice(&front[..step]);
            pipe.bytes.advance(step);
            (room, taken) = (room - step, taken + step);
        }
        // Between its high and low watermark the pipe stays in the state it was in.
        if pipe.full && pipe.bytes.len() <= self.limit / 2 {
            pipe.full = false;
            pipe.wake_writer();
        }
        Poll::Ready(Ok(taken))
    }

    /// As `Socket::poll_write`. What goes, goes as a whole: the limit is exceeded by one write.
    pub(crate) fn poll_write(
        &self,
        task: &mut Context<'_>,
        from: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.output.borrow_mut();
        if pipe.unread {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.full {
            pipe.writer = Some(task.waker().clone());
            return Poll::Pending;
        }
        // Small slices must not pin the read blocks that they were cut from.
        from.compact();
        pipe.bytes.append(from);
        pipe.full = pipe.bytes.len() > self.limit;
        pipe.wake_reader();
        Poll::Ready(Ok(()))
    }

    /// Ends the writing direction.
    pub(crate) fn end_write(&mut self) {
        let mut pipe = self.output.borrow_mut();
        pipe.ended = true;
        pipe.wake_reader();
    }

    /// As `Socket::peek_more`, once.
    pub(crate) fn poll_peek(
        &self,
        task: &mut Context<'_>,
        seen: &mut Vec<u8>,
        room: usize,
    ) -> Poll<io::Result<bool>> {
        let mut pipe = self.input.borrow_mut();
        let known = seen.len();
        if pipe.bytes.len() <= known {
            return poll_end(&mut pipe, task).map_ok(|()| false);
        }
        seen.clear();
        for slice in pipe.bytes.slices() {
            let step = slice.len().min(room - seen.len());
            seen.extend_from_slice(&slice[..step]);
        }
        Poll::Ready(Ok(seen.len() > known))
    }

    /// As `Socket::has_ended`.
    pub(crate) fn has_ended(&self) -> bool {
        let pipe = self.input.borrow();
        pipe.reset || (pipe.ended && pipe.bytes.is_empty())
    }

    /// As `Socket::skip`.
    pub(crate) fn skip(&self, count: usize) -> io::Result<()> {
        let mut pipe = self.input.borrow_mut();
        if pipe.bytes.len() < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        pipe.bytes.advance(count);
        Ok(())
    }
}

/// Ready when nothing more will come.
fn poll_end(pipe: &mut Pipe, task: &mut Context<'_>) -> Poll<io::Result<()>> {
    if pipe.reset {
        return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
    }
    if pipe.ended {
        return Poll::Ready(Ok(()));
    }
    pipe.reader = Some(task.waker().clone());
    Poll::Pending
}

impl Drop for InternalSocket {
    fn drop(&mut self) {
        {
            let mut output = self.output.borrow_mut();
            output.reset = self.resets.get() && !output.ended;
            output.ended = true;
            output.wake_reader();
        }
        let mut input = self.input.borrow_mut();
        input.unread = true;
        input.bytes.clear();
        input.wake_writer();
    }
}

impl std::fmt::Debug for InternalSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InternalSocket({} -> {})", self.local, self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    const LIMIT: usize = 10;

    fn pair() -> (InternalSocket, InternalSocket) {
        let address = InternalAddress {
            listener: "inner".to_owned(),
            endpoint_id: "a".to_owned(),
        };
        InternalSocket::pair(&Arc::new(address), LIMIT)
    }

    fn read(socket: &mut InternalSocket, room: usize) -> Poll<Result<Vec<u8>, io::ErrorKind>> {
        let mut block = BytesMut::with_capacity(room);
        let read = socket.poll_read(&mut Context::from_waker(Waker::noop()), &mut block);
        read.map(|read| read.map(|_| block.to_vec()).map_err(|error| error.kind()))
    }

    fn write(socket: &mut InternalSocket, bytes: &'static str) -> Poll<Result<(), io::ErrorKind>> {
        let written = socket.poll_write(
            &mut Context::from_waker(Waker::noop()),
            &mut Buffer::from(bytes),
        );
        written.map(|written| written.map_err(|error| error.kind()))
    }

    #[test]
    fn addresses_are_envoys() {
        let (client, server) = pair();
        let shown = [
            client.local_address().to_string(),
            client.peer_address().to_string(),
            server.local_address().to_string(),
            server.peer_address().to_string(),
        ];
        let ours = "envoy://internal_client_address/";
        assert_eq!(shown, [ours, "envoy://inner/a", "envoy://inner/a", ours]);
    }

    #[test]
    fn bytes_flow_both_ways_until_an_end() {
        let (mut client, mut server) = pair();
        assert!(read(&mut server, 100).is_pending());
        assert_eq!(write(&mut client, "ask"), Poll::Ready(Ok(())));
        assert_eq!(write(&mut server, "answer"), Poll::Ready(Ok(())));
        client.end_write();
        assert_eq!(read(&mut server, 2), Poll::Ready(Ok(b"as".to_vec())));
        assert_eq!(read(&mut server, 100), Poll::Ready(Ok(b"k".to_vec())));
        assert_eq!(read(&mut server, 100), Poll::Ready(Ok(Vec::new())));
        assert_eq!(read(&mut client, 100), Poll::Ready(Ok(b"answer".to_vec())));
        assert!(read(&mut client, 100).is_pending());
    }

    #[test]
    fn a_full_pipe_takes_more_when_half_is_read() {
        let (mut client, mut server) = pair();
        assert_eq!(write(&mut client, "12345678"), Poll::Ready(Ok(())));
        assert_eq!(write(&mut client, "abcdefgh"), Poll::Ready(Ok(())));
        assert!(write(&mut client, "more").is_pending());
        assert_eq!(
            read(&mut server, 10).map(|read| read.map(|b| b.len())),
            Poll::Ready(Ok(10))
        );
        assert!(write(&mut client, "more").is_pending());
        assert_eq!(read(&mut server, 1), Poll::Ready(Ok(b"c".to_vec())));
        assert_eq!(write(&mut client, "more"), Poll::Ready(Ok(())));
    }

    #[test]
    fn an_end_that_is_dropped_is_noticed() {
        let (client, mut server) = pair();
        drop(client);
        assert_eq!(read(&mut server, 1), Poll::Ready(Ok(Vec::new())));
        let broken = Poll::Ready(Err(io::ErrorKind::BrokenPipe));
        assert_eq!(write(&mut server, "x"), broken);

        let (client, mut server) = pair();
        client.reset_on_close();
        drop(client);
        let reset = Poll::Ready(Err(io::ErrorKind::ConnectionReset));
        assert_eq!(read(&mut server, 1), reset);
    }

    #[test]
    fn first_bytes_can_be_looked_at() {
        let (mut client, mut server) = pair();
        let task = &mut Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        assert!(server.poll_peek(task, &mut seen, 5).is_pending());
        let _ = write(&mut client, "hello");
        let _ = write(&mut client, "world");
        assert!(matches!(
            server.poll_peek(task, &mut seen, 8),
            Poll::Ready(Ok(true))
        ));
        assert_eq!(seen, b"hellowor");
        server.skip(5).unwrap();
        assert_eq!(read(&mut server, 9), Poll::Ready(Ok(b"world".to_vec())));
        assert!(server.skip(1).is_err());
    }
}
