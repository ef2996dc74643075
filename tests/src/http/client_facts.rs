//! What is found out about clients, told upstream and counted at their end.

use crate::harness::{Config, Upstream, direct, route};
use serde_json::json;

#[test]
fn who_closes_a_connection_is_counted_at_its_end() {
    let proxy = Config::http(&[direct("/", 200, "")]).start();
    let count = |who: &str| format!("http.http.downstream_cx_destroy_{who}");
    // The proxy asks for an end, and waits for the client to make it.
    let mut unasked = proxy.connect();
    unasked.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(unasked.response("GET").status, 400);
    assert_eq!(proxy.stat(&count("local")), 0);
    drop(unasked);
    proxy.wait_stat(&count("remote"), 1);
    // The client asked for it.
    let mut asked = proxy.connect();
    asked.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(asked.response("GET").status, 200);
    proxy.wait_stat(&count("local"), 1);
    assert_eq!(proxy.stat(&count("remote")), 1);
}

#[test]
fn the_port_is_told_unless_somebody_has_told_it() {
    let upstream = Upstream::ok("");
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"append_x_forwarded_port": true}))
        .cluster("up", &[upstream.address()])
        .start();
    let port = proxy.listener("main").port().to_string();
    for (given, told) in [("", &*port), ("x-forwarded-port: 99\r\n", "99")] {
        proxy.connect().request("GET", "/", given, "");
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(seen.header("x-forwarded-port"), Some(told));
    }
}

#[test]
fn strangers_do_not_limit_streams() {
    let upstream = Upstream::ok("");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let asked = "x-envoy-upstream-stream-duration-ms: 1\r\n";
    let answer = proxy.connect().request("GET", "/", asked, "");
    assert_eq!(answer.status, 200);
    proxy.wait_stat("cluster.up.upstream_rq_200", 1);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_max_duration_reached"), 0);
}

#[test]
fn round_trips_and_looks_for_routes_are_logged() {
    let format = "%DOWNSTREAM_CX_RTT% %ROUTE_RESOLUTION_COUNT% %XFCC_VALUE(URI)%";
    let proxy = Config::http(&[direct("/", 200, "")])
        .manager(json!({"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}))
        .access_log(format)
        .start();
    let given = "x-forwarded-client-cert: Hash=a;URI=\"b,c\"\r\n";
    proxy.connect().request("GET", "/", given, "");
    assert_eq!(proxy.access_log(1), ["0 1 b,c"]);
}
