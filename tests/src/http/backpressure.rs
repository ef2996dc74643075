//! Senders that are faster than who receives: they are held back, and nothing is lost.

use crate::harness::http2::Http2;
use crate::harness::{Config, Request, Upstream, route};
use serde_json::json;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// As much never stays on the way: sockets hold less.
const MUCH: usize = 24_000_000;

const HTTP2: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

#[test]
fn what_is_sent_behind_an_upgrade_waits_for_its_answer() {
    // Nobody is told that the protocol is another now.
    let http1 = Upstream::tcp(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let http2 = Upstream::tcp(|stream| {
        let Some(mut server) = Http2::serve(stream, &[(8, 1)]) else {
            return;
        };
        while server.try_next().is_ok() {}
    });
    let limit = json!({"per_connection_buffer_limit_bytes": 32_768});
    let mut over_http2 = limit.clone();
    over_http2["typed_extension_protocol_options"] = json!({HTTP2: {
        "@type": format!("type.googleapis.com/{HTTP2}"),
        "explicit_http_config": {"http2_protocol_options": {"allow_connect": true}},
    }});
    let proxy = Config::http(&[route("/1", "http1"), route("/2", "http2")])
        .manager(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
        .main_listener(limit.clone())
        .cluster_with("http1", &[http1.address()], limit)
        .cluster_with("http2", &[http2.address()], over_http2)
        .start();
    let mut endless = vec![];
    for path in ["/1", "/2"] {
        let mut client = TcpStream::connect(proxy.listener("main")).unwrap();
        let timeout = Duration::from_millis(400);
        client.set_write_timeout(Some(timeout)).unwrap();
        let head = "host: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        write!(client, "GET {path} HTTP/1.1\r\n{head}").unwrap();
        thread::sleep(Duration::from_millis(50));
        let block = [b'x'; 65_536];
        let mut sent = 0;
        while sent < MUCH
            && let Ok(more) = client.write(&block)
        {
            sent += more;
        }
        assert!(sent < MUCH, "{path}: all was taken");
        endless.push(client);
    }
}

#[test]
fn copies_go_on_when_their_hosts_do() {
    let (sender, copied) = mpsc::channel();
    let slow = Upstream::tcp(move |stream| {
        thread::sleep(Duration::from_millis(300));
        let mut reader = BufReader::new(stream);
        if let Ok(Some(request)) = Request::read(&mut reader) {
            let _ = sender.send(request.body.len());
        }
    });
    let upstream = Upstream::ok("ok");
    let mut mirrored = route("/", "up");
    mirrored["route"]["request_mirror_policies"] = json!([{"cluster": "slow"}]);
    let limit = |bytes: usize| json!({"per_connection_buffer_limit_bytes": bytes});
    let proxy = Config::http(&[mirrored])
        .main_listener(limit(2 * MUCH))
        .cluster("up", &[upstream.address()])
        .cluster_with("slow", &[slow.address()], limit(1000))
        .start();
    let body = "x".repeat(MUCH);
    assert_eq!(proxy.connect().request("POST", "/", "", &body).status, 200);
    let copied = copied.recv_timeout(Duration::from_secs(5));
    assert_eq!(copied, Ok(MUCH));
}
