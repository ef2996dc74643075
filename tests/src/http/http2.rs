//! HTTP/2 on the listener's side, by prior knowledge: a client that writes frames by hand.

use crate::harness::http2::{Http2, kind};
use crate::harness::{Config, Reply, Upstream, direct, route};
use serde_json::json;
use std::time::Duration;

#[test]
fn streams_are_answered_as_they_come() {
    let upstream = Upstream::http(|request| {
        let reply = Reply::ok(&request.path);
        if request.path == "/slow" {
            reply.after(Duration::from_millis(300))
        } else {
            reply
        }
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = Http2::open(&proxy);
    for (stream, path) in [(1, "/slow"), (3, "/a"), (5, "/b")] {
        client.get(stream, path);
    }
    let bodies = client.responses(3);
    let mut fast = bodies[..2].to_vec();
    fast.sort();
    assert_eq!(fast, [(3, "/a".to_owned()), (5, "/b".to_owned())]);
    assert_eq!(bodies[2], (1, "/slow".to_owned()));
    for (stat, value) in [
        ("downstream_cx_http2_total", 1),
        ("downstream_rq_http2_total", 3),
        ("downstream_rq_2xx", 3),
        ("downstream_cx_http1_total", 0),
    ] {
        assert_eq!(proxy.stat(&format!("http.http.{stat}")), value, "{stat}");
    }
}

#[test]
fn bodies_are_larger_than_windows() {
    let body = "x".repeat(300_000);
    let upstream = Upstream::http(move |_| Reply::ok(&body));
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = Http2::open(&proxy);
    client.get(1, "/");
    assert_eq!(client.next().0, kind::HEADERS);
    let mut received = 0;
    loop {
        let (kind, flags, _, data) = client.next();
        assert_eq!(kind, kind::DATA);
        received += data.len();
        if flags & 1 == 1 {
            break;
        }
        // The windows were 65,535 bytes: nothing more comes before they are widened.
        if received == 65_535 {
            for stream in [0, 1] {
                client.send(kind::WINDOW_UPDATE, 0, stream, &1_000_000_u32.to_be_bytes());
            }
        }
    }
    assert_eq!(received, 300_000);
}

#[test]
fn resets_end_their_stream_only() {
    let upstream =
        Upstream::http(|request| Reply::ok(&request.path).after(Duration::from_millis(200)));
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .access_log("%REQ(:path)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .start();
    let mut client = Http2::open(&proxy);
    client.get(1, "/gone");
    client.get(3, "/stays");
    client.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    assert_eq!(client.response(), (3, "/stays".to_owned()));
    let lines = proxy.access_log(2);
    assert_eq!(
        lines,
        ["/gone 0 DR http2.remote_reset", "/stays 200 - via_upstream",]
    );
}

#[test]
fn a_last_request_is_announced() {
    let options = json!({
        "drain_timeout": "0.1s",
        "common_http_protocol_options": {"max_requests_per_connection": 2},
    });
    let proxy = Config::http(&[direct("/", 200, "x")])
        .manager(options)
        .start();
    let mut client = Http2::open(&proxy);
    client.get(1, "/");
    assert_eq!(client.response(), (1, "x".to_owned()));
    client.get(3, "/");
    let (kind, _, _, last) = client.next();
    assert_eq!(
        (kind, &last[..4]),
        (kind::GOAWAY, &[0x7f, 255, 255, 255][..])
    );
    assert_eq!(client.response(), (3, "x".to_owned()));
    let (kind, _, _, last) = client.next();
    assert_eq!((kind, &last[..4]), (kind::GOAWAY, &[0, 0, 0, 3][..]));
    assert_eq!(client.0.read_to_end(), b"");
}

#[test]
fn texts_are_written_in_the_huffman_code_unless_that_is_off() {
    for (options, is_plain) in [
        (json!({}), false),
        (json!({"enable_huffman_encoding": true}), false),
        (json!({"enable_huffman_encoding": false}), true),
    ] {
        let mut answer = direct("/", 200, "x");
        let field = json!({"header": {"key": "x-field", "value": "a".repeat(40)}});
        answer["response_headers_to_add"] = json!([field]);
        let proxy = Config::http(&[answer])
            .manager(json!({"http2_protocol_options": options}))
            .start();
        let mut client = Http2::open(&proxy);
        client.get(1, "/");
        let (_, _, _, head) = client.next_of(kind::HEADERS).unwrap();
        let spelt_out = [b"x-field".to_vec(), vec![40], b"a".repeat(40)].concat();
        let found = head.windows(spelt_out.len()).any(|part| part == spelt_out);
        assert_eq!(found, is_plain, "{options}");
    }
}
