//! What the tests are made of: a proxy, its configuration, upstreams, and a client.

mod admin;
mod client;
mod config;
mod control_plane;
pub mod http2;
mod message;
mod proxy;
mod upstream;

pub use client::Connection;
pub use config::{Config, direct, file_log, http_filter, listener_filter, network_filter, route};
pub use control_plane::ControlPlane;
pub use message::{Request, Response};
pub use proxy::{Proxy, is_envoy, raise_file_limit, validate};
pub use upstream::{Reply, Upstream};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the answer is there; `what` is for the message when it never is.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An address that nobody else comes by: of the loopback network's, by this process's number.
pub fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high | 128, low, NEXT.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((ip, 0)).unwrap();
    listener.local_addr().unwrap()
}
