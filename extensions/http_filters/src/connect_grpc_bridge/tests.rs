//! Calls of Connect, and what services make of them.

use super::ConnectGrpcBridge;
use crate::testing::{Outcome, Script};

const OK: &[(&str, &str)] = &[
    (":status", "200"),
    ("content-type", "application/grpc+proto"),
];
const MESSAGE: &str = "\0\0\0\0\u{3}one";
const V1: (&str, &str) = ("connect-protocol-version", "1");
const PROTO: (&str, &str) = ("content-type", "application/proto");
const STREAM: (&str, &str) = ("content-type", "application/connect+proto");

fn script(request: &[(&str, &str)]) -> Script {
    Script::new()
        .filter(&ConnectGrpcBridge, "{}")
        .request(request)
}

fn post(more: &[(&str, &str)]) -> Script {
    script(&[(":method", "POST"), (":path", "/s.S/M")]).request(more)
}

/// What the peer got, without what it always gets.
fn upstream(outcome: &Outcome) -> String {
    let head = ":method=POST :scheme=http :authority=host.test :path=/s.S/M ";
    let rest = outcome.upstream.strip_prefix(head);
    rest.unwrap_or_else(|| panic!("{}", outcome.upstream))
        .to_owned()
}

#[test]
fn what_services_are_asked() {
    for (headers, body, expected) in [
        (
            &[PROTO, V1][..],
            &["M", "SG"][..],
            "content-type=application/grpc+proto te=trailers [\0\0\0\0\u{3}MSG]",
        ),
        (
            &[("content-type", "application/json; charset=utf-8"), V1],
            &[],
            "content-type=application/grpc+json; charset=utf-8 te=trailers [\0\0\0\0\0]",
        ),
        (
            &[
                PROTO,
                V1,
                ("content-encoding", "gzip"),
                ("accept-encoding", "gzip,br"),
            ],
            &["z"],
            "content-type=application/grpc+proto te=trailers grpc-encoding=gzip \
             grpc-accept-encoding=gzip,br [\u{1}\0\0\0\u{1}z]",
        ),
        (
            &[
                PROTO,
                V1,
                ("content-encoding", "identity"),
                ("content-length", "1"),
            ],
            &["z"],
            "content-type=application/grpc+proto te=trailers grpc-encoding=identity \
             [\0\0\0\0\u{1}z]",
        ),
        (
            &[PROTO, V1, ("connect-timeout-ms", "1500")],
            &["z"],
            "content-type=application/grpc+proto grpc-timeout=1500m te=trailers \
             [\0\0\0\0\u{1}z]",
        ),
        (
            &[PROTO, V1, ("connect-timeout-ms", "x")],
            &["z"],
            "content-type=application/grpc+proto connect-timeout-ms=x te=trailers \
             [\0\0\0\0\u{1}z]",
        ),
        // Without a version it is none.
        (&[PROTO], &["z"], "content-type=application/proto [z]"),
        (
            &[("content-type", "text/plain"), V1],
            &["z"],
            "content-type=text/plain connect-protocol-version=1 [z]",
        ),
        // A stream needs none, and is framed already.
        (
            &[
                STREAM,
                V1,
                ("connect-content-encoding", "gzip"),
                ("content-encoding", "x"),
            ],
            &["a", "b"],
            "content-type=application/grpc+proto content-encoding=x te=trailers \
             grpc-encoding=gzip [a] [b]",
        ),
        (
            &[
                ("content-type", "application/connect+json"),
                ("connect-accept-encoding", "br"),
            ],
            &["a"],
            "content-type=application/grpc+json te=trailers grpc-accept-encoding=br [a]",
        ),
    ] {
        let outcome = post(headers).body(body).answer(OK, &[]).run();
        assert_eq!(upstream(&outcome), expected, "{headers:?}");
    }
}

#[test]
fn calls_by_their_query() {
    for (query, expected) in [
        (
            "connect=v1&encoding=proto&message=a%00+b",
            "content-type=application/grpc+proto te=trailers grpc-encoding=identity \
             [\0\0\0\0\u{4}a\0+b]",
        ),
        (
            "message=TVNH&base64=1&c%6fnnect=v1&encoding=json&compression=gzip&x=y",
            "content-type=application/grpc+json te=trailers grpc-encoding=gzip \
             [\u{1}\0\0\0\u{3}MSG]",
        ),
        (
            "connect=v1&encoding=proto&base64=1&message=Pj4_",
            "content-type=application/grpc+proto te=trailers grpc-encoding=identity \
             [\0\0\0\0\u{3}>>?]",
        ),
        (
            "connect=v1&encoding=proto&base64=1&message=!",
            "content-type=application/grpc+proto te=trailers grpc-encoding=identity \
             [\0\0\0\0\0]",
        ),
        (
            "connect=v1",
            "content-type=application/grpc+ te=trailers grpc-encoding=identity [\0\0\0\0\0]",
        ),
    ] {
        let outcome = script(&[(":path", &format!("/s.S/M?{query}"))])
            .answer(OK, &[])
            .run();
        assert_eq!(upstream(&outcome), expected, "{query}");
    }
    for (method, query) in [("GET", "connect=v2"), ("GET", ""), ("HEAD", "connect=v1")] {
        let path = format!("/s.S/M?{query}");
        let outcome = script(&[(":path", &path), (":method", method)]).run();
        let path = format!(":method={method} :scheme=http :authority=host.test :path={path}");
        assert_eq!(outcome.upstream, path);
    }
    for query in ["encoding=a%0d%0ab", "encoding=proto&compression=%00"] {
        let outcome = script(&[(":path", &format!("/s.S/M?connect=v1&{query}"))]).run();
        assert_eq!(outcome.upstream, "");
        assert!(
            outcome.details.contains("invalid_header_value_for"),
            "{query}"
        );
    }
}

