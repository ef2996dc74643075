//! VHDS: virtual hosts that come one by one.

use super::{node, response};
use crate::harness::{Config, ControlPlane, Proxy, direct, wait_for};
use serde_json::{Value, json};

const TABLE: &str = "config.route.v3.RouteConfiguration";
const HOST: &str = "config.route.v3.VirtualHost";

fn host(name: &str, domain: &str) -> Value {
    json!({"name": name, "domains": [domain], "routes": [direct("/", 200, name)]})
}

fn start(plane: &ControlPlane) -> Proxy {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}});
    let rds = json!({"route_config_name": "table", "config_source": source("DELTA_GRPC")});
    Config::http(&[])
        .manager(json!({"route_config": null, "rds": rds}))
        .cluster_with("plane", &[plane.address()], http2)
        .bootstrap(node())
        .start()
}

fn source(api_type: &str) -> Value {
    json!({"resource_api_version": "V3", "api_config_source": {
        "api_type": api_type,
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "plane"}}],
    }})
}

fn table(api_type: &str) -> Value {
    json!({
        "name": "table",
        "virtual_hosts": [host("fixed", "fixed.test")],
        "vhds": {"config_source": source(api_type)},
    })
}

fn serves(proxy: &Proxy, domain: &str, status: u16, body: &str) {
    wait_for(&format!("{domain}: {body}"), || {
        let mut connection = proxy.connect();
        connection.send(format!("GET / HTTP/1.1\r\nhost: {domain}\r\n\r\n"));
        (connection.response("GET").brief() == (status, body.to_owned())).then_some(())
    });
}

#[test]
fn hosts_come_and_go_beside_those_of_the_table() {
    let plane = ControlPlane::start();
    plane.set(TABLE, &response("1", TABLE, &[table("DELTA_GRPC")]));
    let hosts = [host("table/one", "one.test"), host("other/two", "two.test")];
    plane.set(HOST, &response("1", HOST, &hosts));
    let proxy = start(&plane);
    serves(&proxy, "fixed.test", 200, "fixed");
    serves(&proxy, "one.test", 200, "table/one");
    // Another table's.
    serves(&proxy, "two.test", 404, "");
    assert!(plane.wait_request(HOST, |_| true).resource_names.is_empty());
    let dump = proxy
        .admin("/config_dump?resource=dynamic_route_configs")
        .text();
    assert!(
        dump.contains("table/one") && dump.contains("\"vhds\""),
        "{dump}"
    );
    // Two hosts of one domain are refused, and what was there stays.
    let wrong = [
        host("table/one", "one.test"),
        host("table/two", "fixed.test"),
    ];
    plane.set(HOST, &response("2", HOST, &wrong));
    proxy.wait_stat("http.http.rds.vhds.table.update_rejected", 1);
    serves(&proxy, "one.test", 200, "table/one");
    plane.set(HOST, &response("3", HOST, &[host("table/two", "two.test")]));
    serves(&proxy, "two.test", 200, "table/two");
    serves(&proxy, "one.test", 404, "");
    // A table that comes again keeps them.
    let mut second = table("DELTA_GRPC");
    second["virtual_hosts"] = json!([host("second", "fixed.test")]);
    plane.set(TABLE, &response("2", TABLE, &[second]));
    serves(&proxy, "fixed.test", 200, "second");
    serves(&proxy, "two.test", 200, "table/two");
}

#[test]
fn hosts_come_one_by_one_only() {
    let plane = ControlPlane::start();
    plane.set(TABLE, &response("1", TABLE, &[table("GRPC")]));
    let proxy = start(&plane);
    let reason = "vhds: only 'DELTA_GRPC' or 'ADS' (which uses Delta xDS) is supported as a \
                  config source.";
    wait_for(reason, || proxy.log().contains(reason).then_some(()));
    assert_eq!(proxy.get("/").status, 404);
}
