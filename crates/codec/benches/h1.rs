//! What the HTTP/1 codec costs: nanoseconds for reading and writing the messages of a plain
//! proxied request. Best of many batches, since the machine is never quiet.
//!
//! `cargo bench -p nuncio-codec`

use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::h1::{H1Client, H1Server, H1Settings};
use nuncio_codec::{End, Frame, HeaderPool};
use std::hint::black_box;
use std::time::Instant;

const BATCHES: u32 = 200;
const BATCH: u32 = 5_000;

const REQUEST: &[u8] = b"GET /path/to/resource?key=value HTTP/1.1\r\n\
    Host: www.example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
    Accept-Encoding: gzip, deflate\r\nX-Request-Id: 3f8e9c1a-7b42-4e0b-9f60-5f1d2c3b4a59\r\n\
    X-Custom: some value\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: upstream\r\nX-Custom: some value\r\n\r\nhello";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    400\r\n";

fn main() {
    let settings = H1Settings::default();
    let mut pool = HeaderPool::default();
    let input = Bytes::from_static(REQUEST);
    report("request head: read", || {
        let mut server = H1Server::new();
        let mut input = input.clone();
        let Ok(Some(Frame::Headers(map, _))) = server.next(&settings, &mut input, &mut pool) else {
            unreachable!("the request is valid");
        };
        pool.give(black_box(map));
    });

    let request = read_request(&settings, &mut pool, REQUEST);
    let mut scratch = BytesMut::with_capacity(SCRATCH);
    report("request head: write", || {
        refill(&mut scratch);
        let mut out = Buffer::new();
        let mut client = H1Client::new();
        let written =
            client.encode_request(&settings, &request, End::Stream, &mut scratch, &mut out);
        black_box((written.is_ok(), out));
    });

    let input = Bytes::from_static(RESPONSE);
    let mut asked = Buffer::new();
    report("response: read (and the request written)", || {
        refill(&mut scratch);
        let mut client = H1Client::new();
        let written =
            client.encode_request(&settings, &request, End::Stream, &mut scratch, &mut asked);
        asked.clear();
        let mut input = input.clone();
        while let Ok(Some(frame)) = client.next(&settings, &mut input, &mut pool) {
            if let Frame::Headers(map, _) = frame {
                pool.give(black_box(map));
            }
        }
        black_box((written.is_ok(), client.is_reusable()));
    });

    let response = HeaderMap::from_iter([
        (":status", "200"),
        ("content-type", "text/plain"),
        ("content-length", "5"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("server", "nuncio"),
        ("x-envoy-upstream-service-time", "12"),
    ]);
    let mut server = H1Server::new();
    report("response head: write", || {
        refill(&mut scratch);
        let mut out = Buffer::new();
        server.encode_headers(&settings, &response, End::No, &mut scratch, &mut out);
        black_box(out);
    });

    let chunks = chunks();
    report("16 chunks of 1 KiB: read", || {
        let mut server = H1Server::new();
        let mut input = chunks.clone();
        while let Ok(Some(frame)) = server.next(&settings, &mut input, &mut pool) {
            if let Frame::Headers(map, _) = frame {
                pool.give(map);
            } else {
                black_box(frame);
            }
        }
    });
}

const SCRATCH: usize = 64 * 1024;

/// A worker's block for heads: taken anew when it is used up.
fn refill(scratch: &mut BytesMut) {
    if scratch.capacity() < 1024 {
        *scratch = BytesMut::with_capacity(SCRATCH);
    }
}

fn read_request(settings: &H1Settings, pool: &mut HeaderPool, bytes: &'static [u8]) -> HeaderMap {
    match H1Server::new().next(settings, &mut Bytes::from_static(bytes), pool) {
        Ok(Some(Frame::Headers(map, _))) => map,
        other => unreachable!("the request is valid: {other:?}"),
    }
}

fn chunks() -> Bytes {
    let mut bytes = CHUNKED.to_vec();
    for i in 0..16 {
        bytes.extend_from_slice(&[b'x'; 1024]);
        bytes.extend_from_slice(if i < 15 {
            b"\r\n400\r\n"
        } else {
            b"\r\n0\r\n\r\n"
        });
    }
    bytes.into()
}

fn report(what: &str, mut run: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..BATCHES {
        #[expect(clippy::disallowed_methods, reason = "a benchmark has no worker")]
        let start = Instant::now();
        for _ in 0..BATCH {
            run();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
    }
    println!("{what:44} {best:8.1} ns");
}
