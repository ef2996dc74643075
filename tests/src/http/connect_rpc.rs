//! Clients of Connect's protocol and a gRPC service behind the bridge.

use crate::harness::http2::{END_HEADERS, END_STREAM, Http2, WHOLE, block, kind};
use crate::harness::{Config, Proxy, Upstream, http_filter, route};
use serde_json::json;

/// A service that says its message again, but `fail`, which fails.
fn service() -> Upstream {
    Upstream::tcp(|stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        let mut message = Vec::new();
        while let Some((_, flags, stream, payload)) = server.next_of(kind::DATA) {
            message.extend(payload);
            if flags & END_STREAM == 0 {
                continue;
            }
            let message = std::mem::take(&mut message);
            let head = [
                (":status", "200"),
                ("content-type", "application/grpc+proto"),
            ];
            if message.ends_with(b"fail") {
                let error = [("grpc-status", "8"), ("grpc-message", "full")];
                let head = block(&[head, error].concat());
                server.send(kind::HEADERS, WHOLE, stream, &head);
                continue;
            }
            server.send(kind::HEADERS, END_HEADERS, stream, &block(&head));
            server.send(kind::DATA, 0, stream, &message);
            let trailers = block(&[("grpc-status", "0"), ("x-cost", "3")]);
            server.send(kind::HEADERS, WHOLE, stream, &trailers);
        }
    })
}

fn proxy(service: &Upstream) -> Proxy {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}});
    let bridge = http_filter(
        "connect_grpc_bridge",
        "connect_grpc_bridge.v3.FilterConfig",
        json!({}),
    );
    Config::http(&[route("/", "service")])
        .http_filters(&[bridge])
        .cluster_with("service", &[service.address()], http2)
        .start()
}

#[test]
fn calls_of_one_message() {
    let service = service();
    let proxy = proxy(&service);
    let mut client = proxy.connect();
    let head = "content-type: application/proto\r\nconnect-protocol-version: 1\r\n";
    for round in ["first", "second"] {
        let answer = client.request("POST", "/s.S/M", head, round);
        assert_eq!(answer.brief(), (200, round.to_owned()));
        assert_eq!(answer.header("content-type"), Some("application/proto"));
        assert_eq!(answer.header("trailer-x-cost"), Some("3"));
    }
    let failed = client.request("POST", "/s.S/M", head, "fail");
    assert_eq!(failed.status, 429);
    let error: serde_json::Value = serde_json::from_slice(&failed.body).unwrap();
    assert_eq!(
        error,
        json!({"code": "resource_exhausted", "message": "full"})
    );
    let answer = client.get("/s.S/M?connect=v1&encoding=proto&base64=1&message=bWU");
    assert_eq!(answer.brief(), (200, "me".to_owned()));
}

#[test]
fn streams_end_with_a_message() {
    let service = service();
    let proxy = proxy(&service);
    let mut client = proxy.connect();
    let head = "content-type: application/connect+proto\r\n";
    let message = "\0\0\0\0\u{3}one";
    let answer = client.request("POST", "/s.S/M", head, message);
    assert_eq!(
        answer.header("content-type"),
        Some("application/connect+proto")
    );
    let end = "\u{2}\0\0\0\u{1d}{\"metadata\":{\"x-cost\":[\"3\"]}}";
    assert_eq!(answer.text(), format!("{message}{end}"));
}
