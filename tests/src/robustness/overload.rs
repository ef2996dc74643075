//! The overload manager: a heap that is too small from the start, and each action.

use crate::harness::{Config, Proxy, direct};
use serde_json::{Value, json};
use std::time::Duration;

const HEAP: &str = "envoy.resource_monitors.fixed_heap";

/// A proxy whose heap may have so many bytes, and that takes this action when it has them.
fn proxy(bytes: u64, action: &str, listener: Value) -> Proxy {
    let action = format!("envoy.overload_actions.{action}");
    let trigger = json!({"name": HEAP, "threshold": {"value": 0.9}});
    let manager = json!({
        "refresh_interval": "0.05s",
        "resource_monitors": [{
            "name": HEAP,
            "typed_config": {
                "@type": "type.googleapis.com/\
                          envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": bytes,
            },
        }],
        "actions": [{"name": action, "triggers": [trigger]}],
    });
    let proxy = Config::http(&[direct("/", 200, "x")])
        .main_listener(listener)
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .bootstrap(json!({"overload_manager": manager}))
        .start();
    proxy.wait_stat(
        &format!("overload.{action}.active"),
        u64::from(bytes < 1_000_000),
    );
    proxy
}

#[test]
fn requests_are_answered_at_once() {
    let proxy = proxy(1000, "stop_accepting_requests", json!({}));
    let response = proxy.get("/");
    assert_eq!(response.brief(), (503, "envoy overloaded".to_owned()));
    assert_eq!(proxy.access_log(1), ["503 - overload"]);
    assert_eq!(proxy.stat("http.http.downstream_rq_overload_close"), 1);
    assert!(proxy.stat(&format!("overload.{HEAP}.pressure")) > 100);
}

#[test]
fn nothing_is_shed_while_there_is_enough() {
    let proxy = proxy(u64::MAX, "stop_accepting_requests", json!({}));
    assert_eq!(proxy.get("/").status, 200);
}

#[test]
fn connections_do_not_last() {
    let proxy = proxy(1000, "disable_http_keepalive", json!({}));
    assert_eq!(proxy.get("/").header("connection"), Some("close"));
    let stat = "http.http.downstream_cx_overload_disable_keepalive";
    assert_eq!(proxy.stat(stat), 1);
}

#[test]
fn connections_are_turned_away_but_on_listeners_that_bypass_it() {
    let action = "reject_incoming_connections";
    let rejecting = proxy(1000, action, json!({"stat_prefix": "main"}));
    let mut connection = rejecting.connect();
    assert_eq!(connection.read_to_end(), b"");
    rejecting.wait_stat("listener.main.downstream_cx_overload_reject", 1);
    let bypassing = proxy(1000, action, json!({"bypass_overload_manager": true}));
    assert_eq!(bypassing.get("/").status, 200);
}

#[test]
fn connections_wait_until_they_are_accepted_again() {
    let proxy = proxy(
        1000,
        "stop_accepting_connections",
        json!({"stat_prefix": "main"}),
    );
    let mut connection = proxy.connect().with_patience(Duration::from_millis(300));
    assert!(connection.try_get("/").is_err());
    assert_eq!(proxy.stat("listener.main.downstream_cx_total"), 0);
}
