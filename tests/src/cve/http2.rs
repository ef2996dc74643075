//! Messages over HTTP/2 that are no messages, or more than they seem.

use super::{alone, check_alive, config};
use crate::harness::http2::{
    END_HEADERS, END_STREAM, Http2, INITIAL_WINDOW_SIZE, WHOLE, block, get, kind, literal, request,
};
use crate::harness::{Config, Proxy, Upstream, direct, route};
use serde_json::json;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Each head costs its connection; none of the requests reaches anybody.
fn malformed(heads: &[Vec<u8>]) {
    let upstream = Upstream::ok("x");
    let proxy = config(&upstream).start();
    for (at, head) in heads.iter().enumerate() {
        let mut client = Http2::open(&proxy);
        let _ = client.try_send(kind::HEADERS, WHOLE, 1, head);
        assert!(client.next_of(kind::HEADERS).is_none());
        proxy.wait_stat("http2.rx_messaging_error", at as u64 + 1);
    }
    assert_eq!(upstream.requests().len(), 0);
    check_alive(&proxy);
}

#[test]
fn cve_2019_18801_a_head_that_is_too_large() {
    let upstream = Upstream::ok("x");
    let proxy = config(&upstream).start();
    let mut client = Http2::open(&proxy);
    let head = request("GET", "/up", &[("x-long", &"y".repeat(16_000))]);
    client.send(kind::HEADERS, END_STREAM, 1, &head);
    let more = literal(0, "x-long", &"y".repeat(16_000));
    for at in 0..4 {
        let flags = if at == 3 { END_HEADERS } else { 0 };
        client.send(kind::CONTINUATION, flags, 1, &more);
    }
    assert_eq!(client.next_of(kind::RST_STREAM).unwrap().2, 1);
    assert_eq!(upstream.requests().len(), 0);
    // Its neighbours are served.
    client.get(3, "/up");
    assert_eq!(client.response(), (3, "x".to_owned()));
    check_alive(&proxy);
}

#[test]
fn cve_2021_28682_a_grpc_timeout_beyond_numbers() {
    let upstream = Upstream::ok("x");
    let route = json!({
        "match": {"prefix": "/up"},
        "route": {"cluster": "up", "max_stream_duration": {"grpc_timeout_header_max": "0s"}},
    });
    let proxy = Config::http(&[route, direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = Http2::open(&proxy);
    for (at, timeout) in [
        "99999999999H",
        "99999999H",
        "-1S",
        "1",
        "",
        "18446744073709551616n",
    ]
    .iter()
    .enumerate()
    {
        let stream = 2 * at as u32 + 1;
        let more = [
            ("content-type", "application/grpc"),
            ("grpc-timeout", timeout),
        ];
        let head = request("POST", "/up", &more);
        client.send(kind::HEADERS, WHOLE, stream, &head);
        assert_eq!(
            client.next_of(kind::HEADERS).unwrap().2,
            stream,
            "{timeout}"
        );
    }
    check_alive(&proxy);
}

/// METADATA frames, empty ones too, are no part of HTTP/2 where they are not allowed.
#[test]
fn cve_2021_29258_metadata_without_entries() {
    let proxy = alone();
    let mut client = Http2::open(&proxy);
    client.send(kind::HEADERS, END_HEADERS, 1, &get("/"));
    client.send(kind::METADATA, END_HEADERS, 1, b"");
    client.send(kind::METADATA, END_HEADERS, 1, &block(&[("", "")]));
    client.send(kind::DATA, END_STREAM, 1, b"");
    assert_eq!(client.response(), (1, "alive".to_owned()));
    check_alive(&proxy);
}

#[test]
fn cve_2023_27491_paths_and_authorities_with_other_lines_in_them() {
    let of_path = |path: &str| request("GET", path, &[]);
    let of_authority = |authority: &str| {
        block(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/up"),
            (":authority", authority),
        ])
    };
    let of_field = |field: (&str, &str)| request("GET", "/up", &[field]);
    let paths = ["/up a", "/up\r\nx: y", "/up\n", "/up\0", "up", ""].map(of_path);
    let authorities = ["a.test b", "a.test\r\nx: y", "a\0b", "user@a.test"].map(of_authority);
    let fields = [
        ("x-y", "a\nb"),
        ("x-y", "a\0"),
        ("x y", "z"),
        ("X-Y", "z"),
        ("x\n", "z"),
    ];
    let fields = fields.map(of_field);
    malformed(&[&paths[..], &authorities, &fields].concat());
}

/// A scheme counts however it is spelt.
#[test]
fn cve_2023_35944_schemes_of_mixed_case() {
    let upstream = Upstream::ok("x");
    let proxy = config(&upstream).access_log("%REQ(:scheme)%").start();
    let mut client = Http2::open(&proxy);
    let head = [
        (":method", "GET"),
        (":scheme", "HtTp"),
        (":path", "/up"),
        (":authority", "a.test"),
    ];
    client.send(kind::HEADERS, WHOLE, 1, &block(&head));
    assert_eq!(client.response(), (1, "x".to_owned()));
    assert_eq!(proxy.access_log(1), ["http"]);
    check_alive(&proxy);
}

/// An upgrade that is answered by 200 is none: nothing of the client's gets through as a tunnel.
#[test]
fn cve_2024_23326_upgrades_that_upstreams_answer_otherwise() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n",
    ];
    for answer in answers {
        let (upstream, seen) = upstream(Duration::ZERO, answer);
        let proxy = upgrading(&upstream, "websocket");
        let mut client = Http2::open(&proxy);
        let head = extended_connect("websocket");
        client.send(kind::HEADERS, END_HEADERS, 1, &head);
        let (_, flags, stream, _) = client.next_of(kind::HEADERS).unwrap();
        assert_eq!((flags, stream), (WHOLE, 1), "{answer}");
        check_unseen(&proxy, &mut client, &seen);
        let details = "websocket_handshake_unsuccessful";
        assert_eq!(proxy.access_log(1)[0], details, "{answer}");
    }
}

