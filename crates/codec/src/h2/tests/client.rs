//! The client's side: what requests look like on the wire, and what comes of responses.

use super::*;
use crate::End;

/// A client, and a server's part of its connection, which sends what a test says.
struct Client {
    codec: H2Connection,
    pool: HeaderPool,
    input: Bytes,
    decoder: Decoder,
}

impl Client {
    /// A client that has heard the server's `settings`.
    fn new(settings: &[u8]) -> Self {
        let store = Store::new(nuncio_stats::StatsConfig::default());
        let local = Rc::new(H2Local {
            settings: Arc::default(),
            stats: store.scope("http2").group::<H2Stats>().local(),
        });
        let mut client = Self {
            codec: H2Connection::client(&local),
            pool: HeaderPool::default(),
            input: Bytes::new(),
            decoder: Decoder::new(4096),
        };
        let mut out = Buffer::new();
        client.codec.take_output(&mut out, usize::MAX);
        assert!(out.to_bytes().starts_with(PREFACE));
        assert_eq!(client.receive(&frame(kind::SETTINGS, 0, 0, settings)), "");
        client.sent();
        client
    }

    fn open(&mut self, fields: &[(&str, &str)], end: bool) -> Option<u32> {
        let headers = HeaderMap::from_iter(fields.iter().copied());
        self.codec.open(&headers, End::when(end))
    }

    fn receive(&mut self, bytes: &[u8]) -> String {
        self.input = [&self.input, bytes].concat().into();
        let mut told = Vec::new();
        loop {
            match self.codec.next(&mut self.input, &mut self.pool) {
                Ok(Some(H2Event::Reset { stream, reason, .. })) => {
                    told.push(format!("{stream} reset: {}", reason.as_str()));
                }
                Ok(Some(event)) => told.push(text(&event)),
                Ok(None) => return told.join("\n"),
                Err(error) => told.push(format!("error {:?}", error.code.map(|code| code.0))),
            }
        }
    }

    fn sent(&mut self) -> String {
        let mut out = Buffer::new();
        self.codec.take_output(&mut out, usize::MAX);
        lines(&out.to_bytes(), &mut self.decoder)
    }
}

#[test]
fn requests() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&GET, ":method=GET :scheme=http :authority=a :path=/"),
        (
            &[
                (":method", "POST"),
                (":authority", "a"),
                (":path", "/"),
                ("connection", "te"),
                ("te", "trailers"),
                ("keep-alive", "5"),
                ("x", "y"),
            ],
            ":scheme=http :method=POST :authority=a :path=/ te=trailers x=y",
        ),
        (
            &[
                (":method", "CONNECT"),
                (":scheme", "http"),
                (":authority", "a:1"),
                (":path", "/"),
            ],
            ":method=CONNECT :authority=a:1",
        ),
        (
            &[
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "a"),
                (":path", "/chat"),
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("content-length", "0"),
                ("sec-websocket-version", "13"),
            ],
            ":method=CONNECT :protocol=websocket :scheme=https :authority=a :path=/chat \
             sec-websocket-version=13",
        ),
        // Not of this connection: nothing is upgraded.
        (
            &[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "a"),
                (":path", "/"),
                ("upgrade", "h2c"),
            ],
            ":method=GET :scheme=http :authority=a :path=/",
        ),
    ];
    let mut client = Client::new(&[]);
    for (at, (fields, sent)) in cases.into_iter().enumerate() {
        let id = 2 * at as u32 + 1;
        assert_eq!(client.open(fields, true), Some(id));
        assert_eq!(client.sent(), format!("{id} HEADERS {sent} end"));
    }
}

#[test]
fn responses() {
    let mut client = Client::new(&[]);
    let head = |id, end, status| headers(id, end, &[(":status", status), ("content-length", "2")]);
    for method in ["GET", "HEAD", "POST", "GET", "GET", "GET"] {
        let mut fields = GET;
        fields[0].1 = method;
        client.open(&fields, method != "POST");
    }
    client.sent();
    let cases: [(Vec<u8>, &str); 11] = [
        (
            headers(1, false, &[(":status", "103"), ("link", "x")]),
            "Frame(1, Informational({",
        ),
        (
            head(1, false, "200"),
            "1 headers :status=200 content-length=2",
        ),
        (frame(kind::DATA, 1, 1, b"ok"), "1 data ok end"),
        (
            head(3, true, "200"),
            "3 headers :status=200 content-length=2 end",
        ),
        // The answer comes before the request is complete, which is then of no use.
        (
            head(5, false, "400"),
            "5 headers :status=400 content-length=2",
        ),
        (frame(kind::DATA, 1, 5, b"no"), "5 data no end"),
        (
            frame(kind::RST_STREAM, 0, 5, &[0; 4]),
            "5 reset: remote reset",
        ),
        (
            frame(kind::RST_STREAM, 0, 7, &[0, 0, 0, 7]),
            "7 reset: remote refused stream reset",
        ),
        (
            frame(kind::RST_STREAM, 0, 9, &[0, 0, 0, 1]),
            "9 reset: protocol error",
        ),
        (
            frame(kind::DATA, 0, 11, b"no head"),
            "11 reset: protocol error",
        ),
        (
            frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 11, 0, 0, 0, 0]),
            "GoAway { last: 11, code: ErrorCode(0) }",
        ),
    ];
    for (bytes, events) in cases {
        let told = client.receive(&bytes);
        assert!(told.starts_with(events), "{told}, not {events}");
    }
    assert_eq!(client.sent(), "11 RST 1");
    assert_eq!(client.codec.open_streams(), 0);
}

#[test]
fn an_upgrade_is_accepted() {
    let mut client = Client::new(&[0, 8, 0, 0, 0, 1]);
    let mut fields = GET.to_vec();
    fields.extend([("connection", "upgrade"), ("upgrade", "websocket")]);
    client.open(&fields, false);
    let told = client.receive(&headers(1, false, &[(":status", "200")]));
    assert_eq!(
        told,
        "1 headers :status=101 connection=upgrade upgrade=websocket"
    );
}

#[test]
fn how_many_streams() {
    let mut client = Client::new(&[0, 3, 0, 0, 0, 2]);
    assert_eq!(client.codec.max_streams(), 2);
    assert!(client.codec.knows_peer());
    client.codec.newest = 0x7fff_fffd;
    assert_eq!(client.open(&GET, true), Some(0x7fff_ffff));
    assert!(client.codec.is_exhausted());
    assert_eq!(client.open(&GET, true), None);
}

#[test]
fn what_costs_the_connection() {
    for (bytes, code) in [
        (headers(3, true, &[(":status", "200")]), Some(1)),
        (headers(2, true, &[(":status", "200")]), Some(1)),
        (frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), Some(1)),
        (headers(1, true, &[("x", "y")]), None),
        (headers(1, true, &[(":status", "101")]), None),
        (headers(1, true, &[(":status", "100")]), None),
    ] {
        let mut client = Client::new(&[]);
        client.open(&GET, true);
        let told = client.receive(&bytes);
        assert_eq!(told, format!("error {code:?}"));
    }
}
