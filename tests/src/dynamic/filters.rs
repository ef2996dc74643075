//! ECDS: HTTP filters that change between requests of one connection.

use super::{node, path_source, response};
use crate::harness::{Config, Proxy, direct};
use serde_json::{Value, json};

const TYPE: &str = "config.core.v3.TypedExtensionConfig";
const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";

/// Answers with `x: VALUE`.
fn mutation(value: &str) -> Value {
    let header = json!({"append": {"header": {"key": "x", "value": value}}});
    json!({
        "@type": format!("{FILTERS}.header_mutation.v3.HeaderMutation"),
        "mutations": {"response_mutations": [header]},
    })
}

fn resource(config: Value) -> Value {
    json!({"name": "delivered", "typed_config": config})
}

fn start(first: &str, more: Value) -> Proxy {
    let mut discovery = json!({
        "config_source": path_source("ecds.json"),
        "type_urls": [
            format!("{FILTERS}.header_mutation.v3.HeaderMutation"),
            format!("{FILTERS}.fault.v3.HTTPFault"),
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        discovery[name] = value.clone();
    }
    let router = json!({
        "name": "router",
        "typed_config": {"@type": format!("{FILTERS}.router.v3.Router")},
    });
    let delivered = json!({"name": "delivered", "config_discovery": discovery});
    Config::http(&[direct("/", 200, "body")])
        .manager(json!({"http_filters": [delivered, router]}))
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .bootstrap(node())
        .file("ecds.json", first)
        .start()
}

fn wait_reload(proxy: &Proxy, count: u64) {
    proxy.wait_stat(
        "extension_config_discovery.http_filter.delivered.config_reload",
        count,
    );
}

#[test]
fn a_filter_changes_its_settings_and_its_type() {
    let first = response("1", TYPE, &[resource(mutation("one"))]).to_string();
    let proxy = start(&first, json!({}));
    wait_reload(&proxy, 1);
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/").header("x"), Some("one"));
    proxy.replace(
        "ecds.json",
        response("2", TYPE, &[resource(mutation("two"))]),
    );
    wait_reload(&proxy, 2);
    assert_eq!(connection.get("/").header("x"), Some("two"));
    let abort = json!({"http_status": 418, "percentage": {"numerator": 100}});
    let fault = json!({"@type": format!("{FILTERS}.fault.v3.HTTPFault"), "abort": abort});
    proxy.replace("ecds.json", response("3", TYPE, &[resource(fault)]));
    wait_reload(&proxy, 3);
    assert_eq!(connection.get("/").status, 418);
    let buffer = json!({
        "@type": format!("{FILTERS}.buffer.v3.Buffer"),
        "max_request_bytes": 1,
    });
    proxy.replace("ecds.json", response("4", TYPE, &[resource(buffer)]));
    proxy.wait_stat(
        "extension_config_discovery.http_filter.delivered.update_rejected",
        1,
    );
    assert_eq!(connection.get("/").status, 418);
    let reason = "Error: filter config has type URL envoy.extensions.filters.http.buffer.v3.Buffer \
                  but expect ";
    assert!(proxy.log().contains(reason), "{}", proxy.log());
    let dump = proxy.admin_json("/config_dump?resource=ecds_filters");
    assert_eq!(dump["configs"][0]["version_info"], "3");
}

#[test]
fn without_a_filter_no_request_passes() {
    let proxy = start("not a response", json!({}));
    assert_eq!(proxy.get("/").status, 500);
    proxy.replace(
        "ecds.json",
        response("2", TYPE, &[resource(mutation("two"))]),
    );
    wait_reload(&proxy, 1);
    assert_eq!(proxy.get("/").header("x"), Some("two"));
    assert_eq!(proxy.access_log(2)[0], "500 NFCF ");
}

#[test]
fn the_default_is_used_until_a_filter_comes() {
    let proxy = start(
        "not a response",
        json!({"default_config": mutation("default")}),
    );
    assert_eq!(proxy.get("/").header("x"), Some("default"));
    proxy.replace(
        "ecds.json",
        response("2", TYPE, &[resource(mutation("two"))]),
    );
    proxy.wait_stat(
        "extension_config_discovery.http_filter.delivered.update_success",
        1,
    );
    wait_reload(&proxy, 1);
    assert_eq!(proxy.get("/").header("x"), Some("two"));
}
