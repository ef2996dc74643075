//! What is sent, and how windows hold it back.

use super::*;
use crate::End;

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    fields.iter().copied().collect()
}

/// SETTINGS that leave streams a window of 10 bytes.
const SMALL: [u8; 6] = [0, 4, 0, 0, 0, 10];

fn window(stream: u32, by: u8) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &[0, 0, 0, by])
}

#[test]
fn responses() {
    let mut server = Server::ready(H2Settings::default(), &[]);
    server.receive(&headers(1, true, &GET));
    server
        .codec
        .send_head(1, &map(&[(":status", "103"), ("link", "x")]), End::No);
    let head = map(&[
        (":status", "200"),
        ("connection", "close"),
        ("te", "x"),
        ("x-a", "b"),
    ]);
    server.codec.send_head(1, &head, End::No);
    server.codec.send_data(1, "hello".into(), End::No);
    server.codec.send_trailers(1, map(&[("grpc-status", "0")]));
    assert_eq!(
        server.sent(),
        "1 HEADERS :status=103 link=x\n1 HEADERS :status=200 x-a=b\n1 DATA hello\n\
         1 HEADERS grpc-status=0 end"
    );
    assert_eq!(server.codec.open_streams(), 0);
}

#[test]
fn a_large_head_is_continued() {
    let mut server = Server::ready(H2Settings::default(), &[]);
    server.receive(&headers(1, true, &GET));
    let long = "\u{1}".repeat(20_000);
    server
        .codec
        .send_head(1, &map(&[(":status", "200"), ("x", &long)]), End::Stream);
    let mut out = Buffer::new();
    server.codec.take_output(&mut out, usize::MAX);
    let bytes = out.to_bytes();
    let first = FrameHeader::parse(&bytes).unwrap();
    let second = FrameHeader::parse(&bytes[HEADER_LEN + first.len..]).unwrap();
    assert_eq!(
        (first.kind, first.flags, first.len),
        (kind::HEADERS, 1, 16_384)
    );
    assert_eq!((second.kind, second.flags), (kind::CONTINUATION, 4));
}

#[test]
fn windows_hold_data_back() {
    let mut server = Server::ready(H2Settings::default(), &SMALL);
    for id in [1, 3] {
        server.receive(&headers(id, true, &GET));
        server
            .codec
            .send_head(id, &map(&[(":status", "200")]), End::No);
        server
            .codec
            .send_data(id, "0123456789abcdef".into(), End::Stream);
    }
    let head = "HEADERS :status=200";
    assert_eq!(
        server.sent(),
        format!("1 {head}\n3 {head}\n1 DATA 0123456789\n3 DATA 0123456789")
    );
    assert_eq!(server.codec.waiting(1), 6);
    server.receive(&window(3, 4));
    assert_eq!(server.sent(), "3 DATA abcd");
    // A larger initial window widens all that are open.
    server.receive(&frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 12]));
    assert_eq!(server.sent(), "SETTINGS 1 0\n1 DATA ab\n3 DATA ef end");
    server.receive(&window(1, 100));
    assert_eq!(server.sent(), "1 DATA cdef end");
    assert_eq!(server.codec.open_streams(), 0);
}

#[test]
fn a_reset_drops_what_waits() {
    let mut server = Server::ready(H2Settings::default(), &SMALL);
    server.receive(&headers(1, false, &POST));
    server
        .codec
        .send_head(1, &map(&[(":status", "200")]), End::No);
    server
        .codec
        .send_data(1, "0123456789abcdef".into(), End::Stream);
    server.sent();
    server.codec.reset(1, ErrorCode::INTERNAL);
    assert_eq!(server.sent(), "1 RST 2");
    // What was under way meanwhile is no error.
    assert_eq!(server.receive(&frame(kind::DATA, 0, 1, b"late")), "");
    assert_eq!(server.receive(&headers(1, true, &[("x-t", "late")])), "");
    assert_eq!(server.sent(), "");
}

#[test]
fn an_early_answer_resets_once_it_is_sent() {
    let mut server = Server::ready(H2Settings::default(), &SMALL);
    server.receive(&headers(1, false, &POST));
    server
        .codec
        .send_head(1, &map(&[(":status", "200")]), End::No);
    server
        .codec
        .send_data(1, "0123456789ab".into(), End::Stream);
    server.codec.end_early(1);
    assert_eq!(server.sent(), "1 HEADERS :status=200\n1 DATA 0123456789");
    server.receive(&window(1, 9));
    assert_eq!(server.sent(), "1 DATA ab end\n1 RST 0");
}

#[test]
fn what_is_taken_on_is_given_back() {
    let settings = H2Settings {
        initial_stream_window: 100_000,
        initial_connection_window: 100_000,
        ..H2Settings::default()
    };
    let mut server = Server::ready(settings, &[]);
    server.receive(&headers(1, false, &POST));
    let data = frame(kind::DATA, 0, 1, &[b'x'; 16_000]);
    for _ in 0..4 {
        server.receive(&data);
    }
    assert_eq!(server.sent(), "");
    server.codec.release(1);
    assert_eq!(server.sent(), "1 WINDOW 64000\n0 WINDOW 64000");
    // More than the windows let through.
    let told = server.receive(&data.repeat(7));
    assert!(told.ends_with("error 3 "), "{told}");
}

#[test]
fn any_bytes() {
    let mut seed = 7_u64;
    let mut byte = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    };
    let parts = [
        headers(1, false, &POST),
        headers(3, true, &GET),
        frame(kind::DATA, 1, 1, b"abc"),
        frame(kind::DATA, 8, 1, b"\x01abc\0"),
        window(1, 200),
        frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]),
        frame(kind::SETTINGS, 0, 0, &SMALL),
        frame(kind::CONTINUATION, 4, 5, b"\x82"),
    ];
    for _ in 0..60 {
        let mut input = vec![byte(), byte()];
        for _ in 0..byte() % 6 {
            let mut part = parts[usize::from(byte()) % parts.len()].clone();
            if byte() < 60 {
                let at = usize::from(byte()) % part.len();
                part[at] = byte();
            }
            input.extend(part);
        }
        fuzz::check_server(&input);
        fuzz::check_client(&input);
        let mut blocks = vec![byte()];
        blocks.extend((0..byte()).map(|_| byte()));
        fuzz::check_hpack(&blocks);
    }
}
