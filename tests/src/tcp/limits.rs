//! Limits of connections: of the process, of a filter chain, and in time.

use crate::harness::{Config, Connection, Proxy, file_log, network_filter, wait_for};
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

/// A connection that another filter turns away is the TCP proxy's to log all the same.
#[test]
fn what_is_turned_away_is_logged() {
    let bucket = json!({"max_tokens": 1, "fill_interval": "60s"});
    let limit = network_filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        json!({"stat_prefix": "p", "token_bucket": bucket}),
    );
    let log = file_log("%RESPONSE_FLAGS% %BYTES_SENT% %DOWNSTREAM_LOCAL_CLOSE_REASON%");
    let fields = json!({"stat_prefix": "tcp", "cluster": "none", "access_log": [log]});
    let proxied = network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields);
    let proxy = Config::tcp(limit.clone())
        .filter_chain(json!({"filters": [limit, proxied]}))
        .start();
    for _ in 0..2 {
        proxy.connect().read_to_end();
    }
    let lines = [
        "NC 0 tcp_initializion_failure:3",
        "URX 0 local_ratelimit_close_over_limit",
    ];
    assert_eq!(proxy.access_log(2), lines);
}

/// What a listener's log tells of connections that no proxy filter sums up.
#[test]
fn listeners_log_what_passed() {
    let response = json!({"response": {"inline_string": "bye\n"}});
    let direct = network_filter("direct_response", "direct_response.v3.Config", response);
    let echo = network_filter("echo", "echo.v3.Echo", json!({}));
    for (filter, sent, line) in [
        (direct, "", "0 4 direct_response"),
        (echo, "hello", "5 5 -"),
    ] {
        let proxy = Config::tcp(filter)
            .listener_log("%BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_CODE_DETAILS%")
            .start();
        let mut connection = proxy.connect();
        connection.send(sent);
        connection.read(sent.len().max(4));
        drop(connection);
        assert_eq!(proxy.access_log(1), [line]);
    }
}

/// Attempts that fail are some time apart.
#[test]
fn attempts_back_off() {
    let fields = json!({
        "stat_prefix": "tcp", "cluster": "dead", "max_connect_attempts": 3,
        "backoff_options": {"base_interval": "0.02s", "max_interval": "0.04s"},
    });
    let proxied = network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let proxy = Config::tcp(proxied).cluster("dead", &[address]).start();
    assert_eq!(proxy.connect().read_to_end(), b"");
    assert_eq!(proxy.stat("cluster.dead.upstream_cx_connect_fail"), 3);
}

#[test]
fn connections_are_counted_before_they_are_looked_at() {
    let bucket = json!({"max_tokens": 2, "fill_interval": "600s"});
    for (enabled, served) in [(true, 2), (false, 4)] {
        let fields = json!({
            "stat_prefix": "edge",
            "token_bucket": bucket,
            "runtime_enabled": {"default_value": enabled, "runtime_key": "on"},
        });
        let message = "local_ratelimit.v3.LocalRateLimit";
        let proxy = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
            .listener_filter("local_ratelimit", message, fields)
            .start();
        let answered = (0..4).filter(|_| echoes(&mut proxy.connect())).count();
        assert_eq!(answered, served);
        let limited = proxy.stat("listener_local_ratelimit.edge.rate_limited");
        assert_eq!(limited, 4 - served as u64);
    }
}
