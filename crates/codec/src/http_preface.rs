//! What a connection's first bytes say about its HTTP version, without parsing the request.

use crate::methods::{begins_one, is_known};
use memchr::memchr2;

/// How many bytes are looked at; a request line that is longer is none.
pub const PREFACE_BYTES: usize = 64 * 1024;

/// How every HTTP/2 connection begins (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preface {
    /// Too few to say.
    Incomplete,
    /// A request line of HTTP/1.1.
    Http11,
    /// A request line of another HTTP/1 version.
    Http10,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// No HTTP.
    NotHttp,
}

/// Looks at a connection's first bytes.
pub fn inspect(bytes: &[u8]) -> Preface {
    let shared = bytes.len().min(HTTP2.len());
    if bytes[..shared] == HTTP2[..shared] {
        return match shared == HTTP2.len() {
            true => Preface::Http2,
            false => Preface::Incomplete,
        };
    }
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte));
    let rest = &bytes[start.unwrap_or(bytes.len())..];
    match memchr2(b'\r', b'\n', rest) {
        Some(end) => request_line(&rest[..end]),
        None if bytes.len() >= PREFACE_BYTES || !may_begin(rest) => Preface::NotHttp,
        None => Preface::Incomplete,
    }
}

/// Whether a request line may begin so: with the first letter of a method, then token characters.
fn may_begin(bytes: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    bytes.first().is_none_or(|first| begins_one(*first)) && method.iter().all(token)
}

fn request_line(line: &[u8]) -> Preface {
    let end = line.iter().position(|byte| *byte == b' ');
    let (method, rest) = line.split_at(end.unwrap_or(line.len()));
    let mut parts = rest.split(|byte| *byte == b' ').filter(|p| !p.is_empty());
    if !is_known(method) || parts.next().is_none() {
        return Preface::NotHttp;
    }
    match (parts.next(), parts.next()) {
        (Some(b"HTTP/1.1"), None) => Preface::Http11,
        (None, _) => Preface::Http10,
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Preface::Http10
        }
        _ => Preface::NotHttp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        for (bytes, expected) in [
            (&b""[..], Preface::Incomplete),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Preface::Http2),
            (b"PRI * HT", Preface::Incomplete),
            (b"PRI * HTTP/1.1\r\n", Preface::NotHttp),
            (b"PROPFIND / HTTP/1.1\r\n", Preface::Http11),
            (b"QUERY / HTTP/1.1\r\n", Preface::Http11),
            (b"GE", Preface::Incomplete),
            (b"\r\n\r\nGET / HTTP/1.1\n", Preface::Http11),
            (b"GET / HTTP/1.1", Preface::Incomplete),
            (b"GET / HTTP/1.1\r", Preface::Http11),
            (b"GET / HTTP/1.0\r\n", Preface::Http10),
            (b"GET / HTTP/0.9\r\n", Preface::Http10),
            (b"GET /\r\n", Preface::Http10),
            (b"GET / a HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET / HTTP/11\r\n", Preface::NotHttp),
            (b"GARBAGE / HTTP/1.1\r\n", Preface::NotHttp),
            (b"GARBAGE", Preface::Incomplete),
            (b"G\0", Preface::NotHttp),
            (b" POST /\n", Preface::NotHttp),
            (b"\x16\x03\x01", Preface::NotHttp),
            (b"hello", Preface::NotHttp),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(inspect(bytes), expected, "{shown}");
        }
        let mut long = b"GET /".to_vec();
        long.resize(PREFACE_BYTES, b'a');
        assert_eq!(inspect(&long), Preface::NotHttp);
    }

    /// What is decided stays decided, however much more comes.
    #[test]
    fn more_bytes_change_no_decision() {
        for whole in [
            &b"GET /some/path HTTP/1.1\r\nhost: a\r\n\r\n"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04",
            b"\n\nPOST / HTTP/1.0\r\n\r\n",
        ] {
            let last = inspect(whole);
            for end in 0..whole.len() {
                let now = inspect(&whole[..end]);
                assert!(now == Preface::Incomplete || now == last, "{end}");
            }
        }
    }
}
