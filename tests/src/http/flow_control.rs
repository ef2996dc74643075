//! Messages that are larger than the buffers on their way, to peers that read late.

use crate::harness::{Config, Request, Upstream, route};
use crate::tls::authority::Authority;
use crate::tls::server::tls;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

const SIZE: usize = 1_000_000;
/// How late a peer begins to read: by then the sockets between are full.
const LATE: Duration = Duration::from_millis(40);

fn body() -> String {
    (0..SIZE)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect()
}

/// Answers with what it received, or, where that is nothing, with as much; every other time in
/// chunks.
fn echo(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    for turn in 0.. {
        thread::sleep(LATE);
        let Ok(Some(request)) = Request::read(&mut reader) else {
            return;
        };
        let text = match request.body.is_empty() {
            true => body(),
            false => String::from_utf8(request.body).unwrap(),
        };
        let (framing, text) = match turn % 2 {
            0 => (format!("content-length: {SIZE}"), text),
            _ => (
                "transfer-encoding: chunked".to_owned(),
                format!("{SIZE:x}\r\n{text}\r\n0\r\n\r\n"),
            ),
        };
        let reply = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{text}");
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// How one proxy reaches another.
fn hop(is_http2: bool, is_tls: bool, limit: u32) -> Value {
    let protocol = match is_http2 {
        true => json!({"http2_protocol_options": {}}),
        false => json!({"http_protocol_options": {}}),
    };
    let mut fields = json!({
        "per_connection_buffer_limit_bytes": limit,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol,
            },
        },
    });
    if is_tls {
        let name =
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
        fields["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": name},
        });
    }
    fields
}

#[test]
fn nothing_stands_still_with_small_buffers() {
    let authority = Authority::new("authority");
    let upstream = Upstream::tcp(echo);
    let text = body();
    for (is_http2, is_tls, limit) in [
        (false, false, 1),
        (false, false, 1000),
        (false, false, 32_768),
        (false, true, 1000),
        (false, true, 32_768),
        (true, false, 1000),
        (true, false, 32_768),
        (true, true, 1000),
        (true, true, 32_768),
    ] {
        let what = format!("HTTP/2: {is_http2}, TLS: {is_tls}, limit: {limit}");
        let limits = json!({"per_connection_buffer_limit_bytes": limit});
        let mut inner = Config::http(&[route("/", "up")])
            .main_listener(limits.clone())
            .cluster_with("up", &[upstream.address()], limits.clone());
        if is_tls {
            let protocols = if is_http2 { ["h2"] } else { ["http/1.1"] };
            let common = json!({
                "alpn_protocols": protocols,
                "tls_certificates": [authority.sign("inner.test").json()],
            });
            inner = inner.transport_socket(tls(common, json!({})));
        }
        let inner = inner.start();
        let hop = hop(is_http2, is_tls, limit);
        let outer = Config::http(&[route("/", "inner")])
            .main_listener(limits)
            .cluster_with("inner", &[inner.listener("main")], hop)
            .start();
        let mut client = outer.connect();
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
            thread::sleep(LATE);
            assert!(client.response("GET").body == text.as_bytes(), "{what}");
            let echoed = client.request("POST", "/", "", &text);
            assert!(echoed.body == text.as_bytes(), "{what}");
        }
    }
}
