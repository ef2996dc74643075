//! Calls by HTTP/1 through a chain.

use super::GrpcHttp1Bridge;
use crate::testing::Script;

const ANSWER: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

fn script(config: &str) -> Script {
    Script::new()
        .filter(&GrpcHttp1Bridge, config)
        .cluster("c", 1)
}

#[test]
fn the_status_becomes_headers() {
    for (trailers, head) in [
        (
            &[("grpc-status", "0")][..],
            ":status=200 content-type=application/grpc grpc-status=0 content-length=2 [ab]",
        ),
        (
            &[("grpc-status", "7"), ("grpc-message", "no")],
            ":status=503 content-type=application/grpc grpc-status=7 grpc-message=no \
             content-length=2 [ab]",
        ),
    ] {
        let outcome = script("{}")
            .request(&[("content-type", "application/grpc")])
            .answer(&ANSWER, &["a", "b"])
            .answer_trailers(trailers)
            .run();
        let got = &outcome.downstream;
        assert!(got.starts_with(head), "{got}, not {head}");
    }
    // Alone it stays as it is.
    let outcome = script("{}")
        .request(&[("content-type", "application/grpc")])
        .answer(&[(":status", "200"), ("grpc-status", "5")], &[])
        .run();
    let got = &outcome.downstream;
    assert!(got.starts_with(":status=200 grpc-status=5"), "{got}");
    let outcome = script("{}")
        .request(&[("content-type", "application/json")])
        .answer(&[(":status", "200")], &["a"])
        .run();
    assert_eq!(outcome.downstream, ":status=200 [a]");
}

#[test]
fn a_bare_message_becomes_a_call() {
    let outcome = script("{upgrade_protobuf_to_grpc: true, ignore_query_parameters: true}")
        .request(&[
            (":path", "/s/m?q=1"),
            ("content-type", "application/x-protobuf"),
            ("content-length", "2"),
        ])
        .body(&["h", "i"])
        .answer(&ANSWER, &["\0\0\0", "\0\x03abc"])
        .answer_trailers(&[("grpc-status", "0")])
        .run();
    let asked = &outcome.upstream;
    assert!(
        asked.contains(":path=/s/m content-type=application/grpc"),
        "{asked}"
    );
    assert!(asked.contains("[\0\0\0\0\x02hi]"), "{asked:?}");
    let got = &outcome.downstream;
    assert!(
        got.contains("content-length=3") && got.contains("[abc]"),
        "{got:?}"
    );
}
