//! CDS: clusters that come, change and go.

use super::{node, path_source, response};
use crate::harness::{Config, Upstream, route, wait_for};
use serde_json::{Value, json};
use std::net::SocketAddr;

const TYPE: &str = "config.cluster.v3.Cluster";

fn cluster(name: &str, host: SocketAddr) -> Value {
    let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
    json!({"name": name, "load_assignment": {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [endpoint]}],
    }})
}

#[test]
fn clusters_come_change_and_go() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let (at_one, at_two) = (one.address(), two.address());
    let config = Config::http(&[route("/a", "a"), route("/b", "b"), route("/fixed", "fixed")])
        .manager(json!({"route_config": {"validate_clusters": false}}))
        .cluster("fixed", &[at_one])
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"cds_config": path_source("cds.json")}}))
        .file("cds.json", response("1", TYPE, &[cluster("a", at_one)]));
    let proxy = config.start();
    let get = |path: &str| proxy.get(path).brief();
    let ok = |body: &str| (200, body.to_owned());
    assert_eq!(get("/a"), ok("one"));
    assert_eq!(get("/b").0, 503);
    // A change, an addition, and a static cluster that stays as it is.
    let second = [
        cluster("a", at_two),
        cluster("b", at_one),
        cluster("fixed", at_two),
    ];
    proxy.replace("cds.json", response("2", TYPE, &second));
    proxy.wait_stat("cluster_manager.cds.update_success", 2);
    wait_for("the new clusters", || {
        let all = (get("/a"), get("/b"), get("/fixed"));
        (all == (ok("two"), ok("one"), ok("one"))).then_some(())
    });
    // What is good of an update is taken over though another part is refused.
    let mut bad = cluster("bad", at_one);
    bad["type"] = "EDS".into();
    let twice = cluster("b", at_two);
    let third = [twice.clone(), bad, twice];
    proxy.replace("cds.json", response("3", TYPE, &third));
    proxy.wait_stat("cluster_manager.cds.update_rejected", 1);
    assert_eq!((get("/a").0, get("/b")), (503, ok("two")));
    let log = proxy.log();
    for reason in [
        "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config",
        "b: duplicate cluster b found",
    ] {
        assert!(log.contains(reason), "{reason}\n{log}");
    }
    let dump = proxy.admin_json("/config_dump?resource=dynamic_active_clusters");
    assert_eq!(dump["configs"].as_array().unwrap().len(), 1);
    assert_eq!(dump["configs"][0]["version_info"], "3");
    for (name, value) in [("added", 4), ("modified", 2), ("removed", 1)] {
        assert_eq!(
            proxy.stat(&format!("cluster_manager.cluster_{name}")),
            value,
            "{name}"
        );
    }
}
