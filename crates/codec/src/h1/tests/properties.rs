//! What must hold for any bytes: no panic, no dependence on how they are cut, and what was read
//! and written again reads the same. The generators are seeded; a failure prints its seed.

use super::super::{H1Client, H1Server, H1Settings, UnderscoresAction};
use super::{requests, response};
use crate::{End, Frame, HeaderPool};
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap};

/// A small generator: xorshift, enough to shuffle test data.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Pieces of messages, right and wrong, put together at random.
fn message(random: &mut Seeded, is_request: bool) -> Vec<u8> {
    const REQUESTS: &[&str] = &[
        "GET / HTTP/1.1\r\n",
        "POST /a?b=c HTTP/1.1\r\n",
        "HEAD http://a/b HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "\r\n\r\nPUT / HTTP/1.1\r\n",
    ];
    const RESPONSES: &[&str] = &[
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n",
        "HTTP/1.1 204 No\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 304 \r\n",
        "HTTP/1.1 101 S\r\n",
        "HTTP/1.1 20x\r\n",
    ];
    const FIELDS: &[&str] = &[
        "Host: a\r\n",
        "content-length: 3\r\n",
        "Content-Length: 0\r\n",
        "X_Y: 1\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "accept: a\r\n",
        "connection: close\r\n",
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "expect: 100-continue\r\n",
        "x-custom-Name: some value \t\r\n",
        "x:\r\n",
        "bad name: 1\r\n",
        "a: \u{e9}\r\n",
        "b: 1\n",
        " folded\r\n",
        "connection: x, te\r\n",
        "te: trailers\r\n",
    ];
    const BODIES: &[&str] = &[
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "1\r\na\r\n1;x=y\r\nb\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nt: 1\r\nu: 2\r\n\r\n",
        "0\r\n\r\n",
        "3\r\nab",
        "zz\r\n",
        "200\r\n",
        "1\r\na\r\n1\r\nb\r\n1\r\nc\r\nx",
    ];
    let mut text = String::from(random.pick(if is_request { REQUESTS } else { RESPONSES }));
    for _ in 0..random.below(6) {
        text += random.pick(FIELDS);
    }
    text += "\r\n";
    text += random.pick(BODIES);
    let mut bytes: Vec<u8> = text.chars().map(|char| char as u8).collect();
    if random.below(4) == 0 {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    bytes
}

fn settings(random: &mut Seeded) -> H1Settings {
    H1Settings {
        max_headers_kb: 1,
        max_headers_count: 4,
        accept_http_10: random.below(2) == 0,
        allow_chunked_length: random.below(2) == 0,
        enable_trailers: random.below(2) == 0,
        allow_absolute_url: random.below(4) != 0,
        underscores: match random.below(3) {
            0 => UnderscoresAction::RejectRequest,
            1 => UnderscoresAction::DropHeader,
            _ => UnderscoresAction::Allow,
        },
        ..H1Settings::default()
    }
}

/// Cuts bytes in two at `at`, or in single bytes.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let halves = (0..=bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    halves.chain([bytes.chunks(1).collect()])
}

const ROUNDS: u64 = 1500;

