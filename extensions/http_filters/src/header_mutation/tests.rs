//! Changes of the filter and of the route's levels, through a chain.

use super::HeaderMutation;
use crate::testing::{Script, errors, route_errors};

const TYPE: &str = "'@type': \
    type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute";

fn query(mutations: &str, path: &str) -> String {
    let config = format!("mutations: {{query_parameter_mutations: [{mutations}]}}");
    let outcome = Script::new()
        .filter(&HeaderMutation, &config)
        .request(&[(":path", path), ("x-v", "a b&c")])
        .run();
    let at = outcome.upstream.find(":path=").unwrap();
    outcome.upstream[at + 6..]
        .split(" x-v")
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn query_parameters() {
    let add = "{append: {record: {key: a, value: '%REQ(x-v)%'}}}";
    let set = "{append: {record: {key: a, value: v}, action: OVERWRITE_IF_EXISTS_OR_ADD}}";
    let replace = "{append: {record: {key: a, value: v}, action: OVERWRITE_IF_EXISTS}}";
    let default = "{append: {record: {key: a, value: v}, action: ADD_IF_ABSENT}}";
    for (mutation, path, expected) in [
        (add, "/x", "/x?a=a%20b%26c"),
        (add, "/x?b=1&a=0", "/x?a=0&a=a%20b%26c&b=1"),
        (set, "/x?a=1&a=2", "/x?a=v"),
        (set, "/x?", "/x?a=v"),
        (replace, "/x?b=2&%61=1", "/x?a=v&b=2"),
        (replace, "/x?b", "/x?b="),
        (default, "/x?a=1", "/x?a=1"),
        (default, "/x", "/x?a=v"),
        ("{remove: a}", "/x?a=1&b=2&a=3", "/x?b=2"),
        ("{remove: a}", "/x?a=1", "/x"),
        ("{remove: a}", "/x?=x&&n&k=v=w&", "/x?=x&=&k=v=w&n="),
        // What is decoded stays one parameter, and one line.
        (
            "{remove: a}",
            "/x?b=%20%26%0d%0a%2541&c=%7Eb%C3%A9%zz",
            "/x?b=%20%26%0d%0a%2541&c=~bé%zz",
        ),
    ] {
        assert_eq!(query(mutation, path), expected, "{mutation} {path}");
    }
}

#[test]
fn levels_come_in_order() {
    let add = |who: &str| {
        format!(
            "mutations: {{request_mutations: [{{append: {{header: {{key: x-who, value: {who}}}, \
             append_action: OVERWRITE_IF_EXISTS_OR_ADD}}}}, {{append: {{header: {{key: x-all, \
             value: {who}}}}}}}]}}"
        )
    };
    let per_level = |who| {
        format!(
            "typed_per_filter_config: {{envoy.filters.http.header_mutation: {{{TYPE}, {}}}}}",
            add(who)
        )
    };
    let routes = format!(
        "{}, routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, {}}}]",
        per_level("vhost"),
        per_level("route")
    );
    for (wins, expected) in [
        (false, "x-all=filter x-all=route x-all=vhost x-who=vhost"),
        (true, "x-all=filter x-all=vhost x-all=route x-who=route"),
    ] {
        let config = format!(
            "{{{}, most_specific_header_mutations_wins: {wins}}}",
            add("filter")
        );
        let script = Script::new()
            .filter(&HeaderMutation, &config)
            .routes(&routes);
        let outcome = script.run();
        let mut fields: Vec<_> = outcome.upstream.split(' ').collect();
        fields.retain(|field| field.starts_with("x-"));
        fields.sort_by_key(|field| field.starts_with("x-who"));
        assert_eq!(fields.join(" "), expected);
    }
}

#[test]
fn responses_and_trailers() {
    let config = "mutations: {
        response_mutations: [{append: {header: {key: x-code, value: '%RESPONSE_CODE% %RESP(a)%'}}},
          {remove: a}],
        request_trailers_mutations: [{append: {header: {key: x-t, value: '%REQ(:path)%'}}}],
        response_trailers_mutations: [{append: {header: {key: x-t, value: '%RESP(x-code)%'}}},
          {remove_on_match: {key_matcher: {prefix: tmp}}}]}";
    let script = || {
        Script::new()
            .filter(&HeaderMutation, config)
            .answer(&[(":status", "201"), ("a", "1")], &["x"])
    };
    let outcome = script()
        .body(&["b"])
        .trailers(&[("t", "1")])
        .answer_trailers(&[("tmp-1", "1"), ("keep", "1")])
        .run();
    assert!(
        outcome.upstream.ends_with("[b] t=1 x-t=/"),
        "{}",
        outcome.upstream
    );
    assert_eq!(
        outcome.downstream,
        ":status=201 x-code=201 1 [x] keep=1 x-t=201 1"
    );
    assert_eq!(script().run().downstream, ":status=201 x-code=201 1 [x]");
}

#[test]
fn bad_configs() {
    let query = |mutation: &str| {
        errors(
            &HeaderMutation,
            &format!("mutations: {{query_parameter_mutations: [{mutation}]}}"),
        )
    };
    for (mutation, expected) in [
        (
            "{append: {record: {key: a, value: 5}}}",
            "Only string value is allowed for record value.",
        ),
        (
            "{append: {record: {key: a}}}",
            "Only string value is allowed for record value.",
        ),
        ("{append: {}}", "No record specified for append mutation."),
        ("{}", "One of 'append'/'remove' must be specified."),
        (
            "{append: {record: {key: a, value: b}}, remove: c}",
            "Only one of 'append'/'remove can be specified.",
        ),
        (
            "{append: {record: {key: a, value: '%NO_SUCH%'}}}",
            "NO_SUCH",
        ),
    ] {
        let found = query(mutation);
        assert!(found.contains(expected), "{mutation}: {found}");
        assert!(found.contains("query_parameter_mutations[0]"), "{found}");
    }
    let bad = "mutations: {request_mutations: [{append: {header: {key: a, value: '%X'}}}]}";
    assert!(!route_errors(&HeaderMutation, bad).is_empty());
}
