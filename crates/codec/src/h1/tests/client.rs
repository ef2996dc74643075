//! Responses: framing, interim responses, upgrades, what ends a connection.

use super::super::fuzz::response;
use super::super::{H1Client, H1Error, H1Settings};
use crate::{End, HeaderPool};
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap, names};

/// Request headers, bytes, whether the connection then ends; head, body, and: `+` ended and
/// reusable, `-` ended and not reusable, `.` not ended.
type Case<'a> = (
    &'a [(&'a str, &'a str)],
    &'a str,
    bool,
    Result<&'a str, H1Error>,
);

fn check(settings: &H1Settings, cases: &[Case<'_>]) {
    for (request, bytes, eof, expected) in cases {
        let (message, client) = response(settings, request, &[bytes.as_bytes()], *eof);
        let got = client.map(|client| {
            let mut text = message.informational.join(" ; ");
            if let Some(head) = &message.head {
                text += head;
            }
            if !message.body.is_empty() {
                text += &format!(" | {}", message.body.escape_ascii());
            }
            if let Some(trailers) = &message.trailers {
                text += &format!(" | {trailers}");
            }
            text + match (message.ended, client.is_reusable()) {
                (false, _) => " .",
                (true, true) => " +",
                (true, false) => " -",
            }
        });
        assert_eq!(got.as_deref(), expected.as_ref().copied(), "{bytes:?}");
    }
}

const GET: &[(&str, &str)] = &[];
const HEAD: &[(&str, &str)] = &[(":method", "HEAD")];
const CONNECT: &[(&str, &str)] = &[(":method", "CONNECT")];
const UPGRADE: &[(&str, &str)] = &[("connection", "upgrade"), ("upgrade", "websocket")];

#[test]
fn responses_end_where_they_should() {
    check(
        &H1Settings::default(),
        &[
            (
                GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                false,
                Ok(":status=200 content-length=2 | ok +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                false,
                Ok(":status=200 transfer-encoding=chunked | ok +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\n\r\nok",
                true,
                Ok(":status=200 | ok -"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\n\r\nok",
                false,
                Ok(":status=200 | ok ."),
            ),
            (
                GET,
                "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=999 content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=204 +"),
            ),
            (
                GET,
                "HTTP/1.1 304 Not\r\ncontent-length: 10\r\n\r\n",
                false,
                Ok(":status=304 content-length=10 +"),
            ),
            (
                HEAD,
                "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
                false,
                Ok(":status=200 content-length=10 +"),
            ),
            (HEAD, "HTTP/1.1 200 OK\r\n\r\n", false, Ok(":status=200 +")),
            (
                GET,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 connection=close content-length=0 -"),
            ),
            (
                GET,
                "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 content-length=0 -"),
            ),
            (
                GET,
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 connection=keep-alive content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\nvary: a\r\nvary: b\r\naccept: a\r\naccept: b\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 vary=a,b accept=a accept=b content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
                true,
                Ok(":status=200 content-length=5 | ok<reset> ."),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
                true,
                Ok(":status=200 transfer-encoding=chunked | ok<reset> ."),
            ),
            (GET, "HTTP/1.1 200 OK\r\n", true, Ok(" | <reset> .")),
            (GET, "", true, Ok(" | <reset> .")),
        ],
    );
}

#[test]
fn interim_responses_and_upgrades() {
    check(
        &H1Settings::default(),
        &[
            (
                GET,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\n",
                false,
                Ok(":status=100 ; :status=103 link=a ."),
            ),
            (
                GET,
                "HTTP/1.1 199 Odd\r\nx: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=102:status=200 content-length=0 +"),
            ),
            (
                UPGRADE,
                "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nHTTP/1.1",
                false,
                Ok(":status=101 connection=upgrade upgrade=websocket | HTTP/1.1 ."),
            ),
            (
                UPGRADE,
                "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nx",
                true,
                Ok(":status=101 connection=upgrade upgrade=websocket | x -"),
            ),
            (
                UPGRADE,
                "HTTP/1.1 426 U\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1\r\n\r\nx",
                false,
                Ok(":status=426 connection=upgrade upgrade=websocket content-length=1 | x -"),
            ),
            (
                GET,
                "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                false,
                Ok(":status=101 connection=upgrade upgrade=x -"),
            ),
            (
                CONNECT,
                "HTTP/1.1 200 OK\r\n\r\nxyz",
                false,
                Ok(":status=200 | xyz ."),
            ),
            (
                CONNECT,
                "HTTP/1.1 403 No\r\ncontent-length: 1\r\n\r\nx",
                false,
                Ok(":status=403 content-length=1 | x -"),
            ),
            (
                CONNECT,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                false,
                Err(H1Error::INVALID_TRANSFER_ENCODING),
            ),
        ],
    );
}

#[test]
fn malformed_responses_are_errors() {
    check(
        &H1Settings::default(),
        &[
            (GET, "garbage\r\n\r\n", false, Err(H1Error::INVALID_STATUS)),
            (
                GET,
                "HTTP/1.1 099 OK\r\n\r\n",
                false,
                Err(H1Error::INVALID_STATUS),
            ),
            (
                GET,
                "HTTP/1.1 20 OK\r\n\r\n",
                false,
                Err(H1Error::INVALID_STATUS),
            ),
            (
                GET,
                "HTTP/1.1 2000 OK\r\n\r\n",
                false,
                Err(H1Error::INVALID_STATUS),
            ),
            (
                GET,
                "HTTP/2.0 200 OK\r\n\r\n",
                false,
                Err(H1Error::INVALID_VERSION),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
                false,
                Err(H1Error::INVALID_HEADER),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\nx: \u{1}\r\n\r\n",
                false,
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                GET,
                "HTTP/1.1 200 \u{1}\r\n\r\n",
                false,
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
                false,
                Err(H1Error::CHUNKED_AND_LENGTH),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
                false,
                Err(H1Error::INVALID_CONTENT_LENGTH),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
                false,
                Err(H1Error::INVALID_TRANSFER_ENCODING),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
                false,
                Err(H1Error::INVALID_CHUNK),
            ),
            (
                GET,
                "HTTP/1.1 204 No\r\ncontent-length: 1\r\n\r\n",
                false,
                Err(H1Error::CONTENT_LENGTH_NOT_ALLOWED),
            ),
            (
                GET,
                "HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n",
                false,
                Err(H1Error::TRANSFER_ENCODING_NOT_ALLOWED),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
                false,
                Err(H1Error::PREMATURE_RESPONSE),
            ),
        ],
    );
    let trailing = H1Settings {
        max_headers_count: 1,
        ..H1Settings::default()
    };
    check(
        &trailing,
        &[
            (
                GET,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                Ok(":status=200 content-length=0 +"),
            ),
            (
                GET,
                "HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\n",
                false,
                Err(H1Error::TOO_MANY_HEADERS),
            ),
        ],
    );
}

#[test]
fn bytes_on_an_idle_connection_are_an_error() {
    let (settings, mut pool) = (H1Settings::default(), HeaderPool::default());
    for (bytes, counts) in [
        ("HTTP/1.1 408 Request Timeout\r\n", false),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("x", true),
    ] {
        let mut client = H1Client::new();
        assert_eq!(
            client.next(&settings, &mut Bytes::new(), &mut pool),
            Ok(None)
        );
        let error = client
            .next(&settings, &mut Bytes::from(bytes), &mut pool)
            .unwrap_err();
        assert_eq!(error.is_protocol_error(), counts, "{bytes}");
        assert!(!client.is_reusable());
    }
}

#[test]
fn requests_are_written_as_envoy_writes_them() {
    let base: &[(&str, &str)] = &[
        (":authority", "h"),
        (":path", "/p"),
        (":scheme", "https"),
        ("a", "1"),
    ];
    let plain = H1Settings::default();
    let absolute = H1Settings {
        send_fully_qualified_url: true,
        ..H1Settings::default()
    };
    for (settings, method, extra, end, expected) in [
        (
            &plain,
            "GET",
            ("b", "2"),
            End::Stream,
            "GET /p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\n\r\n",
        ),
        (
            &plain,
            "DELETE",
            ("b", "2"),
            End::Stream,
            "DELETE /p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\n\r\n",
        ),
        (
            &plain,
            "POST",
            ("b", "2"),
            End::Stream,
            "POST /p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            &plain,
            "GET",
            ("b", "2"),
            End::No,
            "GET /p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            &plain,
            "POST",
            ("content-length", "2"),
            End::No,
            "POST /p HTTP/1.1\r\nhost: h\r\na: 1\r\ncontent-length: 2\r\n\r\nok",
        ),
        (
            &plain,
            "GET",
            ("transfer-encoding", "x"),
            End::Stream,
            "GET /p HTTP/1.1\r\nhost: h\r\na: 1\r\n\r\n",
        ),
        (
            &plain,
            "GET",
            ("host", "other"),
            End::Stream,
            "GET /p HTTP/1.1\r\nhost: h\r\na: 1\r\n\r\n",
        ),
        (
            &plain,
            "GET",
            ("b", "2\r\nc: 3"),
            End::Stream,
            "GET /p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2  c: 3\r\n\r\n",
        ),
        (
            &plain,
            "CONNECT",
            ("b", "2"),
            End::No,
            "CONNECT h HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\n\r\nok",
        ),
        (
            &absolute,
            "GET",
            ("b", "2"),
            End::Stream,
            "GET https://h/p HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\n\r\n",
        ),
    ] {
        let mut client = H1Client::new();
        let mut headers = HeaderMap::from_iter(base.iter().copied());
        headers.append(names::METHOD, method.as_bytes());
        headers.append(extra.0, extra.1.as_bytes());
        let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
        client
            .encode_request(settings, &headers, end, &mut scratch, &mut out)
            .unwrap();
        if !end.is_end() {
            client.encode_data(&mut Buffer::from("ok"), End::Stream, &mut scratch, &mut out);
        }
        assert_eq!(out.to_bytes(), expected);
        assert!(client.is_active());
    }
    let missing = HeaderMap::from_iter([(":method", "GET")]);
    let result = H1Client::new().encode_request(
        &plain,
        &missing,
        End::Stream,
        &mut BytesMut::new(),
        &mut Buffer::new(),
    );
    assert_eq!(result, Err(names::PATH));
}

#[test]
fn a_target_stays_one_target() {
    let mut headers = HeaderMap::from_iter([(":method", "GET"), (":authority", "h")]);
    headers.append(names::PATH, b"/a HTTP/1.1\r\nx: \xe9\x7f");
    let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
    let settings = H1Settings::client();
    H1Client::new()
        .encode_request(&settings, &headers, End::Stream, &mut scratch, &mut out)
        .unwrap();
    let expected = b"GET /a%20HTTP/1.1%0D%0Ax:%20\xe9%7F HTTP/1.1\r\nhost: h\r\n\r\n";
    assert_eq!(out.to_bytes(), &expected[..]);
}
