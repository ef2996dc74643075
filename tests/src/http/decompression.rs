//! Bodies through the decompressor: what grows much is taken apart no faster than it is taken.

use crate::harness::{Config, Upstream, http_filter, is_envoy, route};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

/// Zeros, coded with gzip in blocks of one code each, which is how they become fewest.
fn bomb() -> Vec<u8> {
    const LEN: usize = 32 << 20;
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    // A fixed block: a zero, then as many copies of 258 as there is room for.
    let mut bits = Bits::default();
    bits.put(0b011, 3);
    bits.code(0x30, 8);
    for _ in 0..LEN / 258 {
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    bytes.append(&mut bits.bytes());
    bytes
}

#[derive(Default)]
struct Bits {
    done: Vec<u8>,
    open: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, count: u32) {
        self.open |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.done.push(self.open as u8);
            self.open >>= 8;
            self.count -= 8;
        }
    }

    /// A code begins with its highest bit.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    fn bytes(mut self) -> Vec<u8> {
        self.put(0, 7);
        self.done
    }
}

/// Envoy makes at once what there is to make of what came, and keeps it.
#[test]
fn slow_clients_hold_back_what_grows() {
    if is_envoy() {
        return;
    }
    let upstream = Upstream::tcp(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let lines = (&mut reader).lines().map_while(Result::ok);
        let seen: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(
            seen.iter().any(|line| line == "accept-encoding: gzip"),
            "{seen:?}"
        );
        let body = bomb();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The client may be gone before the end.
        let _ = stream.write_all(&body);
    });
    let library = json!({
        "name": "g",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.compression.gzip.decompressor.v3.Gzip",
            "max_inflate_ratio": 1032,
        },
    });
    let fields = json!({"decompressor_library": library});
    let filter = http_filter("decompressor", "decompressor.v3.Decompressor", fields);
    let proxy = Config::http(&[route("/", "big")])
        .http_filters(&[filter])
        .cluster("big", &[upstream.address()])
        .start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    let response = client.response("HEAD");
    assert_eq!(response.header("content-encoding"), None);
    let made = || proxy.stat("http.http.decompressor.g.gzip.response.total_uncompressed_bytes");
    // What the sockets take, and what may wait for them.
    std::thread::sleep(Duration::from_millis(300));
    let before = made();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(made(), before, "nobody reads, nothing is made");
    assert!(before < 24 << 20, "{before}");
    let mut read = 0;
    while read < 16 << 20 {
        read += client.read(1 << 20).len();
    }
    assert!(made() >= 16 << 20);
}
