//! What a connection's first bytes say about its HTTP version, without parsing the request.

use memchr::memchr;

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
    match memchr(b'\n', bytes) {
        Some(end) => request_line(&bytes[..end]),
        None if bytes.len() >= PREFACE_BYTES || !is_token(method(bytes)) => Preface::NotHttp,
        None => Preface::Incomplete,
    }
}

const fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What a request line begins with; it is here in full where more follows.
fn method(line: &[u8]) -> &[u8] {
    line.split(is_blank).next().unwrap_or_default()
}

/// Any method will do, as for Envoy: which ones are taken is not asked yet.
fn is_token(bytes: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    bytes.iter().all(is_token)
}

/// Whether this may be asked for: a path, `*`, or with a scheme, in ASCII; of CONNECT anything.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    if method == b"CONNECT" || matches!(target, [b'/' | b'*', ..]) {
        return target.is_ascii();
    }
    let scheme = target.iter().take_while(|byte| byte.is_ascii_alphabetic());
    let (scheme, rest) = target.split_at(scheme.count());
    let is_named = |byte: &u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(byte);
    !scheme.is_empty() && rest.starts_with(b"://") && rest.iter().all(is_named)
}

fn request_line(line: &[u8]) -> Preface {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut parts = line.split(is_blank).filter(|part| !part.is_empty());
    let method = method(line);
    if method.is_empty() || !is_token(method) || parts.next() != Some(method) {
        return Preface::NotHttp;
    }
    if !parts.next().is_some_and(|target| is_target(method, target)) {
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
            (b"PRI * HTTP/1.1\r\n", Preface::Http11),
            (b"PRI * HTTP/2.0\r\n\r\nX", Preface::Http10),
            (b"PROPFIND / HTTP/1.1\r\n", Preface::Http11),
            (b"QUERY / HTTP/1.1\r\n", Preface::Http11),
            (b"GE", Preface::Incomplete),
            (b"\r\nGET / HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET / HTTP/1.1\n", Preface::Http11),
            (b"GET / HTTP/1.1 \r\n", Preface::Http11),
            (b"GET\t/ \tHTTP/1.1\r\n", Preface::Http11),
            (b"GET / HTTP/1.1", Preface::Incomplete),
            (b"GET / HTTP/1.1\r", Preface::Incomplete),
            (b"GET / HTTP/1.0\r\n", Preface::Http10),
            (b"GET / HTTP/0.9\r\n", Preface::Http10),
            (b"GET /\r\n", Preface::Http10),
            (b"GET / a HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET / HTTP/11\r\n", Preface::NotHttp),
            (b"GARBAGE / HTTP/1.1\r\n", Preface::Http11),
            (b"garbage / HTTP/1.1\r\n", Preface::Http11),
            (b"G@T / HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET / http/1.1\r\n", Preface::NotHttp),
            (b"GET\r\n", Preface::NotHttp),
            (b"GET \r\n", Preface::NotHttp),
            (b"/ HTTP/1.1\r\n", Preface::NotHttp),
            (b"GARBAGE", Preface::Incomplete),
            (b"G\0", Preface::NotHttp),
            (b" POST /\n", Preface::NotHttp),
            (b"\r\n", Preface::NotHttp),
            (b"{", Preface::NotHttp),
            (b"\x16\x03\x01", Preface::NotHttp),
            (b"hello", Preface::Incomplete),
            (b"hello world\r\n", Preface::NotHttp),
            (b"hello world HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET http://a/ HTTP/1.1\r\n", Preface::Http11),
            (b"GET 1a://a HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET http://a{b HTTP/1.1\r\n", Preface::NotHttp),
            (b"GET /a{b HTTP/1.1\r\n", Preface::Http11),
            (b"GET /\xc3 HTTP/1.1\r\n", Preface::NotHttp),
            (b"CONNECT a:80 HTTP/1.1\r\n", Preface::Http11),
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
            b"POST / HTTP/1.0\r\n\r\n",
        ] {
            let last = inspect(whole);
            for end in 0..whole.len() {
                let now = inspect(&whole[..end]);
                assert!(now == Preface::Incomplete || now == last, "{end}");
            }
        }
    }
}
