//! What routes see behind the filter.

use super::SetFilterState;
use crate::testing::{Script, errors};

fn object(key: &str, text: &str, more: &str) -> String {
    format!(
        "{{object_key: {key}, factory_key: envoy.string{more}, format_string: \
         {{omit_empty_values: true, text_format_source: {{inline_string: '{text}'}}}}}}"
    )
}

#[test]
fn text_is_left_for_others() {
    let config = format!(
        "{{clear_route_cache: true, on_request_headers: [{}, {}]}}",
        object("a", "%REQ(x-who)%/%REQ(:method)%", ""),
        object("b", "%REQ(x-none)%", ", skip_if_empty: true"),
    );
    let routes = "
      routes: [
        {match: {prefix: /, filter_state: [{key: a, string_match: {exact: ann/GET}}]}, name: left,
         route: {cluster: c}},
        {match: {prefix: /}, route: {cluster: c}}]";
    let script = Script::new()
        .filter(&SetFilterState, &config)
        .routes(routes);
    assert_eq!(script.request(&[("x-who", "ann")]).run().route, "left");
    let script = Script::new()
        .filter(&SetFilterState, &config)
        .routes(routes);
    assert_eq!(script.request(&[("x-who", "bob")]).run().route, "");
}

#[test]
fn what_is_not_built_is_refused() {
    let with = |fields: &str| {
        let format = "format_string: {text_format_source: {inline_string: x}}";
        format!("{{on_request_headers: [{{object_key: k, {fields}{format}}}]}}")
    };
    for (fields, expected) in [
        ("", "'k' does not have an object factory"),
        (
            "factory_key: envoy.network.application_protocols, ",
            "factory_key is not supported by this build",
        ),
    ] {
        let errors = errors(&SetFilterState, &with(fields));
        assert!(errors.contains(expected), "{fields}: {errors}");
    }
}
