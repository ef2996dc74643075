//! CONNECT that ends here: its payload goes on as plain TCP (`connect_config`).

use crate::harness::{Config, Reply, Upstream, route};
use serde_json::{Value, json};
use std::io;

const CONNECT: &str = "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n";

fn tunnel(matcher: Value, connect: Value) -> Value {
    json!({"match": matcher, "route": {"cluster": "tcp", "upgrade_configs": [
        {"upgrade_type": "CONNECT", "connect_config": connect},
    ]}})
}

/// Sends back what comes, until it ends.
fn echo() -> Upstream {
    Upstream::tcp(|stream| {
        // However the connection ends, so does this.
        let _ = io::copy(&mut &stream, &mut &stream);
    })
}

#[test]
fn payload_goes_both_ways_and_ends() {
    let upstream = echo();
    let route = tunnel(json!({"connect_matcher": {}}), json!({}));
    let proxy = Config::http(&[route])
        .cluster("tcp", &[upstream.address()])
        .start();
    let mut client = proxy.connect();
    // What comes with the head is payload too.
    client.send(format!("{CONNECT}early"));
    // As of a HEAD: no body belongs to it.
    assert_eq!(client.response("HEAD").status, 200);
    assert_eq!(client.read(5), b"early");
    client.send("late");
    assert_eq!(client.read(4), b"late");
    drop(client);
    proxy.wait_stat("cluster.tcp.upstream_cx_active", 0);
    assert_eq!(proxy.stat("cluster.tcp.upstream_rq_200"), 1);
    assert_eq!(proxy.stat("http.http.downstream_cx_upgrades_total"), 1);
    let without = proxy.connect().get("/");
    assert_eq!(without.brief(), (404, String::new()));
}

#[test]
fn a_post_may_be_a_connect() {
    let upstream = echo();
    let route = tunnel(json!({"prefix": "/"}), json!({"allow_post": true}));
    let proxy = Config::http(&[route])
        .cluster("tcp", &[upstream.address()])
        .start();
    let response = proxy.connect().request("POST", "/", "", "hello");
    assert_eq!(response.brief(), (200, "hello".to_owned()));
    // The end of both directions is the end of the request.
    proxy.wait_stat("cluster.tcp.upstream_cx_destroy", 1);
    let with_request = "cluster.tcp.upstream_cx_destroy_with_active_rq";
    assert_eq!(proxy.stat(with_request), 0);
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let route = tunnel(json!({"connect_matcher": {}}), json!({}));
    let proxy = Config::http(&[route])
        .cluster("tcp", &[Upstream::dead()])
        .start();
    let mut client = proxy.connect();
    client.send(CONNECT);
    assert_eq!(client.response("GET").status, 503);
}

/// The bytes are passed on; the log tells that the upstream ended the connection.
#[test]
fn other_protocols_end_with_the_upstream() {
    let upstream = Upstream::http(|request| {
        let head = match request.path.as_str() {
            "/upgrade" => "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket",
            _ => "200 OK",
        };
        Reply::raw(format!("HTTP/1.1 {head}\r\n\r\nbye")).then_close()
    });
    let connect = json!({"match": {"connect_matcher": {}}, "route": {"cluster": "up"}});
    let proxy = Config::http(&[connect, route("/", "up")])
        .manager(json!({"upgrade_configs": [
            {"upgrade_type": "websocket"},
            {"upgrade_type": "CONNECT"},
        ]}))
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .cluster("up", &[upstream.address()])
        .start();
    let upgrade = "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\n\r\n";
    for request in [upgrade, CONNECT] {
        let mut client = proxy.connect();
        client.send(request);
        client.response("HEAD");
        assert_eq!(client.read_to_end(), b"bye");
    }
    let cut = "UC upstream_reset_after_response_started{connection_termination}";
    assert_eq!(
        proxy.access_log(2),
        [format!("101 {cut}"), format!("200 {cut}")]
    );
}
