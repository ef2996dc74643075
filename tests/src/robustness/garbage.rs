//! Bytes that are no requests.

use crate::harness::{Config, Proxy, Upstream, route, wait_for};

/// A generator of numbers that are random enough (xorshift), and the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Sends bytes, then ends; whatever is answered, the connection ends too.
fn send(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
    let mut connection = proxy.connect();
    // The proxy may have closed before everything was sent.
    if connection.try_send(bytes).is_ok() {
        connection.half_close();
    }
    connection.read_to_end()
}

#[test]
fn garbage_is_refused_and_harms_nobody() {
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS%")
        .start();
    let mut neighbour = proxy.connect();
    let mut refused = 0;
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..300 {
        let size = 1 + random.below(2000);
        let mut bytes = random.bytes(size);
        if random.below(2) == 0 {
            bytes.splice(0..0, *b"GET / HTTP/1.1\r\nhost: a.test\r\n");
        }
        let answer = send(&proxy, &bytes);
        let first = answer.get(..12).unwrap_or_default();
        assert!(
            first.is_empty() || first == b"HTTP/1.1 400",
            "{bytes:?}: {answer:?}"
        );
        refused += u64::from(!first.is_empty());
    }
    assert_eq!(neighbour.get("/").brief(), (200, "hello".to_owned()));
    assert_eq!(upstream.requests().len(), 1);
    // An answer may be lost to the reset that follows; the error is told all the same.
    let errors = proxy.stat("http.http.downstream_cx_protocol_error");
    assert!(
        errors >= refused && errors > 100,
        "{errors}, {refused} answered"
    );
    wait_for("a line for each error", || {
        let told = proxy.file("access.log").matches("400 DPE\n").count();
        (told as u64 == errors).then_some(())
    });
}

#[test]
fn damaged_requests_are_answered_or_refused_but_never_stuck() {
    const REQUEST: &[u8] = b"POST /a?b HTTP/1.1\r\nhost: a.test\r\nx-y: z\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut neighbour = proxy.connect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..400 {
        let mut bytes = REQUEST.to_vec();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.bytes(1)[0],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n:; 0a\0"[random.below(8)]),
            }
        }
        send(&proxy, &bytes);
        assert_eq!(
            neighbour.get("/").status,
            200,
            "after {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    for request in upstream.requests().iter() {
        assert!(
            !request.path.contains([' ', '\r', '\n', '\0']),
            "{request:?}"
        );
    }
}

#[test]
fn other_protocols_are_refused() {
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let client_hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    for bytes in [
        &client_hello[..],
        b"SSH-2.0-OpenSSH_9.0\r\n",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\0",
    ] {
        let answer = send(&proxy, bytes);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
            "{bytes:?}: {answer:?}"
        );
    }
    assert_eq!(proxy.get("/").status, 200);
    assert_eq!(upstream.requests().len(), 1);
}
