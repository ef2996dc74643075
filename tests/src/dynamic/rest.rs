//! Control planes that are asked over HTTP.

use super::{node, response};
use crate::harness::{Config, Proxy, Reply, Request, Upstream};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const CLUSTER: &str = "config.cluster.v3.Cluster";

type Next = Arc<Mutex<Reply>>;

fn start() -> (Upstream, Next, Proxy) {
    let next: Next = Arc::new(Mutex::new(clusters("1", "first")));
    let shown = Arc::clone(&next);
    let plane = Upstream::http(move |_| shown.lock().unwrap().clone());
    let source = json!({"api_config_source": {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": ["plane"],
        "refresh_delay": "0.02s",
    }});
    let proxy = Config::new()
        .cluster("plane", &[plane.address()])
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"cds_config": source}}))
        .start();
    (plane, next, proxy)
}

fn clusters(version: &str, name: &str) -> Reply {
    let cluster = json!({"name": name, "connect_timeout": "1s"});
    Reply::ok(&response(version, CLUSTER, &[cluster]).to_string())
}

fn asked(request: &Request) -> Value {
    assert_eq!(
        (&*request.method, &*request.path),
        ("POST", "/v3/discovery:clusters")
    );
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn what_is_asked_for_again_and_again_may_change_or_stay() {
    let (plane, next, proxy) = start();
    proxy.wait_stat_above("cluster_manager.cds.update_success", 2);
    let set = |reply: Reply| *next.lock().unwrap() = reply;
    let first = asked(&plane.requests()[0]);
    assert_eq!(first["node"]["id"], "node1");
    assert_eq!(
        first["type_url"],
        "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    );
    assert_eq!(first["version_info"], Value::Null);
    assert_eq!(asked(plane.requests().last().unwrap())["version_info"], "1");
    // Not changed, not there, nonsense: what was there stays.
    set(Reply::raw("HTTP/1.1 304 Not Modified\r\n\r\n"));
    let attempts = proxy.stat("cluster_manager.cds.update_attempt");
    proxy.wait_stat_above("cluster_manager.cds.update_attempt", attempts + 2);
    assert_eq!(proxy.stat("cluster_manager.cds.update_failure"), 0);
    set(Reply::new(500, "", ""));
    proxy.wait_stat_above("cluster_manager.cds.update_failure", 1);
    set(Reply::ok("nonsense"));
    proxy.wait_stat_above("cluster_manager.cds.update_rejected", 0);
    set(clusters("2", ""));
    let reason = "ClusterValidationError.Name: value length must be at least 1 characters";
    crate::harness::wait_for(reason, || proxy.log().contains(reason).then_some(()));
    proxy.wait_stat("cluster_manager.active_clusters", 2);
    set(clusters("3", "second"));
    proxy.wait_stat("cluster_manager.cluster_added", 3);
    proxy.wait_stat("cluster_manager.active_clusters", 2);
}
