//! What streams owe those who ask over them, whatever control planes do.

use super::aggregated::{
    CLUSTER, ENDPOINT, LISTENER, ads, cluster, config_as, hosts, start, start_as, start_with,
};
use super::{node, response};
use crate::harness::{Config, ControlPlane, Upstream, direct, is_envoy, route, wait_for};
use serde_json::{Value, json};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

const SCOPE: &str = "config.route.v3.ScopedRouteConfiguration";

#[test]
fn a_bad_resource_keeps_nobody_from_the_others() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    for api_type in ["GRPC", "DELTA_GRPC"] {
        let plane = ControlPlane::start();
        let mut config = Config::http(&[route("/a", "a"), route("/b", "b")])
            .manager(json!({"route_config": {"validate_clusters": false}}));
        let listener = config.take_listeners().remove(0);
        plane.set(LISTENER, &response("1", LISTENER, &[listener]));
        let clusters = [cluster("a", "1s"), cluster("b", "1s")];
        plane.set(CLUSTER, &response("1", CLUSTER, &clusters));
        let both = [hosts("a", one.address()), hosts("b", one.address())];
        plane.set(ENDPOINT, &response("1", ENDPOINT, &both));
        let proxy = start(&plane, api_type);
        proxy.wait_text("/b", "one");
        let mut bad = hosts("a", two.address());
        let address = "/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address";
        *bad.pointer_mut(address).unwrap() = "nowhere".into();
        plane.set(
            ENDPOINT,
            &response("2", ENDPOINT, &[bad, hosts("b", two.address())]),
        );
        let nack = plane.wait_request(ENDPOINT, |request| request.error_detail.is_some());
        let reason = nack.error_detail.unwrap().message;
        assert!(reason.contains("nowhere"), "{reason}");
        assert_eq!(proxy.get("/a").text(), "one");
        if is_envoy() {
            // There nobody behind it in the response is given anything.
            continue;
        }
        proxy.wait_text("/b", "two");
        // Who takes its place has the same.
        plane.set(
            CLUSTER,
            &response("2", CLUSTER, &[cluster("a", "2s"), cluster("b", "2s")]),
        );
        proxy.wait_stat("cluster_manager.cds.update_success", 2);
        proxy.wait_stat("cluster_manager.warming_clusters", 0);
        proxy.wait_text("/b", "two");
        proxy.wait_text("/a", "one");
    }
}

/// A listener whose routes are those of scopes.
fn scoped(name: &str) -> Value {
    let extractor = json!({"name": "Host", "index": 0});
    let routes = json!({
        "name": name,
        "scope_key_builder": {"fragments": [{"header_value_extractor": extractor}]},
        "scoped_rds": {"scoped_rds_config_source": ads()},
    });
    let manager = json!({"route_config": null, "scoped_routes": routes});
    let mut config = Config::http(&[]).manager(manager);
    let mut listener = config.take_listeners().remove(0);
    listener["name"] = name.into();
    listener
}

#[test]
fn who_comes_later_is_given_what_there_is() {
    if is_envoy() {
        return;
    }
    let hosts = json!([{"name": "v", "domains": ["*"], "routes": [direct("/", 200, "scoped")]}]);
    let scope = json!({
        "name": "scope", "key": {"fragments": [{"string_key": "host"}]},
        "route_configuration": {"name": "table", "virtual_hosts": hosts},
    });
    for (api_type, scopes) in [("GRPC", &[scope][..]), ("DELTA_GRPC", &[])] {
        let plane = ControlPlane::start();
        plane.set(CLUSTER, &response("1", CLUSTER, &[]));
        plane.set(SCOPE, &response("1", SCOPE, scopes));
        plane.set(LISTENER, &response("1", LISTENER, &[scoped("first")]));
        let proxy = start(&plane, api_type);
        let began = Instant::now();
        let both = [scoped("first"), scoped("second")];
        plane.set(LISTENER, &response("2", LISTENER, &both));
        proxy.wait_stat("listener_manager.total_listeners_active", 2);
        // Not only once nothing has come for too long.
        assert!(began.elapsed() < Duration::from_secs(5));
        let found = format!("http.http.scoped_rds.second.all_scopes: {}", scopes.len());
        let stats = proxy.admin("/stats").text();
        assert!(stats.contains(&found), "{stats}");
    }
}

