//! CONNECT-UDP that ends here: its capsules go on as packets (`connect_config`).

use crate::harness::http2::{END_HEADERS, Http2, block, kind};
use crate::harness::{Config, Proxy};
use serde_json::json;
use std::net::UdpSocket;

/// A proxy before a host that answers packets.
fn proxy() -> Proxy {
    let host = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((length, from)) = host.recv_from(&mut packet) {
            let answer = [b"re:", &packet[..length]].concat();
            if host.send_to(&answer, from).is_err() {
                break;
            }
        }
    });
    let route = json!({"match": {"connect_matcher": {}}, "route": {
        "cluster": "udp",
        "upgrade_configs": [{"upgrade_type": "CONNECT-UDP", "connect_config": {}}],
    }});
    Config::http(&[route])
        .manager(json!({
            "upgrade_configs": [{"upgrade_type": "CONNECT-UDP"}],
            "http2_protocol_options": {"allow_connect": true},
        }))
        .cluster("udp", &[address])
        .start()
}

const PATH: &str = "/.well-known/masque/udp/127.0.0.1/1/";

#[test]
fn capsules_become_packets_over_http1() {
    let proxy = proxy();
    let mut client = proxy.connect();
    let upgrade = "connection: upgrade\r\nupgrade: connect-udp";
    client.send(format!(
        "GET {PATH} HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n\r\n"
    ));
    // A packet, a capsule of another type, a packet of another context.
    client.send(b"\x00\x03\x00hi\x05\x01x\x00\x02\x01x");
    let response = client.response("HEAD");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("capsule-protocol"), Some("?1"));
    assert_eq!(client.read(13), b"8\r\n\x00\x06\x00re:hi\r\n");
    client.send(b"\x00\x02\x00x");
    assert_eq!(client.read(12), b"7\r\n\x00\x05\x00re:x\r\n");
    drop(client);
    proxy.wait_stat("http.http.downstream_rq_active", 0);
    assert_eq!(proxy.stat("cluster.udp.upstream_rq_200"), 1);
    assert_eq!(proxy.stat("cluster.udp.upstream_cx_total"), 0);
}

#[test]
fn capsules_become_packets_over_http2() {
    let proxy = proxy();
    let mut client = Http2::open(&proxy);
    let head = block(&[
        (":method", "CONNECT"),
        (":protocol", "connect-udp"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", PATH),
    ]);
    client.send(kind::HEADERS, END_HEADERS, 1, &head);
    client.send(kind::DATA, 0, 1, b"\x00\x03\x00hi");
    let (_, _, stream, payload) = client.next_of(kind::DATA).unwrap();
    assert_eq!((stream, &*payload), (1, &b"\x00\x06\x00re:hi"[..]));
}
