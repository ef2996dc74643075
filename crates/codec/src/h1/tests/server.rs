//! Requests: what is taken, as which frames, and what is refused, with which error.

use super::super::fuzz::{Message, answer, requests};
use super::super::{H1Error, H1Server, H1Settings, HeaderCase, UnderscoresAction};
use crate::{Frame, HeaderPool};
use bytes::Bytes;
use nuncio_base::header_case::OtherNames;
use nuncio_base::names;

fn one(settings: &H1Settings, bytes: &str) -> Result<Message, H1Error> {
    let (mut messages, error) = requests(settings, &[&latin1(bytes)]);
    match error {
        Some(error) => Err(error),
        None => Ok(messages.remove(0)),
    }
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

fn check(settings: &H1Settings, cases: &[(&str, Result<&str, H1Error>)]) {
    for (bytes, expected) in cases {
        let got = one(settings, bytes).map(|message| {
            let Message {
                head,
                body,
                trailers,
                ended,
                ..
            } = message;
            let mut text = head.unwrap_or_default();
            if !body.is_empty() {
                text += &format!(" | {}", body.escape_ascii());
            }
            if let Some(trailers) = trailers {
                text += &format!(" | {trailers}");
            }
            if !ended {
                text += " ...";
            }
            text
        });
        assert_eq!(got.as_deref(), expected.as_ref().copied(), "{bytes:?}");
    }
}

#[test]
fn heads_become_maps() {
    check(
        &H1Settings::default(),
        &[
            (
                "GET /a?b HTTP/1.1\r\nHost: x\r\nX-B: 2\r\nA:\r\n\r\n",
                Ok(":authority=x :path=/a?b :method=GET x-b=2 a="),
            ),
            (
                "GET / HTTP/1.1\r\nx: \t a\tb \t \r\n\r\n",
                Ok(":path=/ :method=GET x=a\\tb"),
            ),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Ok(":path=/ :method=GET")),
            (
                "GET / HTTP/1.1\r\naccept: a\r\nx: 1\r\nAccept: b\r\nx: 2\r\n\r\n",
                Ok(":path=/ :method=GET accept=a,b x=1 x=2"),
            ),
            ("OPTIONS * HTTP/1.1\r\n\r\n", Ok(":path=* :method=OPTIONS")),
            (
                "GET http://u:p@a.b:81?q HTTP/1.1\r\nhost: c\r\n\r\n",
                Ok(":authority=a.b:81 :path=?q :scheme=http :method=GET"),
            ),
            (
                "GET HTTPS://a HTTP/1.1\r\n\r\n",
                Ok(":authority=a :path=/ :scheme=https :method=GET"),
            ),
            (
                "GET /[]{}|^\"<>` HTTP/1.1\r\n\r\n",
                Ok(":path=/[]{}|^\\\"<>` :method=GET"),
            ),
            (
                "GET / HTTP/1.1\r\nx: \u{e9}\r\n\r\n",
                Ok(":path=/ :method=GET x=\\xe9"),
            ),
            (
                "GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
                Ok(":authority=[::1]:80 :path=/ :method=GET"),
            ),
            (
                "GET / HTTP/1.1\r\nhost:\r\n\r\n",
                Ok(":authority= :path=/ :method=GET"),
            ),
            ("GET /a HTTP/1.1", Ok(" ...")),
            ("QUERY / HTTP/1.1\r\n\r\n", Ok(":path=/ :method=QUERY")),
        ],
    );
}

