//! Filter chains chosen by the unified matcher.

use crate::harness::{Config, Proxy, network_filter, validate};
use serde_json::{Value, json};

const INPUTS: &str = "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3";

fn chain(name: &str) -> Value {
    let fields = json!({"response": {"inline_string": name}});
    let filter = network_filter("direct_response", "direct_response.v3.Config", fields);
    json!({"name": name, "filters": [filter]})
}

fn leads_to(chain: &str) -> Value {
    let name = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": chain});
    json!({"action": {"name": "chain", "typed_config": name}})
}

/// Local and by the input's value: to a chain.
fn matcher(input: &str, value: &str, to: &str) -> Value {
    let input = json!({"name": "input", "typed_config": {"@type": format!("{INPUTS}.{input}")}});
    json!({"matcher_tree": {"input": input, "exact_match_map": {"map": {value: leads_to(to)}}}})
}

fn config(matcher: &Value, names: &[&str], default: bool) -> Config {
    let chains: Vec<Value> = names.iter().map(|name| chain(name)).collect();
    let mut fields = json!({"filter_chain_matcher": matcher, "filter_chains": chains});
    if default {
        fields["default_filter_chain"] = chain("default");
    }
    Config::tcp(json!({})).main_listener(fields)
}

fn answer(proxy: &Proxy) -> String {
    String::from_utf8(proxy.connect().read_to_end()).unwrap()
}

#[test]
fn the_tree_names_the_chain() {
    for (matcher, default, expected) in [
        (matcher("SourceIPInput", "127.0.0.1", "one"), true, "one"),
        (matcher("SourceIPInput", "127.0.0.1", "two"), true, "two"),
        (
            matcher("SourceIPInput", "127.0.0.2", "two"),
            true,
            "default",
        ),
        (matcher("SourceIPInput", "127.0.0.2", "two"), false, ""),
        (
            matcher("TransportProtocolInput", "raw_buffer", "two"),
            true,
            "two",
        ),
        // A chain that there is not: none, and not the default one.
        (matcher("SourceIPInput", "127.0.0.1", "none"), true, ""),
    ] {
        let proxy = config(&matcher, &["one", "two"], default).start();
        assert_eq!(answer(&proxy), expected, "{matcher}");
    }
}

#[test]
fn chains_that_a_tree_names_have_names_of_their_own() {
    let matcher = matcher("SourceIPInput", "127.0.0.1", "one");
    for (names, expected) in [
        (
            ["one", "one"],
            "\"name\" field is duplicated with value 'one'",
        ),
        (
            ["one", ""],
            "\"name\" field is required when using a listener matcher",
        ),
    ] {
        let validation = validate(
            "chains",
            &config(&matcher, &names, false).json().to_string(),
        );
        assert!(validation.text.contains(expected), "{}", validation.text);
    }
}
