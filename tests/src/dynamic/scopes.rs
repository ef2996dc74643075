//! SRDS: scopes that change, with tables beside them and over RDS.

use super::{node, path_source, response};
use crate::harness::{Config, Proxy, direct, is_envoy, wait_for};
use serde_json::{Value, json};

const SCOPE: &str = "config.route.v3.ScopedRouteConfiguration";
const TABLE: &str = "config.route.v3.RouteConfiguration";

fn scope(name: &str, key: &str, table: Value) -> Value {
    let mut scope = json!({"name": name, "key": {"fragments": [{"string_key": key}]}});
    let table = table.as_object().unwrap().clone();
    scope.as_object_mut().unwrap().extend(table);
    scope
}

fn table(name: &str, body: &str) -> Value {
    let hosts = json!([{"name": "v", "domains": ["*"], "routes": [direct("/", 200, body)]}]);
    json!({"name": name, "virtual_hosts": hosts})
}

fn over_rds(name: &str) -> Value {
    json!({"route_configuration_name": name})
}

fn inline(name: &str) -> Value {
    json!({"route_configuration": table(name, name)})
}

fn start(scopes: &[Value], tables: &[Value]) -> Proxy {
    let extractor = json!({"name": "Host", "index": 0});
    let routes = json!({
        "name": "scopes",
        "scope_key_builder": {"fragments": [{"header_value_extractor": extractor}]},
        "rds_config_source": path_source("rds.json"),
        "scoped_rds": {"scoped_rds_config_source": path_source("srds.json")},
    });
    Config::http(&[])
        .manager(json!({"route_config": null, "scoped_routes": routes}))
        .bootstrap(node())
        .file("srds.json", response("1", SCOPE, scopes))
        .file("rds.json", response("1", TABLE, tables))
        .start_with(&["--concurrency", "2"])
}

fn get(proxy: &Proxy, host: &str) -> (u16, String) {
    let mut connection = proxy.connect();
    connection.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    connection.response("GET").brief()
}

fn serves(proxy: &Proxy, host: &str, status: u16, body: &str) {
    let expected = (status, body.to_owned());
    wait_for(&format!("{host}: {status} {body}"), || {
        // Once for each worker, as likely as not.
        (0..4).all(|_| get(proxy, host) == expected).then_some(())
    });
}

#[test]
fn scopes_come_change_and_go() {
    let proxy = start(
        &[
            scope("one", "1", over_rds("table")),
            scope("two", "2", inline("two")),
            scope(
                "asked",
                "3",
                json!({"route_configuration_name": "table", "on_demand": true}),
            ),
        ],
        &[table("table", "first")],
    );
    serves(&proxy, "1", 200, "first");
    serves(&proxy, "2", 200, "two");
    serves(&proxy, "3", 404, "");
    serves(&proxy, "4", 404, "");
    let stat = |name: &str| proxy.stat(&format!("http.http.scoped_rds.scopes.{name}"));
    assert_eq!(
        ["all_scopes", "active_scopes", "on_demand_scopes"].map(stat),
        [3, 1, 1]
    );
    proxy.replace(
        "rds.json",
        response("2", TABLE, &[table("table", "second")]),
    );
    serves(&proxy, "1", 200, "second");
    let swapped = [
        scope("one", "2", over_rds("table")),
        scope("two", "1", inline("two")),
    ];
    proxy.replace("srds.json", response("2", SCOPE, &swapped));
    serves(&proxy, "1", 200, "two");
    if !is_envoy() {
        // There the scope whose key the other had is lost.
        serves(&proxy, "2", 200, "second");
    }
    let dump = proxy.admin_json("/config_dump?resource=dynamic_scoped_route_configs");
    let dump = &dump["configs"][0];
    assert_eq!(dump["version_info"], "2");
    let names = dump["scoped_route_configs"].as_array().unwrap().iter();
    assert_eq!(
        names.map(|scope| &scope["name"]).collect::<Vec<_>>(),
        ["one", "two"]
    );
    proxy.replace("srds.json", response("3", SCOPE, &[]));
    serves(&proxy, "1", 404, "");
}

#[test]
fn what_is_refused_changes_no_scope() {
    let proxy = start(&[scope("one", "1", inline("one"))], &[]);
    let one = scope("one", "1", inline("two"));
    let cases = [
        (
            [one.clone(), one.clone()],
            "duplicate scoped route configuration 'one' found",
        ),
        (
            [one.clone(), scope("other", "1", inline("two"))],
            "scope key conflict found, first scope is 'one', second scope is 'other'",
        ),
        (
            [one.clone(), scope("other", "2", json!({}))],
            "route_configuration_name is empty.",
        ),
        (
            [
                one,
                json!({"name": "other", "route_configuration_name": "t"}),
            ],
            "ScopedRouteConfigurationValidationError.Key: value is required",
        ),
    ];
    for (number, (scopes, reason)) in cases.into_iter().enumerate() {
        proxy.replace("srds.json", response("2", SCOPE, &scopes));
        let refused = "http.http.scoped_rds.scopes.update_rejected";
        proxy.wait_stat(refused, number as u64 + 1);
        assert!(proxy.log().contains(reason), "{reason}\n{}", proxy.log());
        assert_eq!(get(&proxy, "1"), (200, "one".to_owned()));
    }
}
