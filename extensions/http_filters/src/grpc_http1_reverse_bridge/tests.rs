//! Calls through a chain to an upstream that knows nothing of gRPC.

use super::GrpcHttp1ReverseBridge;
use crate::testing::Script;

const PLAIN: &str = "{content_type: application/x-protobuf}";
const BARE: &str = "{content_type: application/x-protobuf, withhold_grpc_frames: true}";
const SIZED: &str = "{content_type: application/x-protobuf, withhold_grpc_frames: true, \
                      response_size_header: x-size}";

fn script(config: &str) -> Script {
    Script::new()
        .filter(&GrpcHttp1ReverseBridge, config)
        .cluster("c", 1)
        .request(&[
            ("content-type", "application/grpc+proto"),
            ("content-length", "8"),
        ])
        .body(&["\0\0\0\0\x03abc"])
}

#[test]
fn upstreams_are_sent_plain_posts() {
    let answer = [
        (":status", "200"),
        ("content-type", "application/x-protobuf"),
    ];
    for (config, sent, got) in [
        (PLAIN, "content-length=8", "[x] [yz] grpc-status=0"),
        (BARE, "content-length=3", "[\0\0\0\0\x03xyz] grpc-status=0"),
    ] {
        let outcome = script(config).answer(&answer, &["x", "yz"]).run();
        let asked = &outcome.upstream;
        assert!(
            asked.contains("content-type=application/x-protobuf"),
            "{asked}"
        );
        assert!(asked.contains("accept=application/x-protobuf"), "{asked}");
        assert!(asked.contains(sent), "{asked}");
        let answered = &outcome.downstream;
        assert!(
            answered.contains("content-type=application/grpc+proto"),
            "{answered}"
        );
        assert!(answered.ends_with(got), "{answered:?}");
    }
}

#[test]
fn what_upstreams_answer_is_checked() {
    let plain = ("content-type", "application/x-protobuf");
    for (config, answer, expected) in [
        (
            BARE,
            &[(":status", "200"), ("content-type", "text/plain")][..],
            "grpc-message=envoy reverse bridge: upstream responded with unsupported content-type \
             text/plain, status code 200",
        ),
        (
            BARE,
            &[(":status", "404")],
            "upstream responded with no content-type header, status code 404",
        ),
        (SIZED, &[(":status", "200"), plain], "grpc-status=13"),
        (
            SIZED,
            &[(":status", "200"), plain, ("x-size", "3")],
            "content-length=8 [\0\0\0\0\x03xyz] grpc-status=0",
        ),
        (
            BARE,
            &[(":status", "503"), plain],
            "[\0\0\0\0\x03xyz] grpc-status=14",
        ),
    ] {
        let outcome = script(config).answer(answer, &["xyz"]).run();
        let got = &outcome.downstream;
        assert!(
            got.starts_with(":status=200") && got.contains(expected),
            "{got:?}"
        );
    }
}

#[test]
fn a_call_without_a_whole_prefix_is_refused() {
    let outcome = script(BARE).body(&["\0\0"]).run();
    let got = &outcome.downstream;
    assert!(got.contains("grpc-status=2"), "{got}");
}
