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
