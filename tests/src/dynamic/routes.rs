//! RDS: route tables that change on open connections.

use super::{node, path_source, response};
use crate::harness::{Config, Proxy, direct, wait_for};
use serde_json::{Value, json};

const TYPE: &str = "config.route.v3.RouteConfiguration";

fn table(name: &str, body: &str) -> Value {
    let virtual_host = json!({"name": "v", "domains": ["*"], "routes": [direct("/", 200, body)]});
    json!({"name": name, "virtual_hosts": [virtual_host]})
}

fn start(first: &str) -> Proxy {
    let rds = json!({"route_config_name": "table", "config_source": path_source("rds.json")});
    Config::http(&[])
        .manager(json!({"route_config": null, "rds": rds}))
        .bootstrap(node())
        .file("rds.json", first)
        .start_with(&["--concurrency", "2"])
}

#[test]
fn routes_change_on_open_connections() {
    let first = response("1", TYPE, &[table("table", "one")]).to_string();
    let proxy = start(&first);
    let mut connections: Vec<_> = (0..8).map(|_| proxy.connect()).collect();
    for connection in &mut connections {
        assert_eq!(connection.get("/").text(), "one");
    }
    proxy.replace("rds.json", response("2", TYPE, &[table("table", "two")]));
    proxy.wait_stat("http.http.rds.table.update_success", 2);
    for connection in &mut connections {
        wait_for("the new routes", || {
            (connection.get("/").text() == "two").then_some(())
        });
    }
    let dump = proxy.admin_json("/config_dump?resource=dynamic_route_configs");
    assert_eq!(dump["configs"][0]["version_info"], "2");
    assert_eq!(dump["configs"][0]["route_config"]["name"], "table");
    // The same again is no new configuration.
    proxy.replace("rds.json", response("3", TYPE, &[table("table", "two")]));
    proxy.wait_stat("http.http.rds.table.update_success", 3);
    assert_eq!(proxy.stat("http.http.rds.table.config_reload"), 2);
}

#[test]
fn what_is_refused_changes_nothing() {
    let first = response("1", TYPE, &[table("table", "one")]).to_string();
    let proxy = start(&first);
    let mut invalid = table("table", "two");
    let host = invalid["virtual_hosts"][0].clone();
    invalid["virtual_hosts"].as_array_mut().unwrap().push(host);
    let mut unknown = table("table", "two");
    unknown["validate_clusters"] = true.into();
    unknown["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "nowhere"}}]);
    let cases = [
        (
            table("other", "two"),
            "Unexpected RDS configuration (expecting table): other",
        ),
        (
            invalid,
            "Only a single wildcard domain is permitted in route",
        ),
        (unknown, "route: unknown cluster 'nowhere'"),
    ];
    for (number, (table, reason)) in cases.into_iter().enumerate() {
        proxy.replace("rds.json", response("2", TYPE, &[table]));
        proxy.wait_stat("http.http.rds.table.update_rejected", number as u64 + 1);
        assert!(proxy.log().contains(reason), "{reason}\n{}", proxy.log());
        assert_eq!(proxy.get("/").text(), "one");
    }
}

#[test]
fn without_routes_nothing_is_found_until_they_come() {
    let proxy = start("not a response");
    assert_eq!(proxy.get("/").status, 404);
    proxy.replace("rds.json", response("2", TYPE, &[table("table", "two")]));
    proxy.wait_stat("http.http.rds.table.update_success", 1);
    proxy.wait_text("/", "two");
}
