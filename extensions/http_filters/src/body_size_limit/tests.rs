//! Whole requests through a chain with the filter.

use super::BodySizeLimit;
use crate::testing::Script;

#[test]
fn bodies_up_to_the_limit() {
    for (fields, body, expected) in [
        (&[("content-length", "6")][..], &["abc", "def"][..], None),
        (
            &[("content-length", "7")],
            &[],
            Some("content length too large"),
        ),
        (&[], &["abc", "def"], None),
        (&[], &["abc", "defg"], Some("request too long")),
        (&[], &[], None),
    ] {
        let script = Script::new().filter(&BodySizeLimit, "{max_request_bytes: 6}");
        let outcome = script.request(fields).body(body).run();
        match expected {
            None => assert!(outcome.downstream.contains(":status=200"), "{body:?}"),
            Some(text) => {
                assert!(outcome.downstream.contains(":status=413"), "{body:?}");
                assert!(outcome.downstream.contains(text), "{}", outcome.downstream);
                assert_eq!(outcome.details, "request_payload_too_large");
            }
        }
    }
}
