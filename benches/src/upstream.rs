//! The server that the proxies forward to: one thread that answers HTTP/1.1 out of ready buffers.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::message::{BodySize, MessageReader, parse_request};
use crate::process::{Cpu, pin_this_thread};

/// Connections it serves at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 20_000;

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 * 1024;
const STOP_CHECK: Duration = Duration::from_millis(200);

/// A running upstream; dropping it ends the thread.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Listens on a free loopback port and serves from a thread of its own, pinned to `cpu`.
    pub fn start(cpu: Option<Cpu>) -> io::Result<Upstream> {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let server = Server {
            poll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            answers: BodySize::ALL.map(answer),
            scratch: vec![0; READ_BYTES],
        };
        let stop = Arc::clone(&stopping);
        let thread = std::thread::Builder::new()
            .name("upstream".into())
            .spawn(move || {
                if let Err(error) = pin_this_thread(cpu).and_then(|()| server.serve(&stop)) {
                    eprintln!("the upstream ended: {error}");
                }
            })?;
        Ok(Upstream {
            address,
            stopping,
            thread: Some(thread),
        })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has printed its message, and there is nothing left to end.
            let _ = thread.join();
        }
    }
}

/// A response of six headers, as an application server would send them.
fn answer(size: BodySize) -> Arc<[u8]> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\n\
         server: items/2.4\r\n\
         date: Mon, 02 Nov 2026 09:30:00 GMT\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         cache-control: private, max-age=60\r\n\
         etag: \"5f2b6c1e-9a31\"\r\n\r\n",
        size.bytes()
    )
    .into_bytes();
    bytes.resize(bytes.len() + size.bytes(), b'x');
    bytes.into()
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    answers: [Arc<[u8]>; 3],
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    reader: MessageReader<Option<BodySize>>,
    /// The response that did not fit into the socket, and how much of it did.
    unsent: Option<(Arc<[u8]>, usize)>,
}

impl Server {
    fn serve(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(STOP_CHECK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => self.advance(index, event),
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let index = match self.free.pop() {
                Some(index) => index,
                None if self.connections.len() == MAX_CONNECTIONS => continue,
                None => {
                    self.connections.push(None);
                    self.connections.len() - 1
                }
            };
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(index), interest)?;
            let reader = MessageReader::new(parse_request);
            self.connections[index] = Some(Connection {
                stream,
                reader,
                unsent: None,
            });
        }
    }

    fn advance(&mut self, index: usize, event: &Event) {
        // An event may be left over from a connection that an earlier one of the batch closed.
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let sent = match connection.unsent.take() {
            Some((answer, from)) if event.is_writable() => connection.send(answer, from),
            unsent => {
                connection.unsent = unsent;
                Ok(())
            }
        };
        let served = sent.and_then(|()| connection.read(&mut self.scratch, &self.answers));
        if served.is_err() {
            self.connections[index] = None;
            self.free.push(index);
        }
    }
}

impl Connection {
    /// Reads and answers until the socket is empty or full; an error ends the connection.
    fn read(&mut self, scratch: &mut [u8], answers: &[Arc<[u8]>; 3]) -> io::Result<()> {
        // Reading goes on when the response is out: nobody here pipelines.
        while self.unsent.is_none() {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let (taken, request) = self
                .reader
                .feed(&scratch[..count])
                .map_err(io::Error::other)?;
            if taken < count {
                return Err(io::Error::other("pipelined request"));
            }
            match request {
                Some(Some(size)) => self.send(Arc::clone(&answers[size as usize]), 0)?,
                Some(None) => self.send(NOT_FOUND.into(), 0)?,
                None => {}
            }
            if count < scratch.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn send(&mut self, answer: Arc<[u8]>, mut from: usize) -> io::Result<()> {
        while from < answer.len() {
            match self.stream.write(&answer[from..]) {
                Ok(count) => from += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some((answer, from));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
