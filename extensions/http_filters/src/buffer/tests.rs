//! Whole requests through a chain with the filter; what its configuration refuses.

use super::Buffer;
use crate::testing::{Script, errors, route_errors};

const HEAD: &str = ":method=POST :scheme=http :authority=host.test";
const ROUTES: &str = "
  routes: [
    {match: {prefix: /off}, route: {cluster: c}, typed_per_filter_config: {envoy.filters.http.buffer:
      {'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute,
       disabled: true}}},
    {match: {prefix: /big}, route: {cluster: c}, typed_per_filter_config: {envoy.filters.http.buffer:
      {'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute,
       buffer: {max_request_bytes: 9}}}},
    {match: {prefix: /}, route: {cluster: c}}]";

fn script(path: &str, body: &[&'static str]) -> Script {
    Script::new()
        .filter(&Buffer, "max_request_bytes: 4")
        .routes(ROUTES)
        .request(&[(":method", "POST"), (":path", path)])
        .body(body)
}

#[test]
fn requests_are_gathered_within_the_limit() {
    for (path, body, expected) in [
        ("/", &["ab", "cd"][..], ":path=/ content-length=4 [abcd]"),
        ("/", &["abcd"], ":path=/ content-length=4 [abcd]"),
        ("/", &[], ":path=/"),
        ("/off", &["ab", "cdefg"], ":path=/off [ab] [cdefg]"),
        (
            "/big",
            &["abc", "defghi"],
            ":path=/big content-length=9 [abcdefghi]",
        ),
    ] {
        let outcome = script(path, body).run();
        assert_eq!(outcome.upstream, format!("{HEAD} {expected}"));
        assert_eq!(outcome.downstream, ":status=200");
    }
}

#[test]
fn larger_requests_are_refused() {
    for (path, body) in [
        ("/", &["abcde"][..]),
        ("/", &["ab", "cde"]),
        ("/", &["abcde", "f"]),
        ("/big", &["abcde", "fghij"]),
    ] {
        let outcome = script(path, body).run();
        let expected = ":status=413 content-length=17 content-type=text/plain [Payload Too Large]";
        assert_eq!(outcome.downstream, expected);
        assert_eq!(outcome.upstream, "");
        assert_eq!(outcome.details, "request_payload_too_large");
    }
}

#[test]
fn a_length_that_was_given_stays_and_trailers_end_the_body() {
    let outcome = script("/", &["abc"])
        .request(&[("content-length", "3")])
        .run();
    assert_eq!(
        outcome.upstream,
        format!("{HEAD} :path=/ content-length=3 [abc]")
    );
    let outcome = script("/", &["abc"]).trailers(&[("t", "1")]).run();
    assert_eq!(
        outcome.upstream,
        format!("{HEAD} :path=/ content-length=3 [abc] t=1")
    );
}

#[test]
fn bad_configs() {
    assert!(errors(&Buffer, "{}").contains("max_request_bytes"));
    assert!(errors(&Buffer, "max_request_bytes: 0").contains("max_request_bytes"));
    assert!(route_errors(&Buffer, "{}").contains("override"));
    assert!(route_errors(&Buffer, "disabled: false").contains("disabled"));
    assert_eq!(route_errors(&Buffer, "disabled: true"), "");
}
