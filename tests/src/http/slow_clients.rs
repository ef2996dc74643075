//! Clients that ask, and leave the answer unread.

use crate::harness::http2::{Http2, INITIAL_WINDOW_SIZE, kind};
use crate::harness::{Config, Reply, Upstream, route};
use serde_json::json;
use std::io::Write;
use std::thread;
use std::time::Duration;

/// How much of a body such a client takes.
const WINDOW: u32 = 10;

fn long_after(delay: Duration) -> Upstream {
    Upstream::http(move |_| Reply::ok(&"x".repeat(100)).after(delay))
}

#[test]
fn a_connection_that_is_to_end_waits_idly_for_its_client() {
    let upstream = long_after(Duration::from_millis(300));
    let options = json!({
        "drain_timeout": "0.1s",
        "common_http_protocol_options": {
            "max_requests_per_connection": 1,
            "idle_timeout": "0.5s",
        },
    });
    let proxy = Config::http(&[route("/", "up")])
        .manager(options)
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = Http2::open_with(proxy.connect(), &[(INITIAL_WINDOW_SIZE, WINDOW)]);
    client.get(1, "/");
    assert_eq!(client.next_of(kind::DATA).unwrap().3, [b'x'; 10]);
    thread::sleep(Duration::from_millis(700));
    let before = proxy.cpu_time();
    thread::sleep(Duration::from_millis(300));
    let busy = proxy.cpu_time() - before;
    assert!(busy < Duration::from_millis(150), "busy for {busy:?}");
    assert_eq!(proxy.get("/").status, 200);
    client.send(kind::WINDOW_UPDATE, 0, 1, &1000_u32.to_be_bytes());
    assert_eq!(client.next().3, [b'x'; 90]);
    assert_eq!(client.next_of(kind::DATA), None);
}

#[test]
fn a_stream_lasts_until_its_client_has_everything() {
    let upstream = long_after(Duration::ZERO);
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"stream_idle_timeout": "0s"}))
        .access_log("%REQ(:path)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .cluster("up", &[upstream.address()])
        .start();
    let active = "http.http.downstream_rq_active";
    let mut client = Http2::open_with(proxy.connect(), &[(INITIAL_WINDOW_SIZE, WINDOW)]);
    let ask = |client: &mut Http2, stream, path| {
        client.get(stream, path);
        assert_eq!(client.next_of(kind::DATA).unwrap().3, [b'x'; 10]);
        proxy.wait_stat(active, 1);
    };
    ask(&mut client, 1, "/reset");
    client.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    proxy.wait_stat(active, 0);
    ask(&mut client, 3, "/read");
    thread::sleep(Duration::from_millis(100));
    client.send(kind::WINDOW_UPDATE, 0, 3, &1000_u32.to_be_bytes());
    assert_eq!(client.next_of(kind::DATA).unwrap().3, [b'x'; 90]);
    proxy.wait_stat(active, 0);
    ask(&mut client, 5, "/closed");
    drop(client);
    proxy.wait_stat(active, 0);
    assert_eq!(
        proxy.access_log(3),
        [
            "/reset 200 DR http2.remote_reset",
            "/read 200 - via_upstream",
            "/closed 200 DC downstream_remote_disconnect",
        ]
    );
    for (name, value) in [
        ("rq_total", 3),
        ("rq_2xx", 3),
        ("rq_rx_reset", 2),
        ("cx_destroy_remote_active_rq", 1),
    ] {
        assert_eq!(
            proxy.stat(&format!("http.http.downstream_{name}")),
            value,
            "{name}"
        );
    }
}

#[test]
fn responses_are_counted_when_they_begin() {
    let upstream = Upstream::tcp(|mut stream| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";
        let _ = stream.write_all(head.as_bytes());
        thread::sleep(Duration::from_millis(300));
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    proxy.wait_stat("http.http.downstream_rq_2xx", 1);
    assert_eq!(proxy.stat("http.http.downstream_rq_active"), 1);
    client.read_to_end();
    proxy.wait_stat("http.http.downstream_rq_active", 0);
    assert_eq!(proxy.stat("http.http.downstream_rq_completed"), 1);
}
