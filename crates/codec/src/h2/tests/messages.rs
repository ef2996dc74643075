//! RFC 9113 section 8: which fields make a message.

use super::*;

#[test]
fn heads_that_are_none() {
    let field = "http2.invalid.header.field";
    let message = "http2.violation.of.messaging.rule";
    for (fields, details) in [
        (
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")],
            message,
        ),
        (
            vec![(":method", "GET"), (":path", "/"), (":authority", "a")],
            message,
        ),
        (
            vec![(":scheme", "http"), (":path", "/"), (":authority", "a")],
            message,
        ),
        (
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/")],
            message,
        ),
        (
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "a"),
                (":path", "x"),
            ],
            message,
        ),
        (
            vec![
                (":method", "CONNECT"),
                (":scheme", "http"),
                (":authority", "a"),
                (":path", "/"),
            ],
            message,
        ),
        (vec![(":path", "")], field),
        (vec![(":path", "/a b")], field),
        (vec![(":authority", "u@a")], field),
        (vec![(":authority", "a b")], field),
        (vec![(":method", "G T")], field),
        (vec![(":scheme", "1")], field),
        (vec![(":method", "GET"), (":method", "GET")], field),
        (vec![(":status", "200")], field),
        (vec![(":odd", "x")], field),
        (vec![(":protocol", "websocket")], field),
        (vec![("x-a", "b"), (":path", "/")], field),
        (vec![("X-Upper", "v")], field),
        (vec![("x a", "v")], field),
        (vec![("", "v")], field),
        (vec![("connection", "close")], field),
        (vec![("keep-alive", "1")], field),
        (vec![("proxy-connection", "close")], field),
        (vec![("transfer-encoding", "chunked")], field),
        (vec![("upgrade", "h2c")], field),
        (vec![("te", "gzip")], field),
        (vec![("content-length", "1x")], field),
        (
            vec![("content-length", "1"), ("content-length", "1")],
            field,
        ),
        (vec![("x-a", "a\nb")], field),
        (vec![("x-a", "a\0b")], field),
        (vec![("host", "a b")], field),
    ] {
        let fields = if details == field && !fields[0].0.starts_with(':') {
            [&GET[..], &fields].concat()
        } else {
            fields
        };
        let mut server = Server::ready(H2Settings::default(), &[]);
        let told = server.receive(&headers(1, true, &fields));
        assert_eq!(told, format!("error -1 {details}"), "{fields:?}");
        assert_eq!(server.sent(), "", "{fields:?}");
        let lenient = H2Settings {
            stream_error_on_invalid_message: true,
            ..H2Settings::default()
        };
        let mut server = Server::ready(lenient, &[]);
        let told = server.receive(&headers(1, true, &fields));
        assert_eq!(told, format!("1 reset {details}"), "{fields:?}");
        assert_eq!(server.sent(), "1 RST 1", "{fields:?}");
        let told = server.receive(&headers(3, true, &GET));
        assert!(told.starts_with("3 headers"), "{told}");
    }
}

#[test]
fn heads_as_they_are_given_out() {
    let settings = H2Settings {
        allow_connect: true,
        ..H2Settings::default()
    };
    let connect = [(":method", "CONNECT"), (":authority", "a:1")];
    for (fields, told) in [
        (
            [
                &GET[..],
                &[("cookie", "a=1"), ("x", " v "), ("cookie", "b=2")],
            ]
            .concat(),
            ":method=GET :scheme=http :authority=a :path=/ x=v cookie=a=1; b=2",
        ),
        (
            [&GET[..], &[("host", "other"), ("te", "trailers")]].concat(),
            ":method=GET :scheme=http :authority=a :path=/ te=trailers",
        ),
        (
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                ("host", "h"),
            ],
            ":method=GET :scheme=http :path=/ :authority=h",
        ),
        (connect.to_vec(), ":method=CONNECT :authority=a:1"),
        (
            [
                &[(":method", "CONNECT"), (":protocol", "websocket")][..],
                &GET[1..],
            ]
            .concat(),
            ":method=GET :scheme=http :authority=a :path=/ connection=upgrade upgrade=websocket",
        ),
    ] {
        let mut server = Server::ready(settings.clone(), &[]);
        let got = server.receive(&headers(1, false, &fields));
        assert_eq!(got, format!("1 headers {told}"));
    }
}

#[test]
fn limits_cost_the_stream_only() {
    let settings = H2Settings {
        max_headers_kb: 1,
        max_headers_count: 6,
        ..H2Settings::default()
    };
    let long = "v".repeat(1100);
    let cookie = "c".repeat(300);
    for (more, details) in [
        (
            vec![("x-a", "1"), ("x-b", "2"), ("x-c", "3")],
            "http2.too_many_headers",
        ),
        (
            vec![("x-a", long.as_str())],
            "http2.header_list_size_too_large",
        ),
        // Cookie crumbs and the host count, though they come to one field or to none.
        (vec![("cookie", "a"); 3], "http2.too_many_headers"),
        (
            vec![("host", "a"), ("x-a", "1"), ("x-b", "2")],
            "http2.too_many_headers",
        ),
        (
            vec![("cookie", cookie.as_str()); 4],
            "http2.header_list_size_too_large",
        ),
    ] {
        let settings = H2Settings {
            max_headers_count: if details.contains("large") { 100 } else { 6 },
            ..settings.clone()
        };
        let mut server = Server::ready(settings, &[]);
        let told = server.receive(&headers(1, true, &[&GET[..], &more].concat()));
        assert_eq!(told, format!("1 reset {details}"));
        assert_eq!(server.sent(), "1 RST 2");
    }
}

