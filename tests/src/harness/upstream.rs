//! Upstreams on threads of their own: some answer, some misbehave.

use super::{PATIENCE, Request};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// An upstream's answer.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    delay: Duration,
    close: bool,
}

impl Reply {
    /// 200 with this body and its length.
    pub fn ok(body: &str) -> Self {
        Self::new(200, "", body)
    }

    /// A status, lines of `name: value\r\n`, and a body with its length.
    pub fn new(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Any\r\n{headers}content-length: {length}\r\n\r\n");
        Self::raw(head + body)
    }

    /// These bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            delay: Duration::ZERO,
            close: false,
        }
    }

    /// After a while.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closing the connection behind it.
    pub fn then_close(mut self) -> Self {
        self.close = true;
        self
    }
}

#[derive(Default)]
struct Shared {
    connections: AtomicU64,
    requests: Mutex<Vec<Request>>,
    ended: AtomicBool,
}

/// A server on a port of 127.0.0.1; a thread per connection. It ends when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Answers each HTTP/1 request by `handle`.
    pub fn http(handle: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let seen = Arc::clone(&shared);
        let serve = move |stream: TcpStream| serve_http(stream, &handle, &seen);
        Self::start(shared, serve)
    }

    /// Answers each request with 200 and this body.
    pub fn ok(body: &'static str) -> Self {
        Self::http(move |_| Reply::ok(body))
    }

    /// Gives each connection to `serve`.
    pub fn tcp(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::start(Arc::default(), serve)
    }

    fn start(shared: Arc<Shared>, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = Self {
            address,
            shared: Arc::clone(&shared),
        };
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                // A proxy that is gone would keep the thread for ever.
                let _ = stream.set_read_timeout(Some(3 * PATIENCE));
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        upstream
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The requests it received, in the order it did.
    pub fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        lock(&self.shared.requests)
    }

    /// An address that nobody listens on: of the loopback network, a port for the privileged.
    pub fn dead() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 77], 9))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the thread that accepts; if that fails it has already ended.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until either side closes; what the proxy then makes of it is for the test to see.
fn serve_http(stream: TcpStream, handle: &impl Fn(&Request) -> Reply, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = Request::read(&mut reader) {
        let reply = handle(&request);
        lock(&shared.requests).push(request);
        thread::sleep(reply.delay);
        if writer.write_all(&reply.bytes).is_err() || reply.close {
            return;
        }
    }
}
