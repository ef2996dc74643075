//! Trees of routes as YAML: what is refused.

use crate::route::route_table;
use crate::testing::convert;

const INPUT: &str = "{name: i, typed_config: {'@type': \
     type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: h}}";
const ACTION: &str = "action: {name: a, typed_config: {'@type': \
     type.googleapis.com/envoy.config.route.v3.Route, match: {prefix: /}, \
     direct_response: {status: 200}}}";

fn table(matcher: &str, more: &str) -> Result<(), String> {
    let host = format!("{{name: v, domains: ['*'], matcher: {matcher}{more}}}");
    convert(
        &format!("{{name: rc, virtual_hosts: [{host}]}}"),
        route_table,
    )
    .map(drop)
}

// Envoy 1.40.0 refuses each of these in these words.
#[test]
fn refused_trees() {
    let map = |input: &str, then: &str| {
        let map = format!("exact_match_map: {{map: {{a: {{{then}}}}}}}");
        table(&format!("{{matcher_tree: {{input: {input}, {map}}}}}"), "")
    };
    assert_eq!(map(INPUT, ACTION), Ok(()));
    assert_eq!(table("{}", ""), Ok(()));
    let response = INPUT.replace("Request", "Response");
    let string = "action: {name: a, typed_config: {'@type': \
                  type.googleapis.com/google.protobuf.StringValue, value: s}}";
    let cases = [
        (
            map(INPUT, &format!("keep_matching: true, {ACTION}")),
            "keep_matching is not supported in this context",
        ),
        (
            map(&response, ACTION),
            "Route table can only match on request headers, saw \
             type.googleapis.com/envoy.type.matcher.v3.HttpResponseHeaderMatchInput",
        ),
        (
            map(INPUT, string),
            "Didn't find a registered implementation for 'a' with type URL: \
             'google.protobuf.StringValue'",
        ),
        (
            table(
                "{}",
                ", routes: [{match: {prefix: /}, direct_response: {status: 200}}]",
            ),
            "cannot set both matcher and routes on virtual host",
        ),
    ];
    for (result, error) in cases {
        let got = result.expect_err(error);
        assert!(got.contains(error), "{got}, not {error}");
    }
}
