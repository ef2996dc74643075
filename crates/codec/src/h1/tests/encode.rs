//! Responses as they are written.

use super::super::{H1Server, H1Settings, HeaderCase};
use crate::{End, HeaderPool};
use bytes::{Bytes, BytesMut};
use nuncio_base::header_case::OtherNames;
use nuncio_base::{Buffer, HeaderMap};

/// The response to a request: its head's fields, body pieces, trailers.
fn written(
    settings: &H1Settings,
    request: &str,
    fields: &[(&str, &str)],
    body: Option<&[&'static str]>,
    trailers: &[(&str, &str)],
) -> (String, bool) {
    let mut server = H1Server::new();
    let mut pool = HeaderPool::default();
    let mut input = Bytes::copy_from_slice(request.as_bytes());
    while server
        .next(settings, &mut input, &mut pool)
        .unwrap()
        .is_some()
    {}
    let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
    let headers = HeaderMap::from_iter(fields.iter().copied());
    server.encode_headers(
        settings,
        &headers,
        End::when(body.is_none()),
        &mut scratch,
        &mut out,
    );
    if let Some(pieces) = body {
        for (i, piece) in pieces.iter().enumerate() {
            let end = End::when(trailers.is_empty() && i + 1 == pieces.len());
            server.encode_data(&mut Buffer::from(*piece), end, &mut scratch, &mut out);
        }
        if !trailers.is_empty() {
            let trailers = HeaderMap::from_iter(trailers.iter().copied());
            server.encode_trailers(settings, &trailers, &mut scratch, &mut out);
        }
    }
    assert!(server.response_ended());
    (
        String::from_utf8(out.to_bytes().to_vec()).unwrap(),
        server.should_close(),
    )
}

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const KEPT: &str = "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
const OPEN: &str = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

#[test]
fn framing_is_envoys() {
    let settings = H1Settings {
        accept_http_10: true,
        enable_trailers: true,
        ..H1Settings::default()
    };
    type Fields<'a> = &'a [(&'a str, &'a str)];
    type Body<'a> = Option<&'a [&'static str]>;
    let cases: &[(&str, Fields<'_>, Body<'_>, Fields<'_>, &str, bool)] = &[
        (
            GET,
            &[(":status", "200"), ("a", "1")],
            None,
            &[],
            "HTTP/1.1 200 OK\r\na: 1\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "404"), ("content-length", "2"), ("a", "1")],
            Some(&["o", "k"]),
            &[],
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\na: 1\r\n\r\nok",
            false,
        ),
        (
            GET,
            &[(":status", "200")],
            Some(&["o", "", "k"]),
            &[],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "200")],
            Some(&["ok", ""]),
            &[],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "200")],
            Some(&["ok"]),
            &[("t", "1")],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nt: 1\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "204"), ("content-length", "0")],
            None,
            &[],
            "HTTP/1.1 204 No Content\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "304")],
            None,
            &[],
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "304"), ("content-length", "10")],
            None,
            &[],
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "799")],
            None,
            &[],
            "HTTP/1.1 799 Unknown\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            HEAD,
            &[(":status", "200")],
            None,
            &[],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            false,
        ),
        (
            HEAD,
            &[(":status", "200"), ("content-length", "5")],
            Some(&["hello"]),
            &[],
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            false,
        ),
        (
            OLD,
            &[(":status", "200")],
            Some(&["ok"]),
            &[],
            "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nok",
            true,
        ),
        (
            KEPT,
            &[(":status", "200"), ("content-length", "2")],
            Some(&["ok"]),
            &[],
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok",
            false,
        ),
        (
            KEPT,
            &[(":status", "200")],
            Some(&["ok"]),
            &[],
            "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nok",
            true,
        ),
        (
            OPEN,
            &[(":status", "200"), ("server", "e")],
            None,
            &[],
            "HTTP/1.1 200 OK\r\nserver: e\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            true,
        ),
        (
            UPGRADE,
            &[
                (":status", "101"),
                ("connection", "upgrade"),
                ("upgrade", "x"),
            ],
            Some(&["raw", ""]),
            &[],
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw",
            true,
        ),
        (
            UPGRADE,
            &[(":status", "403")],
            None,
            &[],
            "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            true,
        ),
        (
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
            &[(":status", "200")],
            Some(&["raw", ""]),
            &[],
            "HTTP/1.1 200 OK\r\n\r\nraw",
            true,
        ),
        (
            GET,
            &[(":status", "200"), ("content-length", "2")],
            Some(&["more"]),
            &[],
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmo",
            true,
        ),
        (
            GET,
            &[(":status", "200"), ("content-length", "9")],
            Some(&["less"]),
            &[],
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nless",
            true,
        ),
        (
            GET,
            &[(":status", "200"), ("content-length", "x")],
            None,
            &[],
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            GET,
            &[(":status", "200"), ("x\n", "a\r\nb\0")],
            None,
            &[],
            "HTTP/1.1 200 OK\r\nx : a  b \r\ncontent-length: 0\r\n\r\n",
            false,
        ),
    ];
    for (request, fields, body, trailers, expected, closes) in cases {
        let got = written(&settings, request, fields, *body, trailers);
        assert_eq!(
            got,
            ((*expected).to_owned(), *closes),
            "{request:?} {fields:?}"
        );
    }
}

