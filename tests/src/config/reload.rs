//! The configuration file is read again while the proxy serves.

use crate::harness::{Config, Proxy, Upstream, direct, is_envoy, route, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;

const STATS: &str = "server.static_config.";

/// Requests go to `up`, and there to this host.
fn config(host: SocketAddr) -> Config {
    Config::http(&[route("/", "up")]).cluster("up", &[host])
}

fn start(config: &Config, when: &str) -> Proxy {
    config.start_with(&["--reload-static-config", when, "--drain-time-s", "1"])
}

/// The file as it is to be.
fn write(proxy: &Proxy, config: &Value) {
    proxy.replace("bootstrap.json", config);
}

#[test]
fn what_changed_in_the_file_is_taken_over() {
    if is_envoy() {
        return;
    }
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let proxy = start(&config(one.address()), "change");
    assert_eq!(proxy.get("/").text(), "one");
    let mut kept = proxy.connect();
    let address = proxy.listener("main");
    // A cluster changes, another one and a listener come; connections stay where they are.
    let mut changed = config(two.address()).cluster("more", &[one.address()]);
    let mut second = Config::http(&[direct("/", 200, "second")])
        .take_listeners()
        .remove(0);
    second["name"] = "second".into();
    let mut file = changed.clone().json();
    file["static_resources"]["listeners"]
        .as_array_mut()
        .unwrap()
        .push(second);
    write(&proxy, &file);
    proxy.wait_stat(&format!("{STATS}update_success"), 1);
    wait_for("the new host", || {
        (kept.get("/").text() == "two").then_some(())
    });
    assert_eq!(proxy.listener("main"), address);
    wait_for("the new listener", || {
        proxy
            .admin("/listeners")
            .text()
            .contains("second")
            .then_some(())
    });
    let log = proxy.log();
    let host = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address";
    for line in [
        format!(
            "cluster 'up': {host}.socket_address.port_value: {} -> {}",
            one.address().port(),
            two.address().port()
        ),
        "cluster 'more' is new".to_owned(),
        "listener 'second' is new".to_owned(),
    ] {
        assert!(log.contains(&line), "{line}\n{log}");
    }
    // Routes change in place, and what is no longer there goes.
    changed = Config::http(&[direct("/", 200, "direct")]).cluster("up", &[two.address()]);
    write(&proxy, &changed.json());
    proxy.wait_stat(&format!("{STATS}update_success"), 2);
    proxy.wait_text("/", "direct");
    proxy.wait_stat("listener_manager.total_listeners_active", 1);
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 1);
    let shown = proxy.admin_json("/config_dump?mask=bootstrap");
    let resources = &shown["configs"][0]["bootstrap"]["static_resources"];
    let listeners = resources["listeners"].as_array();
    assert_eq!(listeners.map(Vec::len), Some(1), "{shown}");
    assert!(!proxy.log().contains("needs a restart"), "{}", proxy.log());
}

#[test]
fn a_bad_file_changes_nothing() {
    if is_envoy() {
        return;
    }
    let upstream = Upstream::ok("one");
    let proxy = start(&config(upstream.address()), "signal");
    let rejected = format!("{STATS}update_rejected");
    let mut bad = config(upstream.address()).cluster("more", &[]).json();
    bad["static_resources"]["clusters"][0]["connect_timeout"] = "0s".into();
    bad["static_resources"]["clusters"][1]["nonsense"] = 1.into();
    write(&proxy, &bad);
    proxy.signal(Signal::HUP);
    proxy.wait_stat(&rejected, 1);
    let log = proxy.log();
    assert!(
        log.contains("connect_timeout") && log.contains("nonsense"),
        "{log}"
    );
    proxy.replace("bootstrap.json", "{");
    proxy.signal(Signal::HUP);
    proxy.wait_stat(&rejected, 2);
    assert_eq!(proxy.stat(&format!("{STATS}update_success")), 0);
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 1);
    assert_eq!(proxy.get("/").text(), "one");
    // What cannot change while it runs is named.
    let other = config(upstream.address()).bootstrap(json!({"node": {"id": "other"}}));
    write(&proxy, &other.json());
    proxy.signal(Signal::HUP);
    proxy.wait_stat(&format!("{STATS}update_success"), 1);
    let log = proxy.log();
    assert!(
        log.contains("node.id: other is new: this needs a restart"),
        "{log}"
    );
}