#[test]
fn lengths_and_trailers() {
    let data = |end: bool, text: &str| frame(kind::DATA, u8::from(end), 1, text.as_bytes());
    let short = [&POST[..], &[("content-length", "3")]].concat();
    let head = "1 headers :method=POST :scheme=http :authority=a :path=/ content-length=3";
    let bad = format!("{head}\n1 reset http2.remote_reset");
    let plain = "1 headers :method=POST :scheme=http :authority=a :path=/";
    let messaging = "error -1 http2.violation.of.messaging.rule";
    for (name, input, told, sent) in [
        (
            "as announced",
            vec![headers(1, false, &short), data(true, "abc")],
            format!("{head}\n1 data abc end"),
            "",
        ),
        (
            "too much",
            vec![headers(1, false, &short), data(true, "abcd")],
            bad.clone(),
            "1 RST 1",
        ),
        (
            "too little",
            vec![headers(1, false, &short), data(true, "ab")],
            bad,
            "1 RST 1",
        ),
        (
            "nothing",
            vec![headers(1, true, &short)],
            messaging.to_owned(),
            "",
        ),
        (
            "trailers",
            vec![
                headers(1, false, &POST),
                data(false, "abc"),
                headers(1, true, &[("x-t", "v")]),
            ],
            format!("{plain}\n1 data abc\n1 trailers x-t=v"),
            "",
        ),
        (
            "trailers that end nothing",
            vec![headers(1, false, &POST), headers(1, false, &[("x-t", "v")])],
            format!("{plain}\n{messaging}"),
            "",
        ),
        (
            "trailers with a pseudo-header",
            vec![
                headers(1, false, &POST),
                headers(1, true, &[(":path", "/")]),
            ],
            format!("{plain}\nerror -1 http2.invalid.header.field"),
            "",
        ),
    ] {
        let mut server = Server::ready(H2Settings::default(), &[]);
        assert_eq!(server.receive(&input.concat()), told, "{name}");
        assert_eq!(server.sent(), sent, "{name}");
    }
}

/// A block that comes again means the same only as long as nothing has changed the table.
#[test]
fn blocks_that_come_again() {
    let mut server = Server::ready(H2Settings::default(), &[]);
    // A literal that is added, named by `cookie` (32): it is entry 62 until the next is.
    let added = |value: &[u8]| [&[0x82, 0x86, 0x84, 0x41, 1, b'a', 0x60, 1][..], value].concat();
    let again = [0x82, 0x86, 0x84, 0xbf, 0xbe];
    let size = [0x20, 0x82, 0x86, 0x84, 0x01, 1, b'a'];
    let plain = [0x82, 0x86, 0x84, 0x01, 1, b'a'];
    let mut stream = 1;
    for (block, expected) in [
        (&added(b"x")[..], " cookie=x"),
        (&again, " cookie=x"),
        (&again, " cookie=x"),
        (&again, " cookie=x"),
        (&added(b"y"), " cookie=y"),
        (&again, " cookie=y"),
        (&plain, ""),
        (&again, " cookie=y"),
        (&plain, ""),
        (&again, " cookie=y"),
        (&plain, ""),
        (&size, ""),
        (&plain, ""),
    ] {
        let told = server.receive(&frame(kind::HEADERS, 5, stream, block));
        let head = ":method=GET :scheme=http :path=/ :authority=a";
        assert_eq!(told, format!("{stream} headers {head}{expected} end"));
        stream += 2;
    }
    // The table is empty now.
    let told = server.receive(&frame(kind::HEADERS, 5, stream, &again));
    assert!(told.starts_with("error 9"), "{told}");
}

/// An entry of the table that was refused is refused whenever it is referred to.
#[test]
fn entries_that_are_no_fields() {
    let settings = H2Settings {
        stream_error_on_invalid_message: true,
        ..H2Settings::default()
    };
    let mut server = Server::ready(settings, &[]);
    let head = [0x82, 0x86, 0x84, 0x01, 1, b'a'];
    for (at, field) in [&[0x40, 1, b'x', 1, 1][..], &[0xbe], &[0xbe]]
        .iter()
        .enumerate()
    {
        let stream = at as u32 * 2 + 1;
        let told = server.receive(&frame(kind::HEADERS, 5, stream, &[&head, *field].concat()));
        assert_eq!(told, format!("{stream} reset http2.invalid.header.field"));
    }
}
