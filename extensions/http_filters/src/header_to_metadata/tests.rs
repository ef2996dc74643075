//! What rules make of headers; whole requests; what is refused.

use super::HeaderToMetadata;
use super::rule::{KeyValue, Made, ValueType};
use crate::testing::{Script, errors, route_errors};
use nuncio_base::metadata::Value;

fn text(value: &str) -> Made {
    Made::Value(Value::Text(value.into()))
}

#[test]
fn values() {
    let plain = |kind, base64| KeyValue {
        namespace: "n".to_owned(),
        key: "k".to_owned(),
        value: String::new(),
        rewrite: None,
        kind,
        base64,
    };
    use ValueType::{Encoded, Number, Text};
    for (kind, base64, found, expected) in [
        (Text, false, "a", text("a")),
        (Text, false, "", Made::Empty),
        (Text, true, "aGVsbG8=", text("hello")),
        (Text, true, "!", Made::NoBase64),
        (Number, false, "1.5", Made::Value(Value::Number(1.5))),
        (Number, false, "x", Made::NoValue),
        (
            Encoded,
            true,
            "EQAAAAAAAChA",
            Made::Value(Value::Number(12.0)),
        ),
        (Encoded, false, "\u{1}", Made::NoValue),
    ] {
        let made = plain(kind, base64).make(found.as_bytes().to_vec());
        assert_eq!(made, expected, "{kind:?} {found}");
    }
    let long = plain(Text, false).make(vec![b'a'; 8 * 1024]);
    assert_eq!(long, Made::TooLong);
}

#[test]
fn rules_are_counted() {
    let rules = "{stat_prefix: s, request_rules: [\
                 {header: x-a, on_header_present: {key: a}, remove: true}, \
                 {cookie: c, on_header_present: {key: c}, on_header_missing: {key: c, value: v}}, \
                 {header: x-b, on_header_present: {key: b, encode: BASE64}}], \
                 response_rules: [{header: x-c, on_header_present: {key: d}}]}";
    let outcome = Script::new()
        .filter(&HeaderToMetadata, rules)
        .request(&[("x-a", "1"), ("x-b", "!!")])
        .run();
    assert!(!outcome.upstream.contains("x-a"), "{}", outcome.upstream);
    for (stat, expected) in [
        ("request_rules_processed", 3),
        ("request_metadata_added", 2),
        ("request_header_not_found", 1),
        ("base64_decode_failed", 1),
        ("response_rules_processed", 1),
        ("response_metadata_added", 0),
    ] {
        let counted = outcome.stat(&format!("http_filter_name.s.{stat}"));
        assert_eq!(counted, expected, "{stat}");
    }
}

#[test]
fn what_is_refused() {
    for (rule, expected) in [
        (
            "{header: x}",
            "has neither `on_header_present` nor `on_header_missing` set",
        ),
        (
            "{on_header_present: {key: a}}",
            "One of Cookie or Header option",
        ),
        (
            "{header: x, cookie: z, on_header_present: {key: a}}",
            "Cannot specify both header and cookie in the same rule",
        ),
        (
            "{header: x, on_header_missing: {key: a}}",
            "with an empty value",
        ),
        (
            "{cookie: x, on_header_present: {key: a}, remove: true}",
            "Cannot specify remove for cookie",
        ),
        (
            "{header: x, on_header_present: {key: a, value: v, regex_value_rewrite: \
             {pattern: {regex: a}, substitution: b}}}",
            "Cannot specify both value and regex_value_rewrite",
        ),
    ] {
        let errors = errors(&HeaderToMetadata, &format!("{{request_rules: [{rule}]}}"));
        assert!(errors.contains(expected), "{rule}: {errors}");
    }
    let error = route_errors(&HeaderToMetadata, "{}");
    assert!(
        error.contains("must at least specify either request or response"),
        "{error}"
    );
}
