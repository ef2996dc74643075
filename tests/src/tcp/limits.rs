//! Limits of connections: of the process, of a filter chain, and in time.

use crate::harness::{Config, Connection, Proxy, network_filter, wait_for};
use serde_json::{Value, json};

/// Echo behind `filter`.
fn echo_behind(filter: Value, more: Value) -> Proxy {
    let echo = network_filter("echo", "echo.v3.Echo", json!({}));
    Config::tcp(filter.clone())
        .filter_chain(json!({"filters": [filter, echo]}))
        .bootstrap(more)
        .start()
}

/// Whether a byte comes back.
fn echoes(connection: &mut Connection) -> bool {
    connection.try_send("a").is_ok() && connection.try_read(1).is_ok()
}

#[test]
fn of_the_process() {
    let message = "envoy.extensions.resource_monitors.downstream_connections.v3.\
                   DownstreamConnectionsConfig";
    let monitor = json!({
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": format!("type.googleapis.com/{message}"),
            "max_active_downstream_connections": 2,
        },
    });
    let overload = json!({"overload_manager": {"resource_monitors": [monitor]}});
    let proxy = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .bootstrap(overload)
        .start();
    let mut kept = [proxy.connect(), proxy.connect()];
    assert!(kept.iter_mut().all(echoes));
    assert!(!echoes(&mut proxy.connect()));
    let refused = "listener.127.0.0.1_0.downstream_global_cx_overflow";
    assert_eq!(proxy.stat(refused), 1);
    drop(kept);
    wait_for("a place", || echoes(&mut proxy.connect()).then_some(()));
}

#[test]
fn of_a_filter_chain() {
    let limit = network_filter(
        "connection_limit",
        "connection_limit.v3.ConnectionLimit",
        json!({"stat_prefix": "p", "max_connections": 1, "delay": "0.1s"}),
    );
    let proxy = echo_behind(limit, json!({}));
    let mut kept = proxy.connect();
    assert!(echoes(&mut kept));
    assert!(!echoes(&mut proxy.connect()));
    assert_eq!(proxy.stat("connection_limit.p.limited_connections"), 1);
    drop(kept);
    proxy.wait_stat("connection_limit.p.active_connections", 0);
    assert!(echoes(&mut proxy.connect()));
}

#[test]
fn in_time() {
    let bucket = json!({"max_tokens": 1, "fill_interval": "0.3s"});
    let limit = network_filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        json!({"stat_prefix": "p", "token_bucket": bucket}),
    );
    let proxy = echo_behind(limit, json!({}));
    assert!(echoes(&mut proxy.connect()));
    assert!(!echoes(&mut proxy.connect()));
    assert_eq!(proxy.stat("local_rate_limit.p.rate_limited"), 1);
    wait_for("the next token", || {
        echoes(&mut proxy.connect()).then_some(())
    });
}