#[test]
fn names_are_written_as_configured() {
    let proper = H1Settings {
        header_case: HeaderCase::Proper,
        ..H1Settings::default()
    };
    let fields = [
        (":status", "200"),
        ("x-some-thing", "1"),
        ("etag", "2"),
        ("x_under-score", "3"),
        ("x-1st", "4"),
    ];
    let (text, _) = written(&proper, GET, &fields, None, &[]);
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nX-Some-Thing: 1\r\nEtag: 2\r\nX_Under-Score: 3\r\nX-1st: 4\r\nContent-Length: 0\r\n\r\n"
    );

    let mut server = H1Server::new();
    let mut headers = HeaderMap::from_iter(fields);
    let case = headers.keep_case(OtherNames::Proper);
    case.push(b"ETAG");
    case.set_reason(b"Fine By Me");
    let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
    let settings = H1Settings::default();
    server
        .next(&settings, &mut Bytes::from(GET), &mut HeaderPool::default())
        .unwrap();
    server.encode_headers(&settings, &headers, End::Stream, &mut scratch, &mut out);
    assert_eq!(
        out.to_bytes(),
        "HTTP/1.1 200 Fine By Me\r\nX-Some-Thing: 1\r\nETAG: 2\r\nX_Under-Score: 3\r\nX-1st: 4\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn large_pieces_are_not_copied() {
    let settings = H1Settings::default();
    let mut server = H1Server::new();
    server
        .next(&settings, &mut Bytes::from(GET), &mut HeaderPool::default())
        .unwrap();
    let (mut scratch, mut out) = (BytesMut::with_capacity(4096), Buffer::new());
    let headers = HeaderMap::from_iter([(":status", "200")]);
    server.encode_headers(&settings, &headers, End::No, &mut scratch, &mut out);
    let piece = Bytes::from(vec![b'x'; 1000]);
    server.encode_data(
        &mut piece.clone().into(),
        End::Stream,
        &mut scratch,
        &mut out,
    );
    assert!(out.slices().any(|slice| slice.as_ptr() == piece.as_ptr()));
    assert!(out.to_bytes().ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn a_100_is_sent_to_whom_it_helps() {
    let settings = H1Settings {
        accept_http_10: true,
        ..H1Settings::default()
    };
    for (version, expected) in [("1.1", "HTTP/1.1 100 Continue\r\n\r\n"), ("1.0", "")] {
        let request =
            format!("POST / HTTP/{version}\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n");
        let mut server = H1Server::new();
        server
            .next(
                &settings,
                &mut Bytes::from(request),
                &mut HeaderPool::default(),
            )
            .unwrap();
        assert_eq!(server.expects_continue(), !expected.is_empty());
        let mut own = Buffer::new();
        H1Server::new().encode_continue(&mut own);
        assert!(own.is_empty());
        let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
        let headers = HeaderMap::from_iter([(":status", "100")]);
        server.encode_informational(&settings, &headers, &mut scratch, &mut out);
        assert_eq!(out.to_bytes(), expected);
        assert!(!server.expects_continue());
    }
}
