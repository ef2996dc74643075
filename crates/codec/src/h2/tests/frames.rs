//! RFC 9113 frame by frame: what each may be, where, and what the peer is told otherwise.

use super::*;

/// What a client sends behind the handshake, what the server makes of it, and what it answers.
type Case<'a> = (&'a str, Vec<Vec<u8>>, &'a str, &'a str);

fn check(settings: &H2Settings, cases: Vec<Case<'_>>) {
    for (name, input, events, sent) in cases {
        let mut server = Server::ready(settings.clone(), &[]);
        assert_eq!(server.receive(&input.concat()), events, "{name}");
        assert_eq!(server.sent(), sent, "{name}");
        let mut slowly = Server::ready(settings.clone(), &[]);
        let pieces: Vec<_> = input.concat().chunks(1).map(<[u8]>::to_vec).collect();
        pieces.iter().for_each(|piece| {
            slowly.receive(piece);
        });
        assert_eq!(slowly.sent(), sent, "{name}, byte by byte");
    }
}

const HEAD: &str = "1 headers :method=POST :scheme=http :authority=a :path=/";
const ENDED: &str = "1 headers :method=GET :scheme=http :authority=a :path=/ end";

#[test]
fn what_comes_before_anything_else() {
    for (input, events, sent) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "error -1 ", ""),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            "",
            "SETTINGS 0 4\n0 WINDOW 25100289\nSETTINGS 1 0",
        ),
        // A PING where SETTINGS must be.
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\x06\0\0\0\0\x0012345678",
            "error 1 ",
            "SETTINGS 0 4\n0 WINDOW 25100289\nGOAWAY 0 1",
        ),
    ] {
        let mut server = Server::new(H2Settings::default());
        assert_eq!(server.receive(input), events);
        assert_eq!(server.sent(), sent);
    }
}

#[test]
fn settings_of_other_numbers_are_told() {
    let settings = H2Settings {
        custom: vec![(20, 7), (21, 8)],
        ..H2Settings::default()
    };
    let mut server = Server::new(settings);
    assert_eq!(server.sent(), "SETTINGS 0 6\n0 WINDOW 25100289");
}

