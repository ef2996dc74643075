//! Connections of clients and to upstreams: kept, shared, pipelined, closed.

use crate::harness::{Config, Proxy, Upstream, direct, route};
use serde_json::json;
use std::time::{Duration, Instant};

fn proxy(upstream: &Upstream) -> Proxy {
    let cluster = [upstream.address()];
    Config::http(&[direct("/direct", 200, "directly"), route("/", "up")])
        .cluster("up", &cluster)
        .start()
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::ok("hello");
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    for _ in 0..20 {
        assert_eq!(connection.get("/").brief(), (200, "hello".to_owned()));
    }
    let mut second = proxy.connect();
    assert_eq!(second.get("/").brief(), (200, "hello".to_owned()));
    assert_eq!(upstream.connections(), 1);
    for (stat, value) in [
        ("http.http.downstream_cx_total", 2),
        ("http.http.downstream_cx_active", 2),
        ("http.http.downstream_rq_total", 21),
        ("http.http.downstream_rq_2xx", 21),
        ("cluster.up.upstream_cx_total", 1),
        ("cluster.up.upstream_rq_total", 21),
        ("cluster.up.upstream_rq_200", 21),
        ("cluster.up.membership_healthy", 1),
    ] {
        assert_eq!(proxy.stat(stat), value, "{stat}");
    }
    drop(connection);
    proxy.wait_stat("http.http.downstream_cx_active", 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::http(|request| crate::harness::Reply::ok(&request.path));
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    // One direct response only: Envoy ends a connection on which more than two are waiting.
    let path = |at| {
        if at == 0 {
            "/direct".into()
        } else {
            format!("/{at}")
        }
    };
    let paths: Vec<String> = (0..50).map(path).collect();
    let mut bytes = String::new();
    for path in &paths {
        bytes += &format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    connection.send(bytes);
    for path in &paths {
        let body = if path == "/direct" { "directly" } else { path };
        assert_eq!(connection.response("GET").brief(), (200, body.to_owned()));
    }
}

#[test]
fn a_connection_ends_when_either_side_says_so() {
    let upstream = Upstream::ok("hello");
    let proxy = proxy(&upstream);
    for (request, ends) in [
        (
            "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n",
            true,
        ),
        ("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n", false),
        (
            "GET /direct HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n",
            true,
        ),
    ] {
        let mut connection = proxy.connect();
        connection.send(request);
        let response = connection.response("GET");
        assert_eq!(response.status, 200);
        assert_eq!(
            response.header("connection"),
            ends.then_some("close"),
            "{request:?}"
        );
        if ends {
            // At once: the request was complete, nothing is under way any more.
            let begun = Instant::now();
            assert_eq!(connection.read_to_end(), b"");
            assert!(begun.elapsed() < Duration::from_millis(500), "{request:?}");
        } else {
            assert_eq!(connection.get("/").status, 200);
        }
    }
}

#[test]
fn http_1_0_is_for_those_that_accept_it() {
    let upstream = Upstream::ok("hello");
    let refusing = proxy(&upstream);
    let mut connection = refusing.connect();
    connection.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(connection.response("GET").status, 426);

    let options = json!({"accept_http_10": true, "default_host_for_http_10": "default.test"});
    let accepting = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .manager(json!({"http_protocol_options": options}))
        .start();
    let mut connection = accepting.connect();
    connection.send("GET /old HTTP/1.0\r\n\r\n");
    let response = connection.response("GET");
    assert_eq!(response.brief(), (200, "hello".to_owned()));
    assert_eq!(connection.read_to_end(), b"");
    let requests = upstream.requests();
    assert_eq!(requests[0].header("host"), Some("default.test"));
}

#[test]
fn idle_connections_are_closed_in_time() {
    let options = json!({
        "common_http_protocol_options": {"idle_timeout": "0.2s"},
        "drain_timeout": "0.1s",
    });
    let proxy = Config::http(&[direct("/", 200, "x")])
        .manager(options)
        .start();
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/").status, 200);
    assert_eq!(connection.read_to_end(), b"");
    assert_eq!(proxy.stat("http.http.downstream_cx_idle_timeout"), 1);
}

#[test]
fn an_idle_connection_ends_within_the_drain_timeout() {
    let proxy = Config::http(&[direct("/", 200, "x")])
        .manager(json!({
            "common_http_protocol_options": {"idle_timeout": "0.2s"},
            "drain_timeout": "0.3s",
            "delayed_close_timeout": "0.1s",
        }))
        .start();
    let idle = "http.http.downstream_cx_idle_timeout";
    // Nothing was ever said on it: it ends at once.
    assert_eq!(proxy.connect().read_to_end(), b"");
    assert_eq!(proxy.stat(idle), 1);
    // One that is asked once more says that this was the last answer.
    let mut client = proxy.connect();
    assert_eq!(client.get("/").header("connection"), None);
    proxy.wait_stat(idle, 2);
    assert_eq!(client.get("/").header("connection"), Some("close"));
    assert_eq!(client.read_to_end(), b"");
    let mut client = proxy.connect();
    client.get("/");
    proxy.wait_stat(idle, 3);
    assert_eq!(client.read_to_end(), b"");
    assert_eq!(
        proxy.stat("http.http.downstream_cx_delayed_close_timeout"),
        2
    );
}
