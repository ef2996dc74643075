//! EDS: hosts of a cluster that come from files.

use super::{node, path_source, response};
use crate::harness::{Config, Proxy, Upstream, route};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;

const TYPE: &str = "config.endpoint.v3.ClusterLoadAssignment";

fn assignment(hosts: &[SocketAddr]) -> Value {
    let endpoint = |host: &SocketAddr| {
        let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
        json!({"endpoint": {"address": {"socket_address": address}}})
    };
    let endpoints: Vec<_> = hosts.iter().map(endpoint).collect();
    json!({"cluster_name": "service", "endpoints": [{"lb_endpoints": endpoints}]})
}

fn hosts(version: &str, hosts: &[SocketAddr]) -> Value {
    response(version, TYPE, &[assignment(hosts)])
}

fn config(source: Value) -> Config {
    let eds = json!({"type": "EDS", "load_assignment": null, "eds_cluster_config": {
        "service_name": "service",
        "eds_config": source,
    }});
    Config::http(&[route("/", "c")])
        .cluster_with("c", &[], eds)
        .bootstrap(node())
}

fn updates(proxy: &Proxy) -> [u64; 4] {
    ["attempt", "success", "rejected", "failure"]
        .map(|name| proxy.stat(&format!("cluster.c.update_{name}")))
}

#[test]
fn hosts_come_from_a_file() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let config = config(path_source("eds.json"));
    let proxy = config
        .file("eds.json", hosts("1", &[one.address()]))
        .start();
    let mut kept = proxy.connect();
    assert_eq!(kept.get("/").text(), "one");
    // The connection to a host that stays goes on.
    proxy.replace("eds.json", hosts("2", &[one.address(), two.address()]));
    proxy.wait_stat("cluster.c.update_success", 2);
    assert_eq!(proxy.stat("cluster.c.membership_total"), 2);
    assert_eq!(proxy.stat("cluster.c.upstream_cx_destroy"), 0);
    // What stands there twice is one host.
    let twice = [two.address(), two.address()];
    proxy.replace("eds.json", hosts("3", &twice));
    proxy.wait_stat("cluster.c.update_success", 3);
    assert_eq!(proxy.stat("cluster.c.membership_total"), 1);
    assert_eq!(proxy.stat("server.dynamic_unknown_fields"), 0);
    let mut unknown = hosts("4", &[two.address()]);
    unknown["resources"][0]["bogus"] = json!(1);
    proxy.replace("eds.json", unknown);
    proxy.wait_stat("cluster.c.update_success", 4);
    assert_eq!(proxy.stat("server.dynamic_unknown_fields"), 1);
    // Main counts before the workers have heard of it.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(kept.get("/").text(), "two");
    assert_eq!(updates(&proxy), [4, 4, 0, 0]);
}

#[test]
fn a_bad_file_changes_nothing() {
    let one = Upstream::ok("one");
    let config = config(path_source("eds.json"));
    let proxy = config
        .file("eds.json", hosts("1", &[one.address()]))
        .start();
    let mut other = assignment(&[one.address()]);
    other["cluster_name"] = "other".into();
    let mut named = assignment(&[one.address()]);
    let address = "/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address";
    *named.pointer_mut(address).unwrap() = "name.test".into();
    let good = assignment(&[]);
    let cases = [
        (
            response("2", TYPE, &[other]).to_string(),
            "update rejected: Unexpected EDS cluster (expecting service): other",
        ),
        (
            response("3", TYPE, &[good.clone(), good]).to_string(),
            "update rejected: Unexpected EDS resource length: 2",
        ),
        (
            response("4", TYPE, &[named]).to_string(),
            "update rejected: malformed IP address: name.test. Consider",
        ),
        (
            response("5", "config.cluster.v3.Cluster", &[json!({"name": "x"})]).to_string(),
            "update rejected: Unable to unpack as envoy.config.endpoint.v3.ClusterLoadAssignment",
        ),
        (
            response("6", TYPE, &[json!({"endpoints": []})]).to_string(),
            "Proto constraint validation failed (ClusterLoadAssignmentValidationError.ClusterName: value",
        ),
    ];
    for (number, (text, reason)) in cases.iter().enumerate() {
        proxy.replace("eds.json", text);
        proxy.wait_stat("cluster.c.update_rejected", number as u64 + 1);
        assert!(proxy.log().contains(reason), "{reason}\n{}", proxy.log());
        assert_eq!(proxy.get("/").text(), "one");
    }
    for (number, text) in ["{", "[]", ""].into_iter().enumerate() {
        proxy.replace("eds.json", text);
        proxy.wait_stat("cluster.c.update_failure", number as u64 + 1);
        assert_eq!(proxy.get("/").text(), "one");
    }
    proxy.replace("eds.json", response("9", TYPE, &[]));
    proxy.wait_stat("cluster.c.update_success", 2);
    assert_eq!(proxy.stat("cluster.c.update_empty"), 1);
    assert_eq!(proxy.get("/").text(), "one");
}

