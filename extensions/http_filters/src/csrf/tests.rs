//! Whole requests through a chain with the filter.

use super::Csrf;
use crate::testing::{Script, errors};

const CONFIG: &str = "{filter_enabled: {default_value: {numerator: 100}}, \
                       additional_origins: [{suffix: friend.test}]}";

#[test]
fn origins() {
    for (method, name, value, stat) in [
        ("GET", "origin", "http://evil.test", None),
        ("POST", "x", "", Some("missing_source_origin")),
        ("POST", "origin", "null", Some("missing_source_origin")),
        ("POST", "origin", "https://host.test", Some("request_valid")),
        ("PUT", "origin", "host.test", Some("request_valid")),
        (
            "DELETE",
            "referer",
            "http://host.test/x",
            Some("request_valid"),
        ),
        (
            "PATCH",
            "origin",
            "http://my.friend.test",
            Some("request_valid"),
        ),
        (
            "POST",
            "origin",
            "http://evil.test",
            Some("request_invalid"),
        ),
        (
            "POST",
            "origin",
            "http://host.test:81",
            Some("request_invalid"),
        ),
        (
            "POST",
            "referer",
            "http://evil.test/host.test",
            Some("request_invalid"),
        ),
    ] {
        let script = Script::new().filter(&Csrf, CONFIG);
        let outcome = script.request(&[(":method", method), (name, value)]).run();
        let passes = matches!(stat, None | Some("request_valid"));
        assert_eq!(
            !outcome.upstream.is_empty(),
            passes,
            "{method} {name} {value}"
        );
        if let Some(stat) = stat {
            assert_eq!(
                outcome.stat(&format!("http.test.csrf.{stat}")),
                1,
                "{value}"
            );
        }
        if !passes {
            assert_eq!(outcome.details, "csrf_origin_mismatch");
        }
    }
}

#[test]
fn a_route_may_only_count() {
    let routes = "
      routes: [{match: {prefix: /}, route: {cluster: c}, typed_per_filter_config: {
        envoy.filters.http.csrf: {
          '@type': type.googleapis.com/envoy.extensions.filters.http.csrf.v3.CsrfPolicy,
          filter_enabled: {default_value: {numerator: 0}},
          shadow_enabled: {default_value: {numerator: 100}}}}}]";
    let script = Script::new().filter(&Csrf, CONFIG).routes(routes);
    let outcome = script
        .request(&[(":method", "POST"), ("origin", "http://evil")])
        .run();
    assert!(!outcome.upstream.is_empty());
    assert_eq!(outcome.stat("http.test.csrf.request_invalid"), 1);
}

#[test]
fn the_share_is_required() {
    assert!(errors(&Csrf, "{}").contains("filter_enabled"));
}
