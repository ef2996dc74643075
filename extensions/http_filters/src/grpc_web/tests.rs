//! Calls from browsers through a chain.

use super::GrpcWeb;
use super::base64::{Decoder, FrameEncoder};
use crate::testing::Script;
use nuncio_base::Buffer;

fn script(content_type: &str) -> Script {
    Script::new()
        .filter(&GrpcWeb, "{}")
        .cluster("c", 1)
        .request(&[(":path", "/s/m"), ("content-type", content_type)])
}

const ANSWER: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

#[test]
fn texts_in_pieces() {
    let body = b"\0\0\0\0\x03abc\x80\0\0\0\x04a:b\n";
    let text = b"AAAAAANhYmM=gAAAAARhOmIK";
    for step in 1..text.len() {
        let mut decoder = Decoder::default();
        let pieces = text.chunks(step);
        let decoded: Vec<u8> = pieces
            .flat_map(|piece| decoder.decode(&Buffer::from(piece.to_vec())).unwrap())
            .collect();
        assert_eq!(decoded, body);
        assert!(decoder.is_whole());
        let (mut encoder, mut encoded) = (FrameEncoder::default(), Vec::new());
        for piece in body.chunks(step) {
            encoder.encode(piece, &mut encoded);
        }
        assert_eq!(encoded, text);
    }
    for bad in ["!AAA", "A===", "AB=C", "AA-A", "AB=="] {
        let decoded = Decoder::default().decode(&Buffer::from(bad.as_bytes().to_vec()));
        assert_eq!(decoded, None, "{bad}");
    }
}

#[test]
fn binary_and_text() {
    let outcome = script("application/grpc-web")
        .body(&["\0\0\0\0\x02hi"])
        .answer(&ANSWER, &["\0\0\0\0\x03abc"])
        .answer_trailers(&[("grpc-status", "0")])
        .run();
    let asked = &outcome.upstream;
    assert!(
        asked.contains("content-type=application/grpc te=trailers"),
        "{asked}"
    );
    let got = &outcome.downstream;
    assert!(
        got.contains("content-type=application/grpc-web+proto"),
        "{got}"
    );
    assert!(!got.contains("grpc-status=0"), "{got}");
    let pieces = outcome.pieces.iter().sum::<usize>();
    assert_eq!(pieces, 8 + 5 + "grpc-status:0\r\n".len());
    assert_eq!(outcome.stat("cluster.c.grpc-web.s.m.success"), 1);

    let outcome = Script::new()
        .filter(&GrpcWeb, "{}")
        .cluster("c", 1)
        .request(&[
            (":path", "/s/m"),
            ("content-type", "application/grpc-web-text"),
            ("accept", "application/grpc-web-text"),
        ])
        .body(&["AAAAAA", "JoaQ=="])
        .answer(&ANSWER, &["\0\0\0\0\x03abc"])
        .answer_trailers(&[("grpc-status", "3")])
        .run();
    assert!(
        outcome.upstream.contains("[\0\0\0] [\0\x02hi]"),
        "{:?}",
        outcome.upstream
    );
    let got = &outcome.downstream;
    assert!(
        got.contains("content-type=application/grpc-web-text+proto"),
        "{got}"
    );
    let text = "AAAAAANhYmM=gAAAAA9ncnBjLXN0YXR1czozDQo=";
    assert_eq!(outcome.pieces.iter().sum::<usize>(), text.len(), "{got}");
}

#[test]
fn what_is_no_grpc() {
    let outcome = script("application/grpc-web-text")
        .body(&["no base64!"])
        .run();
    let got = &outcome.downstream;
    assert!(
        got.contains(":status=400") && got.contains("grpc-status=13"),
        "{got}"
    );
    assert!(!outcome.upstream.contains('['), "{}", outcome.upstream);
    assert_eq!(outcome.details, "grpc_base_64_decode_failed");

    let outcome = script("application/grpc-web")
        .answer(
            &[(":status", "503"), ("content-type", "text/plain")],
            &["so", "rry"],
        )
        .answer_trailers(&[("x", "y")])
        .run();
    assert_eq!(
        outcome.downstream.trim_end(),
        ":status=503 content-type=application/grpc-web+proto grpc-status=14 grpc-message=sorry \
         content-length=0"
    );
    let outcome = script("application/json")
        .answer(&[(":status", "200")], &["{}"])
        .run();
    assert_eq!(outcome.downstream, ":status=200 [{}]");
}

/// As in Envoy only four texts are gRPC-Web's, what has no body needs no explanation, and an
/// answer's length is the body's no longer.
#[test]
fn as_envoy_tells_them_apart() {
    for (content_type, is_web) in [
        ("application/grpc-web", true),
        ("application/grpc-web+proto", true),
        ("application/grpc-web+json", false),
        ("application/grpc-web; charset=utf-8", false),
        ("application/grpc-web-text+proto", true),
        ("application/grpc-web-textual", false),
    ] {
        let asked = script(content_type).run().upstream;
        let became = asked.contains("content-type=application/grpc te=trailers");
        assert_eq!(became, is_web, "{asked}");
    }
    let outcome = script("application/grpc-web")
        .answer(&[(":status", "503"), ("content-length", "0")], &[])
        .run();
    assert_eq!(
        outcome.downstream.trim_end(),
        ":status=503 content-type=application/grpc-web+proto"
    );
    let mut headers = ANSWER.to_vec();
    headers.push(("content-length", "5"));
    let outcome = script("application/grpc-web")
        .answer(&headers, &["\0\0\0\0\0"])
        .answer_trailers(&[("grpc-status", "0")])
        .run();
    assert!(!outcome.downstream.contains("content-length"));
}
