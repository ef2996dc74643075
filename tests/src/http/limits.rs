//! What a request may not be or exceed, and how it is refused.

use crate::harness::{Config, Proxy, Upstream, direct, route};
use serde_json::json;

const DETAILS: &str = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

fn refused(proxy: &Proxy, bytes: &str) -> u16 {
    let mut connection = proxy.connect();
    connection.send(bytes);
    let response = connection.response("GET");
    assert_eq!(connection.read_to_end(), b"", "{bytes:.60?}");
    response.status
}

#[test]
fn malformed_requests_are_refused_and_end_the_connection() {
    let proxy = Config::http(&[direct("/", 200, "x")])
        .access_log(DETAILS)
        .start();
    let cases = [
        ("garbage\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.test\r\nbad name: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.test\r\nx: a\0b\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nhost: a.test\r\ncontent-length: -1\r\n\r\n",
            400,
        ),
        (
            "GET / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: gzip\r\n\r\n",
            501,
        ),
    ];
    for (bytes, status) in cases {
        assert_eq!(refused(&proxy, bytes), status, "{bytes:?}");
    }
    assert_eq!(proxy.get("/").status, 200);
    assert_eq!(
        proxy.stat("http.http.downstream_cx_protocol_error"),
        cases.len() as u64 - 1
    );
}

#[test]
fn heads_have_limits() {
    let upstream = Upstream::ok("fine");
    let options = json!({
        "max_request_headers_kb": 8,
        "common_http_protocol_options": {"max_headers_count": 20},
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .manager(options)
        .start();
    let head = "GET / HTTP/1.1\r\nhost: a.test\r\n";
    let count = |count: usize| format!("{head}{}\r\n", "x: y\r\n".repeat(count));
    let size = |size: usize| format!("{head}x: {}\r\n\r\n", "y".repeat(size));
    for (request, status) in [(count(15), 200), (size(7 * 1024), 200)] {
        let mut connection = proxy.connect();
        connection.send(&request);
        assert_eq!(connection.response("GET").status, status, "{:.60}", request);
    }
    for request in [
        count(21),
        size(9 * 1024),
        format!("{head}x: {}", "y".repeat(9 * 1024)),
    ] {
        assert_eq!(refused(&proxy, &request), 431, "{:.60}", request);
    }
}

#[test]
fn unanswered_and_slow_requests_time_out() {
    let options = json!({"request_headers_timeout": "0.2s", "request_timeout": "0.4s"});
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[Upstream::dead()])
        .manager(options)
        .access_log(DETAILS)
        .start();
    let head = "POST / HTTP/1.1\r\nhost: a.test\r\n";
    assert_eq!(refused(&proxy, head), 408);
}