#[test]
fn answers_that_wait_hold_back_what_they_would_answer() {
    let plane = ControlPlane::start();
    plane.set(CLUSTER, &response("0", CLUSTER, &[]));
    plane.set(LISTENER, &response("0", LISTENER, &[]));
    let limit = json!({"rate_limit_settings": {"max_tokens": 1, "fill_rate": 50}});
    let proxy = start_with(&plane, "GRPC", limit);
    for version in 1..=80 {
        plane.set(CLUSTER, &response(&version.to_string(), CLUSTER, &[]));
        thread::sleep(Duration::from_millis(5));
    }
    if !is_envoy() {
        let pending = proxy.stat("control_plane.pending_requests");
        assert!((16..=32).contains(&pending), "{pending}");
    }
    plane.wait_request(CLUSTER, |request| request.version_info == "80");
    proxy.wait_stat("control_plane.pending_requests", 0);
}

#[test]
fn answers_that_are_not_read_hold_back_what_they_would_answer() {
    let plane = ControlPlane::start();
    plane.set(CLUSTER, &response("0", CLUSTER, &[]));
    plane.set(LISTENER, &response("0", LISTENER, &[]));
    // Each request is of 300 kB.
    let node = json!({"node": {"id": "x".repeat(300_000), "cluster": "cluster1"}});
    let more = json!({"set_node_on_first_message_only": false});
    let proxy = start_as(node, &plane, "GRPC", more);
    plane.wait_request(LISTENER, |request| request.version_info == "0");
    plane.set_deaf(true);
    for version in 1..=40 {
        plane.set(CLUSTER, &response(&version.to_string(), CLUSTER, &[]));
        thread::sleep(Duration::from_millis(5));
    }
    let taken = proxy.stat("cluster_manager.cds.update_success");
    assert!(taken < 10 || is_envoy(), "{taken}");
    plane.set_deaf(false);
    plane.wait_request(CLUSTER, |request| request.version_info == "40");
}

#[test]
fn a_control_plane_that_goes_while_it_is_told_much_is_asked_again() {
    let plane = Upstream::tcp(|mut stream| {
        // Settings, and then nothing is read beyond the window.
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        thread::sleep(Duration::from_millis(300));
    });
    let node = json!({"node": {"id": "x".repeat(2_000_000), "cluster": "cluster1"}});
    let mut source = ads();
    source["initial_fetch_timeout"] = "0.1s".into();
    let api = ("GRPC", json!({}));
    let _proxy = config_as(node, plane.address(), api, &source).start();
    wait_for("another stream", || (plane.connections() > 1).then_some(()));
}

#[test]
fn without_the_stream_nothing_waits_for_it() {
    if is_envoy() {
        // It aborts, or ends without a word.
        return;
    }
    let reason = "ADS must be configured to support an ADS config source";
    let rds = json!({"route_config_name": "routes", "config_source": ads()});
    let eds = json!({
        "name": "c", "type": "EDS", "eds_cluster_config": {"eds_config": ads()},
    });
    for config in [
        Config::http(&[]).manager(json!({"route_config": null, "rds": rds})),
        Config::new().bootstrap(json!({"static_resources": {"clusters": [eds]}})),
        Config::new().bootstrap(json!({"dynamic_resources": {"cds_config": ads()}})),
    ] {
        let config = config.bootstrap(node());
        let ended = catch_unwind(AssertUnwindSafe(|| drop(config.start())));
        let ended = ended.unwrap_err().downcast::<String>().unwrap();
        assert!(ended.contains(reason), "{ended}");
    }
}
