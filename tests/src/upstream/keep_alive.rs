//! Signs of life that a proxy asks of HTTP/2 upstreams (`connection_keepalive`).

use crate::harness::http2::{END_HEADERS, END_STREAM, Http2, block, kind};
use crate::harness::{Config, Upstream, route};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn http2(keep_alive: serde_json::Value) -> serde_json::Value {
    let message = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = json!({"connection_keepalive": keep_alive});
    json!({"typed_extension_protocol_options": {message: {
        "@type": format!("type.googleapis.com/{message}"),
        "explicit_http_config": {"http2_protocol_options": options},
    }}})
}

#[test]
fn a_ping_goes_before_a_request_after_a_silence() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kinds = Arc::clone(&seen);
    // PINGs are not answered.
    let upstream = Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        while let Ok((kind, _, stream, _)) = server.try_next() {
            kinds.lock().unwrap().push(kind);
            if kind == kind::HEADERS {
                let head = block(&[(":status", "200")]);
                server.try_send(kind::HEADERS, END_HEADERS | END_STREAM, stream, &head);
            }
        }
    });
    let keep_alive = json!({"timeout": "0.3s", "connection_idle_interval": "0.1s"});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[upstream.address()], http2(keep_alive))
        .start();
    for pause in [0, 0, 200] {
        std::thread::sleep(Duration::from_millis(pause));
        assert_eq!(proxy.get("/").status, 200);
    }
    let expected = [kind::HEADERS, kind::HEADERS, kind::PING, kind::HEADERS];
    assert_eq!(*seen.lock().unwrap(), expected);
    proxy.wait_stat("cluster.up.http2.keepalive_timeout", 1);
    proxy.wait_stat("cluster.up.upstream_cx_active", 0);
}