#[test]
fn connection_frames() {
    let settings = |entries: &[u8]| frame(kind::SETTINGS, 0, 0, entries);
    check(
        &H2Settings::default(),
        vec![
            (
                "ping",
                vec![frame(kind::PING, 0, 0, b"12345678")],
                "",
                "PING 1",
            ),
            (
                "pong",
                vec![frame(kind::PING, 1, 0, b"12345678")],
                "Pong",
                "",
            ),
            (
                "ping, too short",
                vec![frame(kind::PING, 0, 0, b"1")],
                "error 6 ",
                "GOAWAY 0 6",
            ),
            (
                "ping on a stream",
                vec![frame(kind::PING, 0, 1, b"12345678")],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            ("unknown kind", vec![frame(0xfa, 255, 7, b"1")], "", ""),
            (
                "settings",
                vec![settings(&[0, 9, 0, 0, 0, 1])],
                "",
                "SETTINGS 1 0",
            ),
            (
                "settings, half an entry",
                vec![settings(&[0, 9, 0])],
                "error 6 ",
                "GOAWAY 0 6",
            ),
            (
                "settings on a stream",
                vec![frame(kind::SETTINGS, 0, 1, b"")],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "acknowledged settings",
                vec![frame(kind::SETTINGS, 1, 0, &[0; 6])],
                "error 6 ",
                "GOAWAY 0 6",
            ),
            (
                "push allowed twice",
                vec![settings(&[0, 2, 0, 0, 0, 2])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "window too large",
                vec![settings(&[0, 4, 128, 0, 0, 0])],
                "error 3 ",
                "GOAWAY 0 3",
            ),
            (
                "frames too small",
                vec![settings(&[0, 5, 0, 0, 0x3f, 0xff])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "frames too large",
                vec![settings(&[0, 5, 1, 0, 0, 0])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "settings without end",
                vec![settings(&[0; 33 * 6])],
                "error 11 ",
                "GOAWAY 0 11",
            ),
            (
                "goaway",
                vec![frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 2])],
                "GoAway { last: 3, code: ErrorCode(2) }",
                "",
            ),
            (
                "goaway on a stream",
                vec![frame(kind::GOAWAY, 0, 1, &[0; 8])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "window by nothing",
                vec![frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "window beyond 2^31",
                vec![frame(kind::WINDOW_UPDATE, 0, 0, &[127, 255, 255, 255])],
                "error 3 ",
                "GOAWAY 0 3",
            ),
            (
                "window, too short",
                vec![frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3])],
                "error 6 ",
                "GOAWAY 0 6",
            ),
            (
                "push",
                vec![frame(kind::PUSH_PROMISE, 4, 1, &[0; 4])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "larger than agreed",
                vec![vec![0, 64, 1, 0xfa, 0, 0, 0, 0, 0]],
                "error 6 ",
                "GOAWAY 0 6",
            ),
            (
                "continuation of nothing",
                vec![frame(kind::CONTINUATION, 4, 1, b"")],
                "error 1 ",
                "GOAWAY 0 1",
            ),
        ],
    );
}

#[test]
fn streams_from_idle_to_closed() {
    let get = || headers(1, true, &GET);
    let post = || headers(1, false, &POST);
    let rst = |id| frame(kind::RST_STREAM, 0, id, &[0, 0, 0, 8]);
    let closed = format!("{HEAD}\n1 reset http2.remote_reset");
    check(
        &H2Settings::default(),
        vec![
            (
                "data on none",
                vec![frame(kind::DATA, 0, 0, b"a")],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "data on an idle one",
                vec![frame(kind::DATA, 0, 1, b"a")],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "reset of an idle one",
                vec![rst(1)],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "reset, too short",
                vec![post(), frame(kind::RST_STREAM, 0, 1, b"")],
                &format!("{HEAD}\nerror 6 "),
                "GOAWAY 1 6",
            ),
            (
                "window of an idle one",
                vec![frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "headers on none",
                vec![headers(0, true, &GET)],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "headers on one of ours",
                vec![headers(2, true, &GET)],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "data behind the end",
                vec![get(), frame(kind::DATA, 0, 1, b"a")],
                &format!("{ENDED}\n1 reset http2.remote_reset"),
                "1 RST 5",
            ),
            (
                "headers behind the end",
                vec![get(), get()],
                &format!("{ENDED}\n1 reset http2.remote_reset"),
                "1 RST 5",
            ),
            ("a reset", vec![post(), rst(1)], &closed, ""),
            (
                "data behind a reset",
                vec![post(), rst(1), frame(kind::DATA, 0, 1, b"a")],
                &closed,
                "1 RST 5",
            ),
            (
                "headers behind a reset",
                vec![post(), rst(1), post()],
                &format!("{closed}\nerror 5 "),
                "GOAWAY 1 5",
            ),
            (
                "window behind a reset",
                vec![
                    post(),
                    rst(1),
                    frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
                ],
                &closed,
                "",
            ),
            (
                "an older number",
                vec![headers(5, false, &POST), headers(3, false, &POST)],
                &format!("{}\nerror 5 ", HEAD.replacen('1', "5", 1)),
                "GOAWAY 5 5",
            ),
            (
                "window by nothing",
                vec![post(), frame(kind::WINDOW_UPDATE, 0, 1, &[0; 4])],
                &closed,
                "1 RST 1",
            ),
            (
                "window beyond 2^31",
                vec![
                    post(),
                    frame(kind::WINDOW_UPDATE, 0, 1, &[127, 255, 255, 255]),
                ],
                &closed,
                "1 RST 3",
            ),
            (
                "its own parent",
                vec![post(), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 1, 0])],
                &closed,
                "1 RST 1",
            ),
            (
                "priority, too short",
                vec![post(), frame(kind::PRIORITY, 0, 1, &[0; 4])],
                &format!("{HEAD}\nerror 6 "),
                "GOAWAY 1 6",
            ),
            (
                "priority of an idle one",
                vec![frame(kind::PRIORITY, 0, 9, &[0; 5])],
                "",
                "",
            ),
            (
                "data, padded",
                vec![post(), frame(kind::DATA, 9, 1, b"\x02abc\0\0")],
                &format!("{HEAD}\n1 data abc end"),
                "",
            ),
            (
                "padding beyond the frame",
                vec![post(), frame(kind::DATA, 9, 1, b"\x06abc\0\0")],
                &format!("{HEAD}\nerror 1 "),
                "GOAWAY 1 1",
            ),
        ],
    );
}

#[test]
fn header_blocks_in_pieces() {
    let whole = block(&GET);
    let (a, b) = whole.split_at(3);
    let cut = |flags, end| {
        vec![
            frame(kind::HEADERS, u8::from(end), 1, a),
            frame(kind::CONTINUATION, flags, 1, b),
        ]
    };
    let padded = [&[2][..], &whole, &[0, 0]].concat();
    let prioritized = [&[0, 0, 0, 3, 9][..], &whole].concat();
    let own_parent = [&[0, 0, 0, 1, 9][..], &whole].concat();
    let mut flood = vec![frame(kind::HEADERS, 1, 1, a)];
    flood.extend((0..100).map(|_| frame(kind::CONTINUATION, 0, 1, b"\x82")));
    check(
        &H2Settings::default(),
        vec![
            ("continued", cut(4, true), ENDED, ""),
            (
                "another frame between",
                vec![cut(4, true).remove(0), frame(kind::PING, 0, 0, &[0; 8])],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "another stream between",
                vec![cut(4, true).remove(0), headers(3, true, &GET)],
                "error 1 ",
                "GOAWAY 0 1",
            ),
            (
                "without end",
                flood,
                "error 11 http2.header_list_size_too_large",
                "GOAWAY 0 11",
            ),
            (
                "padded",
                vec![frame(kind::HEADERS, 13, 1, &padded)],
                ENDED,
                "",
            ),
            (
                "prioritized",
                vec![frame(kind::HEADERS, 37, 1, &prioritized)],
                ENDED,
                "",
            ),
            (
                "its own parent",
                vec![frame(kind::HEADERS, 37, 1, &own_parent)],
                "error -1 http2.violation.of.messaging.rule",
                "",
            ),
            (
                "no header block",
                vec![frame(kind::HEADERS, 5, 1, b"\x80")],
                "error 9 codec_error:The_user_callback_function_failed",
                "GOAWAY 1 9",
            ),
        ],
    );
}

#[test]
fn floods_end_the_connection() {
    let post = headers(1, false, &POST);
    let many = |count: usize, frame: Vec<u8>| frame.repeat(count);
    let empty = frame(kind::DATA, 0, 1, b"");
    let priority = frame(kind::PRIORITY, 0, 3, &[0; 5]);
    let window = frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    check(
        &H2Settings::default(),
        vec![
            (
                "empty data",
                vec![post.clone(), many(2, empty)],
                &format!(
                    "{HEAD}\nerror -1 codec_error:Too_many_consecutive_frames_with_an_empty_payloadhttp2.inbound_empty_frames_flood"
                ),
                "",
            ),
            (
                "priorities",
                vec![many(101, priority)],
                "error -1 codec_error:Too_many_PRIORITY_frames",
                "",
            ),
            (
                "windows",
                vec![post, many(8, window)],
                &format!("{HEAD}\nerror -1 codec_error:Too_many_WINDOW_UPDATE_frames"),
                "",
            ),
        ],
    );
    // Answers that nobody reads.
    let mut server = Server::ready(H2Settings::default(), &[]);
    assert_eq!(server.codec.note_unwritten(0), Ok(()));
    server.receive(&many(1000, frame(kind::PING, 0, 0, &[0; 8])));
    assert_eq!(server.codec.note_unwritten(0), Ok(()));
    server.receive(&frame(kind::PING, 0, 0, &[0; 8]));
    let error = server.codec.note_unwritten(0).unwrap_err();
    assert_eq!(error.details, "http2.outbound_frames_flood");
    server.sent();
    assert_eq!(server.codec.note_unwritten(0), Ok(()));
}

#[test]
fn streams_beyond_the_limit_are_refused() {
    let settings = H2Settings {
        max_concurrent_streams: 1,
        ..H2Settings::default()
    };
    let data = frame(kind::DATA, 1, 3, b"late");
    check(
        &settings,
        vec![(
            "two",
            vec![headers(1, false, &POST), headers(3, false, &POST), data],
            HEAD,
            "3 RST 7",
        )],
    );
    let mut server = Server::ready(H2Settings::default(), &[]);
    server.receive(&headers(1, false, &POST));
    server.codec.goaway();
    assert_eq!(server.receive(&headers(3, true, &GET)), "");
    assert_eq!(
        server.receive(&frame(kind::DATA, 1, 1, b"x")),
        "1 data x end"
    );
    assert_eq!(server.sent(), "GOAWAY 1 0");
}