/// What comes behind an upgrade's request waits until the upstream has agreed.
#[test]
fn cve_2026_73548_data_ahead_of_an_upgrade() {
    for answer in [
        "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n",
    ] {
        let (upstream, seen) = upstream(Duration::from_millis(200), answer);
        let proxy = upgrading(&upstream, "other");
        let mut client = Http2::open(&proxy);
        client.send(kind::HEADERS, END_HEADERS, 1, &extended_connect("other"));
        client.send(kind::DATA, 0, 1, SMUGGLED);
        assert_eq!(client.next_of(kind::HEADERS).unwrap().2, 1);
        check_unseen(&proxy, &mut client, &seen);
    }
}

const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n";

/// An upstream that answers after a while, and what it has received.
fn upstream(after: Duration, answer: &'static str) -> (Upstream, Arc<Mutex<Vec<u8>>>) {
    let seen = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&seen);
    let upstream = Upstream::tcp(move |mut stream| {
        let mut bytes = [0; 65_536];
        let mut answered = false;
        while let Ok(len @ 1..) = stream.read(&mut bytes) {
            kept.lock().unwrap().extend_from_slice(&bytes[..len]);
            if !std::mem::replace(&mut answered, true) {
                std::thread::sleep(after);
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    (upstream, seen)
}

/// The upstream hears of the upgrade only, whatever else is sent.
fn check_unseen(proxy: &Proxy, client: &mut Http2, seen: &Mutex<Vec<u8>>) {
    let _ = client.try_send(kind::DATA, 0, 1, SMUGGLED);
    // It is through once a request behind it is answered.
    client.get(3, "/");
    while client.next_of(kind::HEADERS).unwrap().2 != 3 {}
    std::thread::sleep(Duration::from_millis(50));
    let seen = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    assert!(seen.starts_with("GET /up HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.contains("smuggled"), "{seen}");
    check_alive(proxy);
}

fn upgrading(upstream: &Upstream, protocol: &str) -> Proxy {
    Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .manager(json!({
            "upgrade_configs": [{"upgrade_type": protocol}],
            "http2_protocol_options": {"allow_connect": true},
        }))
        .access_log("%RESPONSE_CODE_DETAILS%")
        .start()
}

fn extended_connect(protocol: &str) -> Vec<u8> {
    request("CONNECT", "/up", &[(":protocol", protocol)])
}

/// A field of the table costs a byte to repeat, and much to hold.
#[test]
fn cve_2026_47774_fields_that_are_repeated_by_a_byte() {
    let proxy = alone();
    let mut client = Http2::open_with(proxy.connect(), &[(INITIAL_WINDOW_SIZE, 0)]);
    let cookie = literal(0x40, "cookie", &"c".repeat(3000));
    client.send(kind::HEADERS, WHOLE, 1, &[get("/"), cookie].concat());
    for stream in (3..101).step_by(2) {
        let bomb = [get("/"), vec![0x80 | 62; 8000]].concat();
        if !client.try_send(kind::HEADERS, WHOLE, stream, &bomb) {
            break;
        }
    }
    assert_eq!(client.next_of(kind::RST_STREAM).unwrap().2, 3);
    check_alive(&proxy);
}

/// And beside `:authority`, where only one is kept.
#[test]
fn cve_2026_73550_hosts_that_are_repeated_by_a_byte() {
    let proxy = alone();
    let mut client = Http2::open(&proxy);
    let host = literal(0x40, "host", &"h".repeat(3000));
    client.send(kind::HEADERS, WHOLE, 1, &[get("/"), host].concat());
    let bomb = [get("/"), vec![0x80 | 62; 8000]].concat();
    client.send(kind::HEADERS, WHOLE, 3, &bomb);
    client.0.read_to_end();
    proxy.wait_stat("http2.rx_messaging_error", 1);
    check_alive(&proxy);
}