#[test]
fn requests_do_not_depend_on_how_they_are_cut() {
    for seed in 1..=ROUNDS {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let settings = settings(random);
        let mut bytes = message(random, true);
        if random.below(3) == 0 {
            bytes.extend_from_slice(&message(random, true));
        }
        let whole = requests(&settings, &[&bytes]);
        for pieces in cuts(&bytes) {
            let cut = requests(&settings, &pieces);
            assert_eq!(cut, whole, "seed {seed}: {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn responses_do_not_depend_on_how_they_are_cut() {
    for seed in 1..=ROUNDS {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let settings = settings(random);
        let bytes = message(random, false);
        let request: &[(&str, &str)] = match random.below(4) {
            0 => &[(":method", "HEAD")],
            1 => &[(":method", "CONNECT")],
            2 => &[("connection", "upgrade"), ("upgrade", "websocket")],
            _ => &[],
        };
        let outcome = |pieces: &[&[u8]]| {
            let (message, client) = response(&settings, request, pieces, true);
            (message, client.map(|client| client.should_close()))
        };
        let whole = outcome(&[&bytes]);
        for pieces in cuts(&bytes) {
            assert_eq!(
                outcome(&pieces),
                whole,
                "seed {seed}: {}",
                bytes.escape_ascii()
            );
        }
    }
}

#[test]
fn requests_read_the_same_when_written_again() {
    let settings = H1Settings {
        enable_trailers: true,
        ..H1Settings::default()
    };
    let mut checked = 0;
    for seed in 1..=ROUNDS {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes = message(random, true);
        let Some((written, first)) = read_and_write(&settings, &bytes) else {
            continue;
        };
        checked += 1;
        let (second, _) = requests(&settings, &[&written]);
        assert_eq!(
            framed(&second[0]),
            framed(&first),
            "seed {seed}: {}",
            bytes.escape_ascii()
        );
    }
    assert!(checked > ROUNDS / 10, "{checked}");
}

/// Reads a whole request and writes it as a client does.
fn read_and_write(settings: &H1Settings, bytes: &[u8]) -> Option<(Vec<u8>, super::Message)> {
    let (messages, _) = requests(settings, &[bytes]);
    let first = messages
        .into_iter()
        .next()
        .filter(|message| message.ended)?;
    let (mut server, mut client) = (H1Server::new(), H1Client::new());
    let mut pool = HeaderPool::default();
    let mut input = Bytes::copy_from_slice(bytes);
    let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
    while let Ok(Some(frame)) = server.next(settings, &mut input, &mut pool) {
        match frame {
            Frame::Headers(map, end) => client
                .encode_request(settings, &map, end, &mut scratch, &mut out)
                .ok()?,
            Frame::Data(mut data, end) => {
                client.encode_data(&mut data, end, &mut scratch, &mut out);
            }
            Frame::Trailers(map) => {
                client.encode_trailers(settings, &map, &mut scratch, &mut out);
            }
            Frame::Informational(_) | Frame::Reset(_) => unreachable!("a request has none"),
        }
    }
    Some((out.to_bytes().to_vec(), first))
}

/// A message without what the way it is framed adds or takes, and without the scheme, which only
/// an absolute target has.
fn framed(message: &super::Message) -> super::Message {
    let mut message = message.clone();
    message.head = message.head.map(|head| {
        let mut fields: Vec<_> = head
            .split(' ')
            .filter(|field| {
                !field.starts_with("transfer-encoding=")
                    && !field.starts_with(":scheme=")
                    && *field != "content-length=0"
            })
            .collect();
        fields.sort_unstable();
        fields.join(" ")
    });
    message
}

#[test]
fn no_bytes_panic() {
    let (settings, mut pool) = (H1Settings::default(), HeaderPool::default());
    for seed in 1..=20_000_u64 {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = match random.below(3) {
            0 => Vec::new(),
            kind => message(random, kind == 1),
        };
        for _ in 0..random.below(20) {
            let at = random.below(bytes.len() + 1);
            bytes.insert(at, random.next() as u8);
        }
        let mut server = H1Server::new();
        let mut input = Bytes::from(bytes.clone());
        while let Ok(Some(_)) = server.next(&settings, &mut input, &mut pool) {}
        server.on_eof(&mut pool);
        let mut client = H1Client::new();
        let headers = HeaderMap::from_iter([(":method", "GET"), (":path", "/")]);
        let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
        client
            .encode_request(&settings, &headers, End::Stream, &mut scratch, &mut out)
            .unwrap();
        let mut input = Bytes::from(bytes);
        while let Ok(Some(_)) = client.next(&settings, &mut input, &mut pool) {}
        client.on_eof(&mut pool);
    }
}

#[test]
fn input_that_shrinks_does_no_harm() {
    let (settings, mut pool) = (H1Settings::default(), HeaderPool::default());
    let mut server = H1Server::new();
    let head = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
    assert_eq!(
        server.next(&settings, &mut Bytes::from(head), &mut pool),
        Ok(None)
    );
    for shorter in ["", "G", "GET / HTTP/1.1\r\n\r\n"] {
        let _ = server.next(&settings, &mut Bytes::from(shorter), &mut pool);
    }
}
