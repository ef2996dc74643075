//! Filter chains chosen by the unified matcher.

use crate::harness::{Config, Connection, Proxy, is_envoy, network_filter, validate};
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

#[test]
fn chains_are_chosen_by_network_namespace_and_ranges_of_addresses() {
    // Entering a namespace takes CAP_SYS_ADMIN, even the process's own.
    let namespace = "/proc/self/ns/net";
    let entered = std::process::Command::new("nsenter")
        .args([&format!("--net={namespace}"), "true"])
        .status();
    // Envoy forgets the namespace where the system chooses the port.
    if is_envoy() || !entered.is_ok_and(|status| status.success()) {
        return;
    }
    let action = |name: &str| {
        let typed =
            json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": name});
        json!({"action": {"name": name, "typed_config": typed}})
    };
    let input =
        |name: &str| json!({"name": name, "typed_config": {"@type": format!("{INPUTS}.{name}")}});
    let range = |address: &str, length: u32, name: &str| {
        let range = json!({"address_prefix": address, "prefix_len": length});
        json!({"ranges": [range], "on_match": action(name)})
    };
    let by_range = json!({"matcher": {"matcher_tree": {
        "input": input("DestinationIPInput"),
        "custom_match": {
            "name": "ip",
            "typed_config": {
                "@type": "type.googleapis.com/xds.type.matcher.v3.IPMatcher",
                "range_matchers": [
                    range("0.0.0.0", 0, "any"),
                    range("127.0.0.0", 8, "local"),
                    range("127.0.0.2", 32, "second"),
                ],
            },
        },
    }}});
    let mut by_namespace = json!({"matcher_tree": {
        "input": input("NetworkNamespaceInput"),
        "exact_match_map": {"map": {}},
    }, "on_no_match": by_range});
    by_namespace["matcher_tree"]["exact_match_map"]["map"][namespace] = action("named");
    let address = |ip: &str, namespace: &str| {
        json!({"address": {"socket_address": {
            "address": ip,
            "port_value": 0,
            "network_namespace_filepath": namespace,
        }}})
    };
    let mut config = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .main_listener(address("127.0.0.1", namespace))
        .main_listener(json!({
            "additional_addresses": [address("127.0.0.1", ""), address("127.0.0.2", "")],
            "filter_chain_matcher": by_namespace,
        }));
    let chains = ["named", "local", "second", "any"].map(chain);
    config = config.main_listener(json!({"filter_chains": chains}));
    let proxy = config.start();
    let shown = proxy.admin("/listeners").text();
    let found = shown.lines().filter_map(|line| line.strip_prefix("main::"));
    for (address, expected) in found.zip(["named", "local", "second"]) {
        let mut connection = Connection::open(address.parse().unwrap());
        assert_eq!(connection.read_to_end(), expected.as_bytes());
    }
}