#[test]
fn answers_to_one_message() {
    let status = ("grpc-status", "0");
    for (head, body, trailers, expected) in [
        (
            OK,
            &["\0\0\0", "\0\u{3}on", "e"][..],
            &[status, ("grpc-message", "m"), ("x-t", "a"), ("x-t", "b")][..],
            ":status=200 content-type=application/proto trailer-x-t=a trailer-x-t=b [one]",
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-encoding", "gzip"),
                ("content-length", "8"),
            ],
            &[MESSAGE],
            &[status],
            ":status=200 content-type=application/proto content-encoding=gzip [one]",
        ),
        // An error has the place of what came before it.
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc+json"),
                ("grpc-encoding", "gzip"),
                ("grpc-accept-encoding", "gzip"),
            ],
            &[MESSAGE],
            &[
                ("grpc-status", "5"),
                ("grpc-message", "no%20\"t"),
                ("x-t", "a"),
            ],
            ":status=404 content-type=application/json trailer-x-t=a \
             [{\"code\":\"not_found\",\"message\":\"no%20\\\"t\"}]",
        ),
        (
            OK,
            &[],
            &[
                ("grpc-status", "3"),
                ("grpc-status-details-bin", "CAMaDQoGeC9hLkJjEgMBAgM"),
            ],
            ":status=400 content-type=application/json \
             [{\"code\":\"invalid_argument\",\"details\":[{\"type\":\"x/a.Bc\",\"value\":\"AQID\"}]}]",
        ),
        (
            OK,
            &[],
            &[("grpc-status", "zz"), ("grpc-status-details-bin", "!")],
            ":status=500 content-type=application/json [{\"code\":\"code_-1\"}]",
        ),
        // What is no answer of gRPC stays as it is.
        (
            &[(":status", "503"), ("content-type", "application/grpc")],
            &["x"],
            &[("grpc-status", "2")],
            ":status=503 content-type=application/grpc [x] grpc-status=2",
        ),
    ] {
        let outcome = post(&[PROTO, V1]).body(&["x"]);
        let outcome = outcome.answer(head, body).answer_trailers(trailers).run();
        assert_eq!(outcome.downstream, expected, "{head:?} {trailers:?}");
    }
}

#[test]
fn answers_that_are_headers_alone() {
    for (kind, status, expected) in [
        (PROTO, "0", ":status=200 content-type=application/proto"),
        (
            PROTO,
            "14",
            ":status=503 content-type=application/json [{\"code\":\"unavailable\"}]",
        ),
        (
            STREAM,
            "0",
            ":status=200 content-type=application/connect+proto [\u{2}\0\0\0\u{2}{}]",
        ),
        (
            STREAM,
            "17",
            ":status=200 content-type=application/connect+proto \
             [\u{2}\0\0\0\u{1c}{\"error\":{\"code\":\"code_-1\"}}]",
        ),
    ] {
        let head = [OK, &[("grpc-status", status)]].concat();
        let outcome = post(&[kind, V1]).body(&["x"]).answer(&head, &[]).run();
        assert_eq!(outcome.downstream, expected, "{kind:?} {status}");
    }
    let plain = [(":status", "200"), ("content-type", "application/grpc")];
    let outcome = post(&[PROTO, V1]).answer(&plain, &[]).run();
    assert_eq!(
        outcome.downstream,
        ":status=200 content-type=application/grpc"
    );
}

#[test]
fn answers_to_streams() {
    for (trailers, expected) in [
        (&[("grpc-status", "0")][..], "[\u{2}\0\0\0\u{2}{}]"),
        (
            &[("grpc-status", "0"), ("x-t", "a"), ("x-t", "b")],
            "[\u{2}\0\0\0\u{1e}{\"metadata\":{\"x-t\":[\"a\",\"b\"]}}]",
        ),
        (
            &[("grpc-status", "13"), ("grpc-message", "m")],
            "[\u{2}\0\0\0+{\"error\":{\"code\":\"internal\",\"message\":\"m\"}}]",
        ),
    ] {
        let head = [
            OK,
            &[("grpc-encoding", "br"), ("grpc-accept-encoding", "br")],
        ]
        .concat();
        let outcome = post(&[STREAM]).body(&["x"]);
        let outcome = outcome.answer(&head, &[MESSAGE, "rest"]);
        let outcome = outcome.answer_trailers(trailers).run();
        let head = ":status=200 content-type=application/connect+proto \
                    connect-content-encoding=br connect-accept-encoding=br";
        assert_eq!(
            outcome.downstream,
            format!("{head} [{MESSAGE}] [rest] {expected}")
        );
    }
}
