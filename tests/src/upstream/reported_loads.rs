//! Hosts that say with their responses how much they can take.

use crate::harness::{Config, Proxy, Reply, Upstream, route};
use serde_json::{Value, json};
use std::time::Duration;

const TYPES: &str = "type.googleapis.com/envoy.extensions.load_balancing_policies";

/// A host that reports as many requests a second as this, at full use of its CPU.
fn reports(requests: u32) -> Upstream {
    let text = format!("TEXT cpu_utilization=1,rps_fractional={requests}");
    let header = format!("endpoint-load-metrics: {text}\r\n");
    Upstream::http(move |_| Reply::new(200, &header, ""))
}

fn policy(name: &str, message: &str, fields: Value) -> Value {
    let mut config = fields;
    config["@type"] = format!("{TYPES}.{name}.v3.{message}").into();
    json!({"policies": [{"typed_extension_config": {
        "name": format!("envoy.load_balancing_policies.{name}"),
        "typed_config": config,
    }}]})
}

/// Round robin by reports that count at once.
fn by_reports() -> Value {
    let fields = json!({"blackout_period": "0s", "weight_update_period": "0.1s"});
    policy(
        "client_side_weighted_round_robin",
        "ClientSideWeightedRoundRobin",
        fields,
    )
}

/// How many of 100 requests each host gets once all have reported.
fn shares(proxy: &Proxy, hosts: &[Upstream]) -> Vec<usize> {
    let mut connection = proxy.connect();
    let mut ask = |times| {
        for _ in 0..times {
            assert_eq!(connection.get("/").status, 200);
        }
    };
    ask(20);
    std::thread::sleep(Duration::from_millis(250));
    // The first request after the pause may be what has weights change.
    ask(1);
    std::thread::sleep(Duration::from_millis(50));
    let count = |host: &Upstream| host.requests().len();
    let before: Vec<_> = hosts.iter().map(count).collect();
    ask(100);
    let after = hosts.iter().map(count);
    after
        .zip(before)
        .map(|(after, before)| after - before)
        .collect()
}

#[track_caller]
fn check(shares: &[usize], expected: &[usize]) {
    let near = shares.iter().zip(expected);
    let near = near.map(|(share, expected)| share.abs_diff(*expected));
    assert!(near.max() <= Some(2), "{shares:?}, not {expected:?}");
}

#[test]
fn hosts_get_what_they_can_take() {
    // The last says nothing, and counts as the median of the others.
    let hosts = [reports(100), reports(300), reports(500), Upstream::ok("")];
    let addresses = hosts.each_ref().map(Upstream::address);
    let fields = json!({"load_balancing_policy": by_reports()});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &addresses, fields)
        .start();
    check(&shares(&proxy, &hosts), &[8, 25, 42, 25]);
}

#[test]
fn localities_get_what_they_are_configured_to() {
    let hosts = [reports(100), reports(300), reports(900)];
    let endpoint = |host: &Upstream| {
        let address = json!({"address": "127.0.0.1", "port_value": host.address().port()});
        json!({"endpoint": {"address": {"socket_address": address}}})
    };
    let locality = |zone: &str, weight: u32, hosts: &[Upstream]| {
        let endpoints: Vec<_> = hosts.iter().map(endpoint).collect();
        json!({
            "locality": {"zone": zone},
            "load_balancing_weight": weight,
            "lb_endpoints": endpoints,
        })
    };
    let assignment = json!({"cluster_name": "up", "endpoints": [
        locality("a", 4, &hosts[..2]),
        locality("b", 1, &hosts[2..]),
    ]});
    let lb = json!({"endpoint_picking_policy": by_reports()});
    let fields = json!({
        "load_balancing_policy": policy("wrr_locality", "WrrLocality", lb),
        "load_assignment": assignment,
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[], fields)
        .start();
    check(&shares(&proxy, &hosts), &[20, 60, 20]);
}
