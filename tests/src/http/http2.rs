//! HTTP/2 on the listener's side, by prior knowledge: a client that writes frames by hand.

use crate::harness::{Config, Connection, Proxy, Reply, Upstream, direct, route};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A frame: kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// An HTTP/2 client's connection.
struct Client(Connection);

impl Client {
    fn open(proxy: &Proxy) -> Self {
        let mut client = Self(proxy.connect());
        client.0.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        client.send(SETTINGS, 0, 0, b"");
        client
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.send(frame(kind, flags, stream, payload));
    }

    /// A GET for a path.
    fn get(&mut self, stream: u32, path: &str) {
        self.send(HEADERS, 5, stream, &get(path));
    }

    /// The next frame; SETTINGS and windows are passed over.
    fn next(&mut self) -> Frame {
        loop {
            let head = self.0.read(9);
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
            let payload = self.0.read(number(&head[..3]) as usize);
            if head[3] != SETTINGS && head[3] != 8 {
                return (head[3], head[4], number(&head[5..]), payload);
            }
        }
    }

    /// The streams and bodies of the next responses, in the order in which they end.
    fn responses(&mut self, count: usize) -> Vec<(u32, String)> {
        let mut bodies = BTreeMap::<u32, Vec<u8>>::new();
        let mut ended = Vec::new();
        while ended.len() < count {
            let (kind, flags, stream, payload) = self.next();
            match kind {
                HEADERS => drop(bodies.insert(stream, Vec::new())),
                DATA => bodies.get_mut(&stream).unwrap().extend(payload),
                other => panic!("a frame of kind {other}"),
            }
            if flags & 1 == 1 {
                let body = bodies.remove(&stream).unwrap();
                ended.push((stream, String::from_utf8(body).unwrap()));
            }
        }
        ended
    }

    fn response(&mut self) -> (u32, String) {
        self.responses(1).remove(0)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The header block of a GET: fields of the static table and plain literals.
fn get(path: &str) -> Vec<u8> {
    let literal =
        |index: u8, value: &str| [&[index, value.len() as u8][..], value.as_bytes()].concat();
    [vec![0x82, 0x86], literal(1, "a.test"), literal(4, path)].concat()
}

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
    let mut client = Client::open(&proxy);
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
    let mut client = Client::open(&proxy);
    client.get(1, "/");
    assert_eq!(client.next().0, HEADERS);
    let mut received = 0;
    loop {
        let (kind, flags, _, data) = client.next();
        assert_eq!(kind, DATA);
        received += data.len();
        if flags & 1 == 1 {
            break;
        }
        // The windows were 65,535 bytes: nothing more comes before they are widened.
        if received == 65_535 {
            for stream in [0, 1] {
                client.send(8, 0, stream, &1_000_000_u32.to_be_bytes());
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
    let mut client = Client::open(&proxy);
    client.get(1, "/gone");
    client.get(3, "/stays");
    client.send(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
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
    let mut client = Client::open(&proxy);
    client.get(1, "/");
    assert_eq!(client.response(), (1, "x".to_owned()));
    client.get(3, "/");
    let (kind, _, _, last) = client.next();
    assert_eq!((kind, &last[..4]), (GOAWAY, &[0x7f, 255, 255, 255][..]));
    assert_eq!(client.response(), (3, "x".to_owned()));
    let (kind, _, _, last) = client.next();
    assert_eq!((kind, &last[..4]), (GOAWAY, &[0, 0, 0, 3][..]));
    assert_eq!(client.0.read_to_end(), b"");
}

/// CVE-2023-44487.
#[test]
fn streams_opened_in_vain_end_the_connection() {
    let upstream = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(30)));
    let proxy = Config::http(&[route("/slow", "up"), direct("/", 200, "x")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = Client::open(&proxy);
    let mut flood = Vec::new();
    for stream in (1..1000).step_by(2) {
        flood.extend(frame(HEADERS, 5, stream, &get("/slow")));
        flood.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    // The proxy may close while this is being sent.
    let _ = client.0.try_send(flood);
    client.0.read_to_end();
    let stat = "http.http.downstream_rq_too_many_premature_resets";
    assert_eq!(proxy.stat(stat), 1);
    assert_eq!(proxy.get("/").body, b"x");
}
