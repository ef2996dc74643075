//! Bodies through the compressor, and what is no body.

use crate::harness::{Config, Connection, Proxy, Upstream, http_filter, is_envoy};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};

/// A compressor of requests and responses.
fn gzip() -> Value {
    let library = json!({
        "name": "g",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip",
        },
    });
    let fields = json!({
        "compressor_library": library,
        "request_direction_config": {"common_config": {}},
        "response_direction_config": {"common_config": {}},
    });
    http_filter("compressor", "compressor.v3.Compressor", fields)
}

/// Answers by `head`, and sends back what comes behind the request's head.
fn echo(head: &'static str) -> Upstream {
    Upstream::tcp(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let lines = (&mut reader).lines().map_while(Result::ok);
        let seen: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let coded = seen.iter().any(|line| line.contains("content-encoding"));
        assert!(!coded, "{seen:?}");
        stream.write_all(head.as_bytes()).unwrap();
        // However the connection ends, so does this.
        let _ = io::copy(&mut reader, &mut stream);
    })
}

fn proxy(upstream: &Upstream) -> Proxy {
    let connect = json!({"upgrade_type": "CONNECT"});
    let upgrades = json!([{"upgrade_type": "websocket"}, connect]);
    let route = |matcher: Value| json!({"match": matcher, "route": {"cluster": "echo"}});
    let routes = [
        route(json!({"connect_matcher": {}})),
        route(json!({"prefix": "/"})),
    ];
    Config::http(&routes)
        .manager(json!({"upgrade_configs": upgrades}))
        .http_filters(&[gzip()])
        .cluster("echo", &[upstream.address()])
        .start()
}

fn goes_through_as_it_is(client: &mut Connection, status: u16) {
    let response = client.response("HEAD");
    assert_eq!(response.status, status);
    for name in ["content-encoding", "vary"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    for piece in ["long enough that a compressor would take it ", "and more"] {
        client.send(piece);
        assert_eq!(client.read(piece.len()), piece.as_bytes());
    }
}

#[test]
fn another_protocol_is_not_compressed() {
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n";
    let upstream = echo(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    let proxy = proxy(&upstream);
    let mut client = proxy.connect();
    client.send(format!(
        "GET /chat HTTP/1.1\r\nhost: a.test\r\naccept-encoding: gzip\r\n{upgrade}\r\n"
    ));
    goes_through_as_it_is(&mut client, 101);
    let stat = |name: &str| proxy.stat(&format!("http.http.compressor.g.gzip.{name}"));
    assert_eq!(stat("response.not_compressed"), 1);
    assert_eq!(stat("request.not_compressed"), 1);
}

/// What CONNECT opens has no content to be coded (RFC 9110, section 9.3.6). Envoy compresses it.
#[test]
fn tunnels_are_not_compressed() {
    if is_envoy() {
        return;
    }
    let upstream = echo("HTTP/1.1 200 OK\r\n\r\n");
    let proxy = proxy(&upstream);
    let mut client = proxy.connect();
    client.send("CONNECT a.test:80 HTTP/1.1\r\nhost: a.test:80\r\naccept-encoding: gzip\r\n\r\n");
    goes_through_as_it_is(&mut client, 200);
}
