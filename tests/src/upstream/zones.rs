//! Requests stay in the zone where this proxy is, as far as the hosts there can carry them.

use crate::harness::{Config, Upstream, route, validate};
use serde_json::{Value, json};
use std::net::SocketAddr;

fn zones(name: &str, zones: &[(&str, &[SocketAddr])]) -> Value {
    let endpoint = |host: &SocketAddr| {
        let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
        json!({"endpoint": {"address": {"socket_address": address}}})
    };
    let locality = |(zone, hosts): &(&str, &[SocketAddr])| {
        let endpoints: Vec<Value> = hosts.iter().map(endpoint).collect();
        json!({"locality": {"zone": zone}, "lb_endpoints": endpoints})
    };
    let endpoints: Vec<Value> = zones.iter().map(locality).collect();
    json!({"load_assignment": {"cluster_name": name, "endpoints": endpoints}})
}

#[test]
fn requests_stay_as_far_as_the_own_zone_carries_them() {
    let (near, far) = (Upstream::ok("near"), Upstream::ok("far"));
    let (near_hosts, far_hosts) = ([near.address()], [far.address()]);
    let dead = Upstream::dead();
    let with = |mut fields: Value, zone_aware: Value| {
        fields["common_lb_config"] = json!({"zone_aware_lb_config": zone_aware});
        fields
    };
    let both = [("a", &far_hosts[..]), ("b", &near_hosts[..])];
    let proxy = Config::http(&[route("/small", "small"), route("/", "all")])
        .cluster_with(
            "local",
            &[],
            zones("local", &[("a", &[dead]), ("b", &[dead])]),
        )
        .cluster_with(
            "all",
            &[],
            with(zones("all", &both), json!({"min_cluster_size": 2})),
        )
        .cluster_with("small", &[], zones("small", &both))
        .bootstrap(json!({
            "node": {"id": "node", "cluster": "local", "locality": {"zone": "b"}},
            "cluster_manager": {"local_cluster_name": "local"},
        }))
        .start();
    for _ in 0..6 {
        assert_eq!(proxy.get("/").brief(), (200, "near".to_owned()));
    }
    // Too few hosts for zones to count: all take turns.
    let bodies: Vec<_> = (0..12).map(|_| proxy.get("/small").brief().1).collect();
    assert!(bodies.iter().any(|body| body == "far"), "{bodies:?}");
    assert_eq!(proxy.stat("cluster.all.lb_zone_routing_all_directly"), 6);
    assert!(proxy.stat("cluster.small.lb_zone_cluster_too_small") > 0);
    // Both zones are known: responses are counted by them.
    assert_eq!(proxy.stat("cluster.all.zone.b.b.upstream_rq_200"), 6);
    let far = bodies.iter().filter(|body| *body == "far").count();
    let counted = proxy.stat("cluster.small.zone.b.a.upstream_rq_completed");
    assert_eq!(counted, far as u64);
    assert_eq!(
        proxy.stat("cluster.local.lb_recalculate_zone_structures"),
        0
    );
}

#[test]
fn the_local_cluster_has_one_priority_and_stands_in_the_file() {
    for (name, priority, message) in [
        ("local", 0, None),
        ("other", 0, Some("local cluster 'other' must be defined")),
        (
            "local",
            1,
            Some("Unexpected non-zero priority for local cluster 'local'."),
        ),
    ] {
        let host = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut file = Config::new().cluster("local", &[host]).json();
        file["cluster_manager"] = json!({"local_cluster_name": name});
        let cluster = &mut file["static_resources"]["clusters"][0];
        cluster["load_assignment"]["endpoints"][0]["priority"] = json!(priority);
        let answer = validate("local.json", &file.to_string());
        match message {
            None => assert_eq!(answer.code, Some(0), "{}", answer.text),
            Some(message) => assert!(answer.text.contains(message), "{}", answer.text),
        }
    }
}
