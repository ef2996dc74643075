//! Connections go to hosts by their metadata, and by what they are hashed by.

use crate::harness::{Config, Upstream, network_filter};
use serde_json::{Value, json};
use std::io::Write;

fn metadata(version: &str) -> Value {
    json!({"filter_metadata": {"envoy.lb": {"version": version}}})
}

fn says(text: &'static str) -> Upstream {
    Upstream::tcp(move |mut stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

fn endpoint(host: &Upstream, version: &str) -> Value {
    let address = json!({"address": "127.0.0.1", "port_value": host.address().port()});
    json!({
        "endpoint": {"address": {"socket_address": address}},
        "metadata": metadata(version),
    })
}

#[test]
fn by_metadata() {
    let (one, two) = (says("one"), says("two"));
    let assignment = json!({
        "cluster_name": "hosts",
        "endpoints": [{"lb_endpoints": [endpoint(&one, "1"), endpoint(&two, "2")]}],
    });
    let subsets = json!({
        "fallback_policy": "NO_FALLBACK",
        "subset_selectors": [{"keys": ["version"]}],
    });
    let weighted = json!({"clusters": [
        {"name": "hosts", "weight": 1, "metadata_match": metadata("2")},
    ]});
    for (fields, expected) in [
        (
            json!({"cluster": "hosts", "metadata_match": metadata("1")}),
            "one",
        ),
        (
            json!({"cluster": "hosts", "metadata_match": metadata("2")}),
            "two",
        ),
        (
            json!({"cluster": "hosts", "metadata_match": metadata("3")}),
            "",
        ),
        (
            json!({"weighted_clusters": weighted, "metadata_match": metadata("1")}),
            "two",
        ),
    ] {
        let mut all = fields.clone();
        all["stat_prefix"] = "tcp".into();
        let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", all))
            .cluster_with(
                "hosts",
                &[],
                json!({"lb_subset_config": subsets, "load_assignment": assignment}),
            )
            .start();
        for _ in 0..2 {
            let got = proxy.connect().read_to_end();
            assert_eq!(String::from_utf8_lossy(&got), expected, "{fields}");
        }
    }
}

#[test]
fn by_hash() {
    let hosts = [says("one"), says("two"), says("three")];
    let addresses = hosts.each_ref().map(|host| host.address());
    let leave = |key: &str| {
        let value = json!({
            "object_key": "key",
            "factory_key": "envoy.hashable_string",
            "format_string": {"text_format_source": {"inline_string": key}},
        });
        network_filter(
            "set_filter_state",
            "set_filter_state.v3.Config",
            json!({"on_new_connection": [value]}),
        )
    };
    let policies = [
        json!({"source_ip": {}}),
        json!({"filter_state": {"key": "key"}}),
    ];
    for policy in policies {
        let fields = json!({"stat_prefix": "t", "cluster": "hosts", "hash_policy": [policy]});
        let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
            .filters_before("main", &[leave("a key")])
            .cluster_with("hosts", &addresses, json!({"lb_policy": "RING_HASH"}))
            .start();
        let first = proxy.connect().read_to_end();
        assert!(!first.is_empty());
        for _ in 0..5 {
            assert_eq!(proxy.connect().read_to_end(), first, "{policy}");
        }
    }
}
