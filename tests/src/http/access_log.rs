//! What is logged of a request.

use crate::harness::{Config, Reply, Upstream, route};
use serde_json::{Value, json};

#[test]
fn the_default_format_is_envoys() {
    let upstream = Upstream::ok("hello");
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "${folder}/access.log",
        },
    });
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"access_log": [log]}))
        .cluster("up", &[upstream.address()])
        .start();
    let headers = "user-agent: tester\r\nx-request-id: 7\r\n";
    proxy.connect().request("POST", "/a?b", headers, "abc");
    let line = proxy.access_log(1)[0].clone();
    let time = line.find(']').unwrap();
    assert_eq!(
        line[..time].len(),
        "[2026-01-02T03:04:05.678Z".len(),
        "{line}"
    );
    let rest: Vec<&str> = line[time + 2..].split('"').collect();
    assert_eq!(rest[1], "POST /a?b HTTP/1.1");
    assert!(rest[2].starts_with(" 200 - 3 5 "), "{line}");
    let quoted: Vec<&str> = rest[3..].iter().copied().step_by(2).collect();
    let address = upstream.address().to_string();
    let id = upstream.requests()[0]
        .header("x-request-id")
        .unwrap()
        .to_owned();
    assert_eq!(quoted, ["-", "tester", &id, "a.test", &address]);
}

#[test]
fn json_keeps_types_and_leaves_out_nothing() {
    let upstream = Upstream::http(|_| Reply::new(201, "x-from: up\r\n", "hello"));
    let format = json!({
        "status": "%RESPONSE_CODE%",
        "path": "%REQ(:path)%",
        "sent": "%BYTES_SENT%",
        "from": "%RESP(x-from)%",
        "missing": "%REQ(x-missing)%",
        "mixed": "%PROTOCOL% to %UPSTREAM_CLUSTER%",
        "nested": {"flags": "%RESPONSE_FLAGS%"},
    });
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "${folder}/access.log",
            "log_format": {"json_format": format},
        },
    });
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"access_log": [log]}))
        .cluster("up", &[upstream.address()])
        .start();
    assert_eq!(proxy.get("/\"quoted\"").status, 201);
    let line: Value = serde_json::from_str(&proxy.access_log(1)[0]).unwrap();
    let expected = json!({
        "status": 201,
        "path": "/\"quoted\"",
        "sent": 5,
        "from": "up",
        "missing": null,
        "mixed": "HTTP/1.1 to up",
        "nested": {"flags": "-"},
    });
    assert_eq!(line, expected);
}

#[test]
fn bytes_are_counted_on_both_sides() {
    let upstream = Upstream::http(|request| match request.path.as_str() {
        "/interim" => Reply::raw("HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
        _ => Reply::new(200, "x-foo:  bar  \r\n", "hi"),
    });
    let proxy = Config::http(&[route("/", "up")])
        .access_log(
            "%UPSTREAM_HEADER_BYTES_SENT% %UPSTREAM_WIRE_BYTES_SENT% \
             %UPSTREAM_HEADER_BYTES_RECEIVED% %UPSTREAM_WIRE_BYTES_RECEIVED% \
             %DOWNSTREAM_HEADER_BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_RECEIVED% \
             %UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%",
        )
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/").status, 200);
    let _ = connection.request("POST", "/a", "", "hello");
    assert_eq!(connection.get("/interim").status, 204);
    let host = format!("{} 127.0.0.1", upstream.address());
    let bytes = [
        "130 148 29 56 13 32",
        "149 174 29 56 31 58",
        "130 155 8 50 13 39",
    ];
    let expected = bytes.map(|bytes| format!("{bytes} {host}"));
    assert_eq!(proxy.access_log(3), expected);
    let names = proxy
        .admin("/stats?filter=cluster.up.http1.*underscores")
        .text();
    assert_eq!(names.lines().count(), 2, "{names}");
}

#[test]
fn listeners_log_what_their_connections_carried() {
    let upstream = Upstream::ok("hello");
    let format = "%PROTOCOL% %RESPONSE_FLAGS% %BYTES_RECEIVED%";
    let proxy = Config::http(&[route("/", "up")])
        .listener_log(format)
        .cluster("up", &[upstream.address()])
        .start();
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut connection = proxy.connect();
    for _ in 0..2 {
        connection.send(request);
        assert_eq!(connection.response("GET").status, 200);
    }
    drop(connection);
    let expected = format!("HTTP/1.1 - {}", 2 * request.len());
    assert_eq!(proxy.access_log(1), [expected]);
    let mut connection = proxy.connect();
    connection.send("GARBAGE\r\n\r\n");
    assert_eq!(connection.response("GET").status, 400);
    drop(connection);
    assert_eq!(proxy.access_log(2)[1], "- DPE 11");
}
