//! Upstreams over HTTP/2 that misbehave.

use super::check_alive;
use crate::harness::http2::{
    END_HEADERS, END_STREAM, Http2, MAX_CONCURRENT_STREAMS, WHOLE, block, kind, literal, settings,
};
use crate::harness::{Config, Proxy, Upstream, direct, route};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// An upstream that gives each request's stream to `answer`.
fn upstream(answer: impl Fn(&mut Http2, u32) + Send + Sync + 'static) -> Upstream {
    Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        while let Some((_, _, stream, _)) = server.next_of(kind::HEADERS) {
            answer(&mut server, stream);
        }
    })
}

fn cluster(config: Config, host: SocketAddr) -> Config {
    let options = json!({"explicit_http_config": {"http2_protocol_options": {}}});
    let options = typed("HttpProtocolOptions", options);
    let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let fields = json!({"typed_extension_protocol_options": {name: options}});
    config.cluster_with("up", &[host], fields)
}

fn typed(message: &str, mut fields: Value) -> Value {
    fields["@type"] =
        format!("type.googleapis.com/envoy.extensions.upstreams.http.v3.{message}").into();
    fields
}

fn proxy(upstream: &Upstream) -> Proxy {
    let routes = [route("/up", "up"), direct("/", 200, "alive")];
    cluster(Config::http(&routes), upstream.address()).start()
}

fn ok() -> Vec<u8> {
    block(&[(":status", "200")])
}

/// New requests of a connection that goes away, or takes no streams, wait or go elsewhere.
#[test]
fn cve_2021_32780_goaway_and_no_streams() {
    let upstream = upstream(|server, stream| {
        let last = stream.to_be_bytes();
        server.try_send(kind::GOAWAY, 0, 0, &[&last[..], &[0; 4]].concat());
        let _ = server.0.try_send(settings(&[(MAX_CONCURRENT_STREAMS, 0)]));
        server.try_send(kind::HEADERS, WHOLE, stream, &ok());
    });
    let proxy = proxy(&upstream);
    for _ in 0..5 {
        assert_eq!(proxy.get("/up").status, 200);
    }
    assert_eq!(upstream.connections(), 5);
    check_alive(&proxy);
}

/// Resets behind a GOAWAY leave nothing behind.
#[test]
fn cve_2023_35945_goaway_and_resets() {
    let upstream = upstream(|server, stream| {
        server.try_send(kind::GOAWAY, 0, 0, &[0; 8]);
        server.try_send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 7]);
    });
    let proxy = proxy(&upstream);
    for _ in 0..20 {
        assert_eq!(proxy.get("/up").status, 503);
    }
    proxy.wait_stat("cluster.up.upstream_rq_active", 0);
    proxy.wait_stat("cluster.up.http2.streams_active", 0);
    proxy.wait_stat("cluster.up.upstream_cx_active", 0);
    check_alive(&proxy);
}

/// A stream that nobody has opened ends the connection, not the proxy.
#[test]
fn cve_2024_45807_streams_of_an_upstream_s_own() {
    for stream in [2, 3, 101, 0] {
        let upstream = upstream(move |server, _| {
            server.try_send(kind::HEADERS, WHOLE, stream, &ok());
        });
        let proxy = proxy(&upstream);
        let answer = proxy.get("/up");
        assert!([502, 503].contains(&answer.status), "{stream}: {answer:?}");
        assert_eq!(proxy.stat("cluster.up.upstream_cx_protocol_error"), 1);
        check_alive(&proxy);
    }
}

/// Interim responses are passed over, and switching protocols isn't one of HTTP/2's.
#[test]
fn cve_2024_53271_interim_responses() {
    let answered = upstream(|server, stream| {
        for status in ["100", "102", "103", "199"] {
            let head = block(&[(":status", status)]);
            server.try_send(kind::HEADERS, END_HEADERS, stream, &head);
        }
        server.try_send(kind::HEADERS, WHOLE, stream, &ok());
    });
    let answered = proxy(&answered);
    assert_eq!(answered.get("/up").status, 200);
    check_alive(&answered);
    for flags in [END_HEADERS, WHOLE] {
        let refused = upstream(move |server, stream| {
            let status = if flags == WHOLE { "103" } else { "101" };
            let head = block(&[(":status", status)]);
            server.try_send(kind::HEADERS, flags, stream, &head);
        });
        let refused = proxy(&refused);
        let answer = refused.get("/up");
        assert!([502, 503].contains(&answer.status), "{answer:?}");
        check_alive(&refused);
    }
}

/// Trailers that do not end their stream.
#[test]
fn cve_2026_73513_trailers_without_end() {
    let upstream = upstream(|server, stream| {
        server.try_send(kind::HEADERS, END_HEADERS, stream, &ok());
        server.try_send(kind::DATA, 0, stream, b"x");
        let trailers = block(&[("x-y", "z")]);
        server.try_send(kind::HEADERS, END_HEADERS, stream, &trailers);
        server.try_send(kind::DATA, END_STREAM, stream, b"y");
    });
    let proxy = proxy(&upstream);
    let mut client = Http2::open(&proxy);
    client.get(1, "/up");
    client.next_of(kind::RST_STREAM).unwrap();
    proxy.wait_stat("cluster.up.upstream_rq_active", 0);
    // And of a client.
    client = Http2::open(&proxy);
    let head = crate::harness::http2::request("POST", "/up", &[]);
    client.send(kind::HEADERS, END_HEADERS, 1, &head);
    client.send(kind::HEADERS, END_HEADERS, 1, &block(&[("x-y", "z")]));
    client.0.read_to_end();
    assert_eq!(proxy.stat("http2.rx_messaging_error"), 1);
    check_alive(&proxy);
}

/// And of responses.
#[test]
fn cve_2026_47774_fields_that_are_repeated_by_a_byte() {
    let upstream = upstream(|server, stream| {
        let field = literal(0x40, "x-long", &"y".repeat(3000));
        let bomb = [ok(), field, vec![0x80 | 62; 8000]].concat();
        server.try_send(kind::HEADERS, WHOLE, stream, &bomb);
    });
    let proxy = proxy(&upstream);
    for _ in 0..20 {
        assert_eq!(proxy.get("/up").status, 503);
    }
    check_alive(&proxy);
}
