//! What must hold for any bytes: no panic, no dependence on how they are cut, and what was read
//! and written again reads the same. The generators are seeded; a failure prints its seed.

use super::super::fuzz::{check_client, check_server, framed, read_and_write, requests};
use super::super::{H1Client, H1Server, H1Settings};
use crate::{End, HeaderPool};
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

const ROUNDS: u64 = 1500;

#[test]
fn messages_hold_the_invariants() {
    for seed in 1..=4 * ROUNDS {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let is_request = random.below(2) == 0;
        let mut data = vec![random.next() as u8, random.below(120) as u8];
        data.extend_from_slice(&message(random, is_request));
        if random.below(3) == 0 {
            data.extend_from_slice(&message(random, is_request));
        }
        if is_request {
            check_server(&data);
        } else {
            check_client(&data);
        }
    }
}

#[test]
fn requests_do_not_depend_on_how_they_are_cut() {
    let settings = H1Settings {
        enable_trailers: true,
        ..H1Settings::default()
    };
    for seed in 1..=ROUNDS / 5 {
        let random = &mut Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = message(random, true);
        bytes.extend_from_slice(&message(random, true));
        let whole = requests(&settings, &[&bytes]);
        for at in 0..=bytes.len() {
            let cut = requests(&settings, &[&bytes[..at], &bytes[at..]]);
            assert_eq!(cut, whole, "seed {seed}, {at}: {}", bytes.escape_ascii());
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
