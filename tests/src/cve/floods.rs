//! Floods over HTTP/2: frames that cost the peer little and us much.

use super::{alone, check_alive, config};
use crate::harness::http2::{
    END_HEADERS, END_STREAM, Http2, INITIAL_WINDOW_SIZE, WHOLE, block, frame, get, kind, literal,
    request, settings,
};
use crate::harness::{Config, Connection, Proxy, Reply, Upstream, direct, is_envoy, route};
use serde_json::json;
use std::time::{Duration, Instant};

/// Longer than a proxy waits for a client that is to close.
const LONG: Duration = Duration::from_secs(5);

/// Sends the same again and again and reads nothing, until the proxy closes.
fn flood(client: &mut Http2, frames: &[u8]) {
    let many = frames.repeat(1 + 65_536 / frames.len());
    let begun = Instant::now();
    while client.0.try_send(&many).is_ok() {
        assert!(begun.elapsed() < LONG, "it is still open");
    }
}

/// A client that leaves little room for what is sent to it.
fn narrow(proxy: &Proxy) -> Http2 {
    Http2::open_with(Connection::narrow(proxy.listener("main")), &[])
}

/// Answers that nobody reads are no more than `max_outbound_control_frames`.
fn control_flood(frames: &[u8]) {
    let proxy = alone();
    flood(&mut narrow(&proxy), frames);
    // Envoy's library has a limit of its own, which nothing counts.
    if !is_envoy() {
        proxy.wait_stat("http2.outbound_control_flood", 1);
    }
    proxy.wait_stat("http.http.downstream_cx_delayed_close_timeout", 1);
    check_alive(&proxy);
}

/// The connection is closed after `frames`, and `stat` tells why.
fn refused(frames: &[u8], stat: &str) {
    let proxy = alone();
    let mut client = Http2::open(&proxy);
    // The proxy may close while this is being sent.
    let _ = client.0.try_send(frames);
    client.0.read_to_end();
    proxy.wait_stat(stat, 1);
    check_alive(&proxy);
}

#[test]
fn cve_2019_9511_data_dribble() {
    let body = "x".repeat(1 << 20);
    let upstream = Upstream::http(move |_| Reply::ok(&body));
    let proxy = config(&upstream).start();
    let connection = Connection::narrow(proxy.listener("main"));
    let mut client = Http2::open_with(connection, &[(INITIAL_WINDOW_SIZE, 0)]);
    let streams = (1..20).step_by(2);
    for stream in streams.clone() {
        client.get(stream, "/up");
    }
    // Each opens the way for a frame of one byte.
    let dribble: Vec<u8> = streams
        .flat_map(|stream| frame(kind::WINDOW_UPDATE, 0, stream, &[0, 0, 0, 1]))
        .collect();
    flood(&mut client, &dribble);
    proxy.wait_stat("http2.inbound_window_update_frames_flood", 1);
    proxy.wait_stat("http2.streams_active", 0);
    check_alive(&proxy);
}

#[test]
fn cve_2019_9512_pings() {
    control_flood(&frame(kind::PING, 0, 0, &[0; 8]));
}

#[test]
fn cve_2019_9513_priorities() {
    let priority = frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 3, 16]);
    refused(&priority.repeat(102), "http2.inbound_priority_frames_flood");
}

#[test]
fn cve_2019_9514_resets() {
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .manager(json!({"http2_protocol_options": {
            "override_stream_error_on_invalid_http_message": true,
        }}))
        .start();
    let mut client = narrow(&proxy);
    let bad = block(&[(":method", "GET"), ("connection", "close")]);
    let begun = Instant::now();
    let mut streams = (1..).step_by(2);
    while client.try_send(kind::HEADERS, WHOLE, streams.next().unwrap(), &bad) {
        assert!(begun.elapsed() < LONG, "it is still open");
    }
    let controls = proxy.stat("http2.outbound_control_flood");
    let premature = proxy.stat("http.http.downstream_rq_too_many_premature_resets");
    assert_eq!(controls + premature, 1);
    check_alive(&proxy);
}

#[test]
fn cve_2019_9515_settings() {
    control_flood(&settings(&[]));
}

#[test]
fn cve_2019_9516_names_without_length() {
    let nameless = [get("/"), literal(0x40, "", "")].concat();
    refused(
        &frame(kind::HEADERS, WHOLE, 1, &nameless),
        "http2.rx_messaging_error",
    );
}

