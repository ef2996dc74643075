//! Clients that ask all the time while configuration changes, and tell failures from connections
//! that were closed in good order.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::tls::Trust;
use crate::message::parse_response;
use crate::process::{Cpu, pin_this_thread};

/// How long an answer, or a connection, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between the requests of one client.
const PAUSE: Duration = Duration::from_millis(2);

/// After a failure: what fails at once would otherwise be all that is counted.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);

/// A connection serves this many requests, so that new ones are tried too.
const REQUESTS_PER_CONNECTION: u32 = 500;

/// What came of requests.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    unopened: AtomicU64,
    closed: AtomicU64,
}

/// What came of requests until now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Answers, good or bad.
    pub requests: u64,
    /// Answers other than 200.
    pub refused: u64,
    /// Requests whose connection was closed instead of an answer.
    pub dropped: u64,
    /// Connections that could not be opened.
    pub unopened: u64,
    /// Connections that were closed in good order: an answer said so.
    pub closed: u64,
}

impl Figures {
    /// Requests without a good answer.
    pub fn failed(&self) -> u64 {
        self.refused + self.dropped + self.unopened
    }
}

/// Where clients ask, and what.
#[derive(Clone)]
pub struct Target {
    /// The listener.
    pub address: SocketAddr,
    /// A whole request.
    pub request: Arc<[u8]>,
    /// Whom they trust, where they speak TLS.
    pub trust: Option<Arc<Trust>>,
}

/// Clients at work; they end when this is dropped.
pub struct Load {
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts a client, a thread, for each target.
    pub fn start(targets: Vec<Target>, cpu: Option<Cpu>) -> io::Result<Load> {
        let counts = Arc::new(Counts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let client = |target: Target| {
            let (counts, stop) = (Arc::clone(&counts), Arc::clone(&stop));
            std::thread::Builder::new()
                .name("client".into())
                .spawn(move || {
                    // A client that runs elsewhere only disturbs more.
                    let _ = pin_this_thread(cpu);
                    ask_on(&target, &counts, &stop);
                })
        };
        let threads = targets.into_iter().map(client).collect::<io::Result<_>>()?;
        Ok(Load {
            counts,
            stop,
            threads,
        })
    }

    /// What came of requests until now.
    pub fn figures(&self) -> Figures {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            requests: of(&self.counts.requests),
            refused: of(&self.counts.refused),
            dropped: of(&self.counts.dropped),
            unopened: of(&self.counts.unopened),
            closed: of(&self.counts.closed),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of the thread has printed its message.
            let _ = thread.join();
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn open(target: &Target) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect_timeout(&target.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let Some(trust) = &target.trust else {
        return Ok(Box::new(stream));
    };
    let connection = ClientConnection::new(Arc::clone(&trust.config), trust.name.clone());
    let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Box::new(stream))
}

fn ask_on(target: &Target, counts: &Counts, stop: &AtomicBool) {
    let mut open_one: Option<(Box<dyn Stream>, u32)> = None;
    while !stop.load(Ordering::Relaxed) {
        let (mut stream, asked) = match open_one.take() {
            Some(open) => open,
            None => match open(target) {
                Ok(stream) => (stream, 0),
                Err(_) => {
                    counts.unopened.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PAUSE_AFTER_FAILURE);
                    continue;
                }
            },
        };
        match ask(&mut *stream, &target.request) {
            Ok((status, closes)) => {
                counts.requests.fetch_add(1, Ordering::Relaxed);
                if status != 200 {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PAUSE_AFTER_FAILURE);
                }
                if closes {
                    counts.closed.fetch_add(1, Ordering::Relaxed);
                } else if asked < REQUESTS_PER_CONNECTION {
                    open_one = Some((stream, asked + 1));
                }
            }
            Err(_) => {
                counts.dropped.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(PAUSE_AFTER_FAILURE);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// One request; the answer's status, and whether the connection closes after it.
fn ask(stream: &mut dyn Stream, request: &[u8]) -> io::Result<(u16, bool)> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let head = parse_response(&bytes).map_err(io::Error::other)?;
        if let Some(head) = head
            && bytes.len() as u64 >= head.length as u64 + head.body
        {
            let text = String::from_utf8_lossy(&bytes[..head.length]).to_ascii_lowercase();
            return Ok((head.says, text.contains("\r\nconnection: close\r\n")));
        }
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&block[..count]),
        }
    }
}
