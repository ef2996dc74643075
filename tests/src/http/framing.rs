//! Where messages begin and end: lengths, chunks, trailers, and messages without a body.

use crate::harness::{Config, Proxy, Reply, Upstream, route};

fn proxy(upstream: &Upstream) -> Proxy {
    Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start()
}

#[test]
fn request_bodies_reach_the_upstream() {
    let upstream = Upstream::ok("");
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    let large = "x".repeat(300_000);
    for (request, body) in [
        ("content-length: 5\r\n\r\nhello".to_owned(), "hello"),
        ("content-length: 0\r\n\r\n".to_owned(), ""),
        ("transfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), ""),
        (
            "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n".into(),
            "hello",
        ),
        (format!("content-length: 300000\r\n\r\n{large}"), &large),
        (
            format!("transfer-encoding: chunked\r\n\r\n493e0\r\n{large}\r\n0\r\n\r\n"),
            &large,
        ),
    ] {
        connection.send(format!("POST / HTTP/1.1\r\nhost: a.test\r\n{request}"));
        assert_eq!(connection.response("POST").status, 200);
        let seen = upstream.requests().pop().unwrap();
        assert!(
            seen.body == body.as_bytes(),
            "{:.100} became {} bytes",
            request,
            seen.body.len()
        );
    }
}

#[test]
fn response_bodies_reach_the_client() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let upstream = Upstream::http(|request| {
        let large = "y".repeat(1_000_000);
        match request.path.as_str() {
            "/length" => Reply::ok("hello"),
            "/chunked" => Reply::raw(format!("{CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")),
            "/close" => Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello").then_close(),
            "/large" => Reply::ok(&large),
            "/large-chunked" => Reply::raw(format!("{CHUNKED}f4240\r\n{large}\r\n0\r\n\r\n")),
            "/none" => Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
            "/cached" => Reply::raw("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n"),
            "/early" => Reply::raw(
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
                 HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nz",
            ),
            _ => Reply::new(404, "", ""),
        }
    });
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    for (path, status, body) in [
        ("/length", 200, "hello"),
        ("/chunked", 200, "hello"),
        ("/close", 200, "hello"),
        ("/large", 200, &*"y".repeat(1_000_000)),
        ("/large-chunked", 200, &*"y".repeat(1_000_000)),
        ("/none", 204, ""),
        ("/cached", 304, ""),
        ("/early", 200, "z"),
    ] {
        let response = connection.get(path);
        assert_eq!(response.status, status, "{path}");
        assert!(
            response.body == body.as_bytes(),
            "{path}: {} bytes",
            response.body.len()
        );
    }
}

#[test]
fn head_is_answered_without_a_body() {
    let upstream = Upstream::http(|_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"));
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    for _ in 0..3 {
        let response = connection.request("HEAD", "/", "", "");
        assert_eq!(response.header("content-length"), Some("5"));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn who_expects_a_100_gets_it_before_the_body_is_sent() {
    let upstream = Upstream::ok("done");
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    let head = "POST / HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\n";
    connection.send(format!("{head}content-length: 5\r\n\r\n"));
    assert_eq!(connection.response("POST").status, 100);
    connection.send("hello");
    assert_eq!(
        connection.response("POST").brief(),
        (200, "done".to_owned())
    );
    assert_eq!(upstream.requests()[0].body, b"hello");
}
