//! Virtual hosts whose routes are the leaves of a tree (`VirtualHost.matcher`).

use crate::harness::{Config, direct};
use serde_json::{Value, json};

fn input(header: &str) -> Value {
    json!({"name": "input", "typed_config": {
        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        "header_name": header,
    }})
}

fn typed(message: &str, mut fields: Value) -> Value {
    fields["@type"] = format!("type.googleapis.com/envoy.config.route.v3.{message}").into();
    json!({"action": {"name": message, "typed_config": fields}})
}

fn route(prefix: &str, body: &str) -> Value {
    typed("Route", direct(prefix, 200, body))
}

fn is(header: &str, text: &str) -> Value {
    json!({"single_predicate": {"input": input(header), "value_match": {"exact": text}}})
}

fn answers(matcher: Value, cases: &[(&str, &str, u16, &str)]) {
    let host = json!({"name": "tree", "domains": ["*"], "matcher": matcher});
    let manager = json!({"route_config": {"name": "routes", "virtual_hosts": [host]}});
    let proxy = Config::http(&[]).manager(manager).start();
    for (path, headers, status, body) in cases {
        let response = proxy.connect().request("GET", path, headers, "");
        let expected = (*status, (*body).to_owned());
        assert_eq!(response.brief(), expected, "{path} {headers}");
    }
}

#[test]
fn a_map_of_whole_values() {
    let mut first = direct("/", 200, "first");
    first["match"]["headers"] = json!([{"name": "h", "string_match": {"exact": "1"}}]);
    let list = json!({"routes": [first, direct("/", 200, "second")]});
    let map = json!({
        "/a": route("/", "a"),
        "/b": route("/other", "b"),
        "/list": typed("RouteList", list),
    });
    answers(
        json!({
            "matcher_tree": {"input": input(":path"), "exact_match_map": {"map": map}},
            "on_no_match": route("/", "none"),
        }),
        &[
            ("/a", "", 200, "a"),
            // The query is part of the header.
            ("/a?b", "", 200, "none"),
            // What the tree leads to must still match.
            ("/b", "", 404, ""),
            ("/list", "", 200, "second"),
            ("/list", "h: 1\r\n", 200, "first"),
            ("/z", "", 200, "none"),
        ],
    );
}

#[test]
fn a_map_of_prefixes() {
    let below = json!({"matcher": {"matcher_tree": {
        "input": input("h"), "exact_match_map": {"map": {"1,2": route("/", "both")}},
    }}});
    let map = json!({"/a": route("/", "short"), "/ab": below, "/abc": route("/other", "")});
    answers(
        json!({"matcher_tree": {"input": input(":path"), "prefix_match_map": {"map": map}}}),
        &[
            ("/ax", "", 200, "short"),
            ("/abx", "", 200, "short"),
            ("/abx", "h: 1\r\nh: 2\r\n", 200, "both"),
            ("/abc", "", 404, ""),
            ("/", "", 404, ""),
        ],
    );
}

#[test]
fn a_list_of_predicates() {
    let below = json!({"matcher": {"matcher_list": {"matchers": [
        {"predicate": is("k", "1"), "on_match": route("/", "mk")},
    ]}}});
    let list = json!([
        {"predicate": is("h", "1"), "on_match": route("/", "one")},
        {"predicate": {"and_matcher": {"predicate": [is("a", "1"), is("b", "1")]}},
         "on_match": route("/", "and")},
        {"predicate": {"or_matcher": {"predicate": [is("c", "1"), is("d", "1")]}},
         "on_match": route("/", "or")},
        {"predicate": is("m", "1"), "on_match": below},
        {"predicate": is("m", "1"), "on_match": route("/", "m")},
        {"predicate": {"not_matcher": is("q", "1")}, "on_match": route("/", "not")},
    ]);
    answers(
        json!({"matcher_list": {"matchers": list}}),
        &[
            ("/", "h: 1\r\n", 200, "one"),
            ("/", "a: 1\r\n", 200, "not"),
            ("/", "a: 1\r\nb: 1\r\n", 200, "and"),
            ("/", "d: 1\r\n", 200, "or"),
            ("/", "m: 1\r\nk: 1\r\n", 200, "mk"),
            ("/", "m: 1\r\n", 200, "m"),
            ("/", "q: 1\r\n", 404, ""),
        ],
    );
}
