//! Configuration that changes while the proxy serves.

mod aggregated;
mod clusters;
mod endpoints;
mod filters;
mod google_grpc;
mod listeners;
mod rest;
mod routes;
mod runtime;
mod scopes;
mod sovereign;
mod states;
mod streams;
mod virtual_hosts;

use serde_json::{Value, json};

/// A response for a file: resources of one type, by the last parts of its name.
pub fn response(version: &str, kind: &str, resources: &[Value]) -> Value {
    let resources = resources.iter().map(|resource| {
        let mut resource = resource.clone();
        resource["@type"] = format!("type.googleapis.com/envoy.{kind}").into();
        resource
    });
    json!({"version_info": version, "resources": resources.collect::<Vec<_>>()})
}

/// Where resources come from: a file in the proxy's folder.
pub fn path_source(name: &str) -> Value {
    json!({"path_config_source": {"path": format!("${{folder}}/{name}")}})
}

/// A bootstrap's part that every dynamic one has.
pub fn node() -> Value {
    json!({"node": {"id": "node1", "cluster": "cluster1"}})
}
