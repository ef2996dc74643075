//! HTTP/2 upstreams that take fewer streams on a connection than requests come at once.

use crate::harness::http2::{END_STREAM, Http2, MAX_CONCURRENT_STREAMS, WHOLE, block, kind};
use crate::harness::{Config, Upstream, is_envoy, route};
use serde_json::json;
use std::sync::{Arc, Condvar, Mutex};

/// More than a proxy puts on a connection before it knows what its peer takes.
const REQUESTS: u32 = 150;

#[test]
fn what_has_no_place_gets_another_connection() {
    if is_envoy() {
        // It has them wait for a place on the first.
        return;
    }
    let seen = Arc::new((Mutex::new(0), Condvar::new()));
    // Answers when all have come.
    let upstream = Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[(MAX_CONCURRENT_STREAMS, 100)]) else {
            return;
        };
        let mut streams = Vec::new();
        let (count, all) = &*seen;
        loop {
            let Some((_, _, stream, _)) = server.next_of(kind::HEADERS) else {
                return;
            };
            streams.push(stream);
            let mut count = count.lock().unwrap();
            *count += 1;
            all.notify_all();
            let is_last = streams.len() == 100 || *count == REQUESTS;
            if is_last {
                drop(all.wait_while(count, |count| *count < REQUESTS));
                break;
            }
        }
        for stream in streams {
            server.send(kind::HEADERS, WHOLE, stream, &block(&[(":status", "200")]));
        }
        while server.try_next().is_ok() {}
    });
    let message = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = json!({"typed_extension_protocol_options": {message: {
        "@type": format!("type.googleapis.com/{message}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[upstream.address()], options)
        .start();
    let mut client = Http2::open(&proxy);
    for stream in 0..REQUESTS {
        client.get(2 * stream + 1, "/");
    }
    for _ in 0..REQUESTS {
        assert_eq!(client.next_of(kind::HEADERS).unwrap().1 & END_STREAM, 1);
    }
    assert_eq!(
        proxy.stat("http.http.downstream_rq_2xx"),
        u64::from(REQUESTS)
    );
    assert_eq!(proxy.stat("cluster.up.upstream_cx_total"), 2);
}