#[test]
fn bodies_end_where_they_should() {
    check(
        &H1Settings::default(),
        &[
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcG",
                Ok(":path=/ :method=POST content-length=3 | abc"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
                Ok(":path=/ :method=POST content-length=0"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab",
                Ok(":path=/ :method=POST content-length=3 | ab ..."),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=Chunked | abc0123456789"),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=chunked"),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: 1\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=chunked"),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd",
                Err(H1Error::INVALID_CHUNK),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx y: 1\r\n\r\n",
                Err(H1Error::INVALID_HEADER),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: \u{1}\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 1\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=chunked"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
                Err(H1Error::CHUNKED_AND_LENGTH),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
                Err(H1Error::INVALID_CONTENT_LENGTH),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length:\r\ncontent-length: 3\r\n\r\nabc",
                Err(H1Error::INVALID_CONTENT_LENGTH),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\nabc",
                Err(H1Error::INVALID_CONTENT_LENGTH),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\nabc",
                Err(H1Error::INVALID_CONTENT_LENGTH),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
                Err(H1Error::INVALID_TRANSFER_ENCODING),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding:\r\ntransfer-encoding: chunked\r\n\r\n",
                Err(H1Error::INVALID_TRANSFER_ENCODING),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: \u{b}chunked\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
        ],
    );
}

#[test]
fn what_is_malformed_is_refused() {
    check(
        &H1Settings::default(),
        &[
            (
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                Err(H1Error::INVALID_METHOD),
            ),
            ("get / HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_METHOD)),
            ("M-SEARCH / HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_METHOD)),
            ("\0", Err(H1Error::INVALID_METHOD)),
            ("\nGET / HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_METHOD)),
            ("GET  / HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_TARGET)),
            ("GET / HTTP/1.1 \r\n\r\n", Err(H1Error::INVALID_VERSION)),
            ("GET /a b HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_TARGET)),
            ("GET /\u{e9} HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_TARGET)),
            (
                "GET /a\u{1}b HTTP/1.1\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
            ("GET foo HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_TARGET)),
            ("GET * HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_URL)),
            (
                "GET ftp://a/ HTTP/1.1\r\n\r\n",
                Err(H1Error::INVALID_SCHEME),
            ),
            ("GET / HTTP/1.1\n\r\n", Err(H1Error::INVALID_LINE_END)),
            (
                "GET / HTTP/1.1\r\nx: 1\ny: 2\r\n\r\n",
                Err(H1Error::INVALID_LINE_END),
            ),
            (
                "GET / HTTP/1.1\r\nx: 1\r2\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                "GET / HTTP/1.1\r\nx: 1\r\n 2\r\n\r\n",
                Err(H1Error::INVALID_HEADER),
            ),
            (
                "GET / HTTP/1.1\r\nx : 1\r\n\r\n",
                Err(H1Error::INVALID_HEADER),
            ),
            ("GET / HTTP/1.1\r\nx\r\n\r\n", Err(H1Error::INVALID_HEADER)),
            (
                "GET / HTTP/1.1\r\n: 1\r\n\r\n",
                Err(H1Error::INVALID_HEADER),
            ),
            (
                "GET / HTTP/1.1\r\n:path: 1\r\n\r\n",
                Err(H1Error::INVALID_HEADER),
            ),
            (
                "GET / HTTP/1.1\r\nx: \u{7f}\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                "GET / HTTP/1.1\r\nx\0: 1\r\n\r\n",
                Err(H1Error::INVALID_CHARACTERS),
            ),
            (
                "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
                Err(H1Error::INVALID_AUTHORITY),
            ),
            (
                "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
                Err(H1Error::INVALID_AUTHORITY),
            ),
            (
                "GET / HTTP/1.1\r\nhost: \u{e9}\r\n\r\n",
                Err(H1Error::INVALID_AUTHORITY),
            ),
            (
                "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
                Err(H1Error::LOW_VERSION),
            ),
            (
                "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
                Err(H1Error::LOW_VERSION),
            ),
            ("GET /\r\n\r\n", Err(H1Error::LOW_VERSION)),
            ("GET / HTTP/1.10\r\n\r\n", Err(H1Error::INVALID_VERSION)),
            ("GET / http/1.1\r\n\r\n", Err(H1Error::INVALID_VERSION)),
            (
                "GET / HTTP/1.1\r\nconnection: x-forwarded-for\r\n\r\n",
                Err(H1Error::CONNECTION_HEADER_REJECTED),
            ),
            ("CONNECT a HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_URL)),
            (
                "CONNECT a:1 HTTP/1.1\r\ncontent-length: 3\r\n\r\n",
                Err(H1Error::BODY_DISALLOWED),
            ),
            (
                "CONNECT a:1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
                Err(H1Error::INVALID_TRANSFER_ENCODING),
            ),
        ],
    );
}

#[test]
fn upgrades_and_connects_are_opaque_behind_their_head() {
    check(
        &H1Settings::default(),
        &[
            (
                "GET / HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nGET ",
                Ok(":path=/ :method=GET connection=Upgrade upgrade=websocket | GET  ..."),
            ),
            (
                "CONNECT a:80 HTTP/1.1\r\nhost: b\r\ncontent-length: 0\r\n\r\nxyz",
                Ok(":authority=a:80 :method=CONNECT | xyz ..."),
            ),
            (
                "GET / HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
                Ok(":path=/ :method=GET"),
            ),
            (
                "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
                Ok(":path=/ :method=GET upgrade=websocket"),
            ),
        ],
    );
}

#[test]
fn settings_change_what_is_taken() {
    let http10 = H1Settings {
        accept_http_10: true,
        default_host_for_http_10: "def".into(),
        ..H1Settings::default()
    };
    check(
        &http10,
        &[
            (
                "GET / HTTP/1.0\r\n\r\n",
                Ok(":path=/ :authority=def :method=GET"),
            ),
            (
                "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
                Ok(":authority=a :path=/ :method=GET"),
            ),
            (
                "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
                Err(H1Error::LOW_VERSION),
            ),
            (
                "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
                Err(H1Error::TRANSFER_ENCODING_NOT_ALLOWED),
            ),
        ],
    );
    let both = H1Settings {
        allow_chunked_length: true,
        ..H1Settings::default()
    };
    check(
        &both,
        &[
            (
                "POST / HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=chunked | x"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: gzip\r\n\r\n",
                Err(H1Error::CHUNKED_AND_LENGTH),
            ),
        ],
    );
    let custom = H1Settings {
        allow_custom_methods: true,
        ..H1Settings::default()
    };
    check(
        &custom,
        &[
            ("foo-bar / HTTP/1.1\r\n\r\n", Ok(":path=/ :method=foo-bar")),
            ("a(b / HTTP/1.1\r\n\r\n", Err(H1Error::INVALID_METHOD)),
        ],
    );
    let relative = H1Settings {
        allow_absolute_url: false,
        ..H1Settings::default()
    };
    check(
        &relative,
        &[(
            "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
            Ok(":authority=a :path=http://b/ :method=GET"),
        )],
    );
    let ignoring = H1Settings {
        ignore_http_11_upgrade: vec![Box::new(|name| name == "odd")],
        ..H1Settings::default()
    };
    check(
        &ignoring,
        &[(
            "GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\n",
            Ok(":path=/ :method=GET"),
        )],
    );
    let trailers = H1Settings {
        enable_trailers: true,
        ..H1Settings::default()
    };
    check(
        &trailers,
        &[
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAccept: 1\r\naccept: 2\r\n\r\n",
                Ok(":path=/ :method=POST transfer-encoding=chunked | x | accept=1 accept=2"),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 1\r\n\r\n",
                Err(H1Error::INVALID_TRAILER),
            ),
            (
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nHost: a\r\n\r\n",
                Err(H1Error::INVALID_TRAILER),
            ),
        ],
    );
}

#[test]
fn underscores_are_counted_dropped_or_refused() {
    let request = "GET / HTTP/1.1\r\nx_a: 1\r\nb: 2\r\n\r\n";
    let settings = |underscores| H1Settings {
        underscores,
        ..H1Settings::default()
    };
    check(
        &settings(UnderscoresAction::Allow),
        &[(request, Ok(":path=/ :method=GET x_a=1 b=2"))],
    );
    check(
        &settings(UnderscoresAction::RejectRequest),
        &[(request, Err(H1Error::UNDERSCORE))],
    );
    check(
        &settings(UnderscoresAction::DropHeader),
        &[(request, Ok(":path=/ :method=GET b=2"))],
    );
    let mut server = H1Server::new();
    let mut input = Bytes::from(request);
    server
        .next(
            &settings(UnderscoresAction::DropHeader),
            &mut input,
            &mut HeaderPool::default(),
        )
        .unwrap();
    assert_eq!(
        (server.take_dropped_headers(), server.take_dropped_headers()),
        (1, 0)
    );
}

#[test]
fn limits_hold_to_the_byte() {
    let settings = H1Settings {
        max_headers_kb: 1,
        max_headers_count: 3,
        ..H1Settings::default()
    };
    let of_size = |size: usize| {
        let head = "GET / HTTP/1.1\r\nx: \r\n\r\n";
        head.replace("x: ", &format!("x: {}", "y".repeat(size - head.len())))
    };
    assert!(one(&settings, &of_size(1024)).is_ok());
    assert_eq!(
        one(&settings, &of_size(1025)),
        Err(H1Error::HEADERS_TOO_LARGE)
    );
    assert_eq!(
        one(&settings, &"G".repeat(1025)),
        Err(H1Error::HEADERS_TOO_LARGE)
    );
    let of_count = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
            "x: 1\r\n".repeat(count)
        )
    };
    assert!(one(&settings, &of_count(2)).is_ok());
    assert_eq!(one(&settings, &of_count(3)), Err(H1Error::TOO_MANY_HEADERS));
    let joined = format!("GET / HTTP/1.1\r\n{}\r\n", "accept: 1\r\n".repeat(50));
    assert!(one(&settings, &joined).is_ok());
    let trailers = H1Settings {
        enable_trailers: true,
        ..settings
    };
    let with = |trailers: &str| {
        format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{trailers}\r\n")
    };
    assert_eq!(
        one(&trailers, &with(&"x: 1\r\n".repeat(4))),
        Err(H1Error::TOO_MANY_TRAILERS)
    );
    let long = format!("x: {}\r\n", "y".repeat(1024));
    assert_eq!(
        one(&trailers, &with(&long)),
        Err(H1Error::TRAILERS_TOO_LARGE)
    );
    let extension = format!(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;{}",
        "x".repeat(4096)
    );
    assert_eq!(one(&trailers, &extension), Err(H1Error::INVALID_CHUNK));
}

#[test]
fn pipelined_requests_wait_for_their_turn() {
    let settings = H1Settings::default();
    let mut pool = HeaderPool::default();
    let mut server = H1Server::new();
    let mut input =
        Bytes::from("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nconnection: close\r\n\r\n");
    for (path, closes) in [("/1", false), ("/2", true)] {
        assert!(server.is_idle() && !server.received_head());
        let frame = server.next(&settings, &mut input, &mut pool).unwrap();
        let Some(Frame::Headers(map, end)) = frame else {
            panic!("{frame:?}")
        };
        assert_eq!((map.get_str(names::PATH), end.is_end()), (Some(path), true));
        assert_eq!(server.next(&settings, &mut input, &mut pool), Ok(None));
        assert!(server.request_ended() && !server.response_started());
        let answer = answer(&mut server, &settings);
        assert!(server.is_complete());
        assert_eq!(server.should_close(), closes);
        assert_eq!(
            String::from_utf8(answer)
                .unwrap()
                .contains("connection: close"),
            closes
        );
        if !closes {
            server.begin_next();
        }
    }
    assert!(input.is_empty());
}

#[test]
fn names_keep_their_case_where_asked() {
    let settings = H1Settings {
        header_case: HeaderCase::Preserve {
            reason: false,
            others: OtherNames::Lower,
        },
        ..H1Settings::default()
    };
    let mut input = Bytes::from("GET / HTTP/1.1\r\nHOST: a\r\nX-aBc: 1\r\n\r\n");
    let frame = H1Server::new().next(&settings, &mut input, &mut HeaderPool::default());
    let Ok(Some(Frame::Headers(map, _))) = frame else {
        panic!("{frame:?}")
    };
    let case = map.original_case().unwrap();
    assert_eq!(case.get(b"x-abc"), Some(&b"X-aBc"[..]));
    assert_eq!(case.get(b"host"), Some(&b"HOST"[..]));
}

#[test]
fn an_idle_codec_is_small() {
    assert!(size_of::<H1Server>() <= 72, "{}", size_of::<H1Server>());
}