/// As Kubernetes mounts a ConfigMap: the file is a link into a directory that another link leads
/// to, which is what is renamed.
#[test]
fn a_watched_directory_sees_links_swapped() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let mut source = path_source("mount/eds.json");
    source["path_config_source"]["watched_directory"] = json!({"path": "${folder}/mount"});
    let config = config(source)
        .file("data1/eds.json", hosts("1", &[one.address()]))
        .file("data2/eds.json", hosts("2", &[two.address()]))
        .file("mount/eds.json", hosts("0", &[]));
    let proxy = config.start();
    let mount = |name: &str| proxy.path("mount").join(name);
    std::fs::remove_file(mount("eds.json")).unwrap();
    symlink("..data/eds.json", mount("eds.json")).unwrap();
    for (number, target, body) in [(2, "../data1", "one"), (3, "../data2", "two")] {
        symlink(target, mount("..data_tmp")).unwrap();
        std::fs::rename(mount("..data_tmp"), mount("..data")).unwrap();
        proxy.wait_stat("cluster.c.update_success", number);
        proxy.wait_text("/", body);
    }
}

#[test]
fn the_dump_shows_hosts_as_they_are() {
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let mut assigned = assignment(&[address(1), address(2)]);
    let locality = &mut assigned["endpoints"][0];
    locality["locality"] = json!({"region": "r", "zone": "z"});
    locality["load_balancing_weight"] = 3.into();
    locality["priority"] = 0.into();
    locality["lb_endpoints"][1]["health_status"] = "DEGRADED".into();
    locality["lb_endpoints"][1]["load_balancing_weight"] = 7.into();
    let metadata = json!({"filter_metadata": {"envoy.lb": {"a": "b"}}});
    locality["lb_endpoints"][1]["metadata"] = metadata.clone();
    assigned["policy"] = json!({"overprovisioning_factor": 150});
    let proxy = config(path_source("eds.json"))
        .file("eds.json", response("1", TYPE, &[assigned]))
        .start();
    let dump = proxy.admin_json("/config_dump?include_eds&name_regex=service");
    let sections = dump["configs"].as_array().unwrap().iter();
    let is_wanted = |section: &&Value| section["static_endpoint_configs"].is_array();
    let section = sections.clone().find(is_wanted).unwrap();
    let shown = &section["static_endpoint_configs"][0]["endpoint_config"];
    assert_eq!(shown["cluster_name"], "service");
    assert_eq!(shown["policy"], json!({"overprovisioning_factor": 150}));
    let locality = &shown["endpoints"][0];
    assert_eq!(locality["locality"], json!({"region": "r", "zone": "z"}));
    assert_eq!(locality["load_balancing_weight"], 3);
    let second = &locality["lb_endpoints"][1];
    assert_eq!(second["health_status"], "DEGRADED");
    assert_eq!(second["load_balancing_weight"], 7);
    assert_eq!(second["metadata"], metadata);
    assert_eq!(second["endpoint"]["health_check_config"], json!({}));
    let port = &second["endpoint"]["address"]["socket_address"]["port_value"];
    assert_eq!(*port, 2);
    let others = proxy
        .admin("/config_dump?include_eds&name_regex=nothing")
        .text();
    assert!(!others.contains("endpoint_config\""), "{others}");
}
