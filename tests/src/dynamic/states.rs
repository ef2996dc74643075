//! What became of resources (`/csds`), whatever brought them.

use super::aggregated::{CLUSTER, ENDPOINT, LISTENER};
use super::{node, path_source, response};
use crate::harness::{Config, ControlPlane, Proxy, Reply, Upstream, is_envoy, wait_for};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The states of all resources: name, version, state, and what was refused with the reason's begin.
fn states(proxy: &Proxy) -> Vec<String> {
    let states = proxy.admin_json("/csds");
    let states = states["generic_xds_configs"].as_array();
    let brief = states.into_iter().flatten().map(|state| {
        let text = |field: &str| state[field].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version_info"));
        let error = &state["error_state"];
        let refused = error["version_info"].as_str().unwrap_or_default();
        let reason: String = error["details"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(20)
            .collect();
        let status = text("client_status");
        format!("{name}|{version}|{status}|{refused}|{reason}")
    });
    brief.collect()
}

fn wait_states(proxy: &Proxy, wanted: &[&str]) {
    let mut last = Vec::new();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for("states", || {
            last = states(proxy);
            (last == wanted).then_some(())
        });
    }));
    assert!(found.is_ok(), "{last:#?} instead of {wanted:#?}");
}

/// A cluster without hosts.
fn cluster(name: &str) -> Value {
    json!({"name": name, "connect_timeout": "1s"})
}

/// One that is refused after it was read.
fn bad(name: &str) -> Value {
    json!({"name": name, "type": "EDS", "connect_timeout": "1s"})
}

/// One that breaks a constraint.
fn invalid(name: &str) -> Value {
    json!({"name": name, "connect_timeout": "0s"})
}

/// The same updates by whatever `set` does.
fn clusters_of(proxy: &Proxy, delta: bool, set: impl Fn(Value)) {
    // The name of one is the end of the other's.
    wait_states(proxy, &["b|1|ACKED||", "web|1|ACKED||"]);
    set(response("2", CLUSTER, &[cluster("b"), bad("web")]));
    let refused = "web|1|NACKED|2|cannot create an EDS";
    wait_states(proxy, &["b|2|ACKED||", refused]);
    set(response("3", CLUSTER, &[cluster("b"), invalid("new")]));
    let invalid = "new||NACKED|3|Proto constraint val";
    wait_states(proxy, &["b|2|ACKED||", invalid, refused]);
    set(response("4", CLUSTER, &[cluster("b")]));
    // One by one, it was taken away with what was refused: it is still there.
    let left = if delta {
        &["b|4|ACKED||", refused][..]
    } else {
        &["b|4|ACKED||"]
    };
    wait_states(proxy, left);
}

fn first() -> Value {
    response("1", CLUSTER, &[cluster("b"), cluster("web")])
}

#[test]
fn of_a_file() {
    if is_envoy() {
        return;
    }
    let proxy = Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"cds_config": path_source("cds.json")}}))
        .file("cds.json", first())
        .start();
    clusters_of(&proxy, false, |next| proxy.replace("cds.json", next));
}

#[test]
fn of_a_control_plane_over_http() {
    if is_envoy() {
        return;
    }
    let next = Arc::new(Mutex::new(first()));
    let shown = Arc::clone(&next);
    let plane = Upstream::http(move |_| Reply::ok(&shown.lock().unwrap().to_string()));
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
    clusters_of(&proxy, false, |value| *next.lock().unwrap() = value);
}

#[test]
fn of_a_stream() {
    if is_envoy() {
        return;
    }
    for api_type in ["GRPC", "DELTA_GRPC"] {
        let plane = ControlPlane::start();
        plane.set(CLUSTER, &first());
        plane.set(LISTENER, &response("1", LISTENER, &[]));
        let proxy = super::aggregated::start(&plane, api_type);
        let delta = api_type == "DELTA_GRPC";
        clusters_of(&proxy, delta, |value| plane.set(CLUSTER, &value));
    }
}

#[test]
fn of_names_that_are_asked_for() {
    if is_envoy() {
        return;
    }
    let hosts = |name: &str| json!({"cluster_name": name});
    let eds = |name: &str| {
        let source = path_source(&format!("{name}.json"));
        json!({"name": name, "type": "EDS", "connect_timeout": "1s",
               "eds_cluster_config": {"eds_config": source}})
    };
    let clusters = |version: &str, names: &[&str]| {
        let all: Vec<_> = names.iter().map(|name| eds(name)).collect();
        response(version, CLUSTER, &all)
    };
    let proxy = Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"cds_config": path_source("cds.json")}}))
        .file("cds.json", clusters("1", &["a", "o", "q"]))
        .file("a.json", response("1", ENDPOINT, &[hosts("a")]))
        .file("q.json", json!("nothing"))
        .file("o.json", response("1", ENDPOINT, &[hosts("other")]))
        .start();
    let of_clusters = ["a|1|ACKED||", "o|1|ACKED||", "q|1|ACKED||"];
    let of_hosts = [
        "a|1|ACKED||",
        "o||NACKED|1|Unexpected EDS clust",
        "q||REQUESTED||",
    ];
    wait_states(&proxy, &[of_clusters, of_hosts].concat());
    proxy.replace("cds.json", clusters("2", &["a"]));
    wait_states(&proxy, &["a|2|ACKED||", "a|1|ACKED||"]);
}
