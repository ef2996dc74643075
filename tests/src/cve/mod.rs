//! What has hurt proxies: a test for each CVE, named by it, over real sockets.
//!
//! Each holds that the attack is refused within bounds, that it is counted where Envoy counts it,
//! and that the proxy serves on with no more memory than before.

mod filters;
mod floods;
mod http1;
mod http2;
mod http2_upstream;
mod layer4;
mod others;
mod outside_the_path;
mod tls;
mod upstreams;

use crate::harness::{Config, Proxy, Upstream, direct, is_envoy, route};

/// The most memory that a proxy may have held, in KiB; Envoy begins with more.
const MEMORY: u64 = 64 * 1024;

/// A proxy's configuration with `/up` to a cluster, and everything else answered directly.
fn config(upstream: &Upstream) -> Config {
    Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
}

/// A proxy that answers everything itself.
fn alone() -> Proxy {
    Config::http(&[direct("/", 200, "alive")]).start()
}

/// The proxy serves on, and holds little memory.
fn check_alive(proxy: &Proxy) {
    assert_eq!(proxy.get("/").body, b"alive");
    let memory = proxy.peak_memory();
    assert!(is_envoy() || memory < MEMORY, "{memory} KiB");
}