#[test]
fn cve_2019_9517_data_that_is_never_read() {
    let body = "x".repeat(1 << 20);
    let upstream = Upstream::http(move |_| Reply::ok(&body));
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster_with(
            "up",
            &[upstream.address()],
            json!({"per_connection_buffer_limit_bytes": 32_768}),
        )
        .main_listener(json!({"per_connection_buffer_limit_bytes": 32_768}))
        .start();
    let connection = Connection::narrow(proxy.listener("main"));
    let mut client = Http2::open_with(connection, &[(INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
    client.send(kind::WINDOW_UPDATE, 0, 0, &0x7f00_0000_u32.to_be_bytes());
    for stream in (1..200).step_by(2) {
        client.get(stream, "/up");
    }
    proxy.wait_stat("cluster.up.upstream_rq_total", 100);
    // Of the hundred megabytes little has been read.
    std::thread::sleep(Duration::from_millis(200));
    assert!(proxy.stat("cluster.up.upstream_cx_rx_bytes_total") < 50 << 20);
    check_alive(&proxy);
}

#[test]
fn cve_2019_9518_empty_frames() {
    let head = frame(kind::HEADERS, END_HEADERS, 1, &get("/"));
    let empty = frame(kind::DATA, 0, 1, &[]);
    let stat = "http2.inbound_empty_frames_flood";
    refused(&[head, empty.repeat(3)].concat(), stat);
    let head = frame(kind::HEADERS, 0, 1, &[]);
    let empty = frame(kind::CONTINUATION, 0, 1, &[]);
    refused(&[head, empty.repeat(3)].concat(), stat);
}

#[test]
fn cve_2020_11080_settings_of_thousands_of_entries() {
    let entries: Vec<(u16, u32)> = (0..2700).map(|at| (0x4000 + at, 0)).collect();
    let proxy = alone();
    let mut client = Http2::open(&proxy);
    let _ = client.0.try_send(settings(&entries));
    // ENHANCE_YOUR_CALM.
    let (.., payload) = client.next_of(kind::GOAWAY).unwrap();
    assert_eq!(payload[4..8], [0, 0, 0, 11]);
    client.0.read_to_end();
    check_alive(&proxy);
}

#[test]
fn cve_2020_8659_2020_12603_bodies_byte_by_byte() {
    let upstream = Upstream::ok("");
    let proxy = config(&upstream).start();
    let mut client = Http2::open(&proxy);
    let head = request("POST", "/up", &[]);
    client.send(kind::HEADERS, END_HEADERS, 1, &head);
    let bytes = frame(kind::DATA, 0, 1, b"x").repeat(6000);
    for _ in 0..10 {
        client.0.send(&bytes);
    }
    client.send(kind::DATA, END_STREAM, 1, b"");
    assert_eq!(client.response(), (1, String::new()));
    assert_eq!(upstream.requests()[0].body.len(), 60_000);
    check_alive(&proxy);
}

/// And CVE-2020-12605.
#[test]
fn cve_2020_12604_streams_that_wait_for_windows() {
    let body = "x".repeat(300_000);
    let upstream = Upstream::http(move |_| Reply::ok(&body));
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .manager(json!({"http2_protocol_options": {"max_concurrent_streams": 100}}))
        .main_listener(json!({"per_connection_buffer_limit_bytes": 16_384}))
        .start();
    let mut client = Http2::open_with(proxy.connect(), &[(INITIAL_WINDOW_SIZE, 0)]);
    for stream in (1..200).step_by(2) {
        client.get(stream, "/up");
    }
    for _ in 0..100 {
        client.next_of(kind::HEADERS).unwrap();
    }
    assert!(proxy.stat("http2.pending_send_bytes") < 30 << 20);
    drop(client);
    proxy.wait_stat("http2.pending_send_bytes", 0);
    proxy.wait_stat("http2.streams_active", 0);
    check_alive(&proxy);
}

/// Opening and resetting streams costs each time the same.
#[test]
fn cve_2021_32778_resets_of_many_streams() {
    let upstream = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(30)));
    let proxy = config(&upstream).start();
    let busy = proxy.cpu_time();
    let mut client = Http2::open(&proxy);
    for stream in (1..800).step_by(2) {
        client.get(stream, "/up");
    }
    for stream in (1..800).step_by(2) {
        let _ = client.try_send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    proxy.wait_stat("http2.streams_active", 0);
    proxy.wait_stat("cluster.up.upstream_rq_active", 0);
    let busy = proxy.cpu_time() - busy;
    assert!(busy < Duration::from_secs(2), "{busy:?}");
    check_alive(&proxy);
}

#[test]
fn cve_2023_44487_rapid_resets() {
    let upstream = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(30)));
    let proxy = config(&upstream).start();
    let mut client = Http2::open(&proxy);
    let mut flood = Vec::new();
    for stream in (1..1200).step_by(2) {
        flood.extend(frame(kind::HEADERS, WHOLE, stream, &get("/up")));
        flood.extend(frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    // The proxy may close while this is being sent.
    let _ = client.0.try_send(flood);
    client.0.read_to_end();
    let stat = "http.http.downstream_rq_too_many_premature_resets";
    proxy.wait_stat(stat, 1);
    assert!(proxy.stat("http.http.downstream_rq_total") <= 600);
    check_alive(&proxy);
}

/// And CVE-2024-30255.
#[test]
fn cve_2024_27919_heads_without_end() {
    let proxy = alone();
    let mut client = Http2::open(&proxy);
    client.send(kind::HEADERS, 0, 1, &get("/"));
    let field = literal(0, "x-long", &"y".repeat(1000)).repeat(16);
    let more = frame(kind::CONTINUATION, 0, 1, &field);
    flood(&mut client, &more);
    client.0.read_to_end();
    proxy.wait_stat("http.http.downstream_cx_active", 0);
    proxy.wait_stat("http2.header_list_size_too_large", 1);
    check_alive(&proxy);
}

/// The runtime says how many resets are too many.
#[test]
fn cve_2023_44487_fewer_resets() {
    let upstream = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(30)));
    let layer = json!({"overload.premature_reset_total_stream_count": 10});
    let layers = json!({"layers": [{"name": "static", "static_layer": layer}]});
    let proxy = config(&upstream)
        .bootstrap(json!({"layered_runtime": layers}))
        .start();
    let mut client = Http2::open(&proxy);
    for stream in (1..20).step_by(2) {
        let _ = client.try_send(kind::HEADERS, WHOLE, stream, &get("/up"));
        let _ = client.try_send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    client.0.read_to_end();
    proxy.wait_stat("http.http.downstream_rq_too_many_premature_resets", 1);
    assert_eq!(proxy.stat("http.http.downstream_rq_rx_reset"), 5);
}
