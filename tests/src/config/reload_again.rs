//! The configuration file is read again when not all goes well: at the wrong time, in part, or
//! with what takes its time.

use crate::dynamic::node;
use crate::harness::{
    Config, ControlPlane, Proxy, Upstream, direct, is_envoy, own_address, route, wait_for,
};
use crate::tls::authority::Authority;
use crate::tls::server::tls;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};

const ARGUMENTS: [&str; 4] = ["--reload-static-config", "signal", "--drain-time-s", "1"];
const SUCCESS: &str = "server.static_config.update_success";
const REJECTED: &str = "server.static_config.update_rejected";

/// A file without anything, of a proxy that control planes may know.
fn empty() -> Config {
    Config::new().bootstrap(node())
}

/// Who says this at `main`.
fn saying(body: &str) -> Config {
    Config::http(&[direct("/", 200, body)]).bootstrap(node())
}

/// A listener of this name at this address that says `body`, and shares its sockets with nobody.
fn listener(name: &str, address: SocketAddr, body: &str) -> Value {
    let mut listener = Config::http(&[direct("/", 200, body)])
        .take_listeners()
        .remove(0);
    listener["name"] = name.into();
    listener["enable_reuse_port"] = false.into();
    listener["address"] = json!({"socket_address": {
        "address": address.ip(), "port_value": address.port(),
    }});
    listener
}

/// A file with these listeners besides `main`, and `main` says `body`.
fn file(body: &str, listeners: &[Value]) -> Value {
    let mut file = saying(body).json();
    let all = file["static_resources"]["listeners"].as_array_mut();
    all.unwrap().extend_from_slice(listeners);
    file
}

fn get(address: SocketAddr) -> String {
    crate::harness::Connection::open(address).get("/").text()
}

fn reload(proxy: &Proxy, file: &Value) {
    proxy.replace("bootstrap.json", file);
    proxy.signal(Signal::HUP);
}

/// A cluster of this name whose hosts a control plane has, which is asked for so long.
fn slow_cluster(config: Config, name: &str, plane: &ControlPlane, timeout: &str) -> Config {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}});
    let eds = json!({"type": "EDS", "load_assignment": null, "eds_cluster_config": {"eds_config": {
        "resource_api_version": "V3",
        "initial_fetch_timeout": timeout,
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "plane"}}],
        },
    }}});
    config
        .cluster_with("plane", &[plane.address()], http2)
        .cluster_with(name, &[], eds)
}

#[test]
fn what_could_not_be_had_is_tried_again() {
    if is_envoy() {
        return;
    }
    let proxy = saying("one").start_with(&ARGUMENTS);
    let address = own_address();
    let taken = TcpListener::bind(address).unwrap();
    let mut wanted = file("two", &[listener("second", address, "second")]);
    let clusters = Config::new().cluster("led to", &[address]).json();
    wanted["static_resources"]["clusters"] = clusters["static_resources"]["clusters"].clone();
    reload(&proxy, &wanted);
    proxy.wait_stat(REJECTED, 1);
    proxy.wait_text("/", "two");
    let failure = format!(
        "is reloaded but for listener 'second': cannot bind '{address}': Address already in use"
    );
    assert!(proxy.log().contains(&failure), "{}", proxy.log());
    let shown = || proxy.admin("/config_dump?mask=bootstrap").text();
    assert!(!shown().contains("second"), "{}", shown());
    drop(taken);
    proxy.signal(Signal::HUP);
    proxy.wait_stat(SUCCESS, 1);
    wait_for("second", || (get(address) == "second").then_some(()));
    assert!(shown().contains("second"), "{}", shown());
    // What is the same as before is left alone.
    proxy.signal(Signal::HUP);
    proxy.wait_stat(SUCCESS, 2);
    assert!(
        proxy.log().contains("nothing to take over"),
        "{}",
        proxy.log()
    );
    assert_eq!(proxy.stat("listener_manager.listener_added"), 2);
    // What can't be replaced goes on, and so do the clusters that it may lead to.
    let elsewhere = own_address();
    let taken = TcpListener::bind(elsewhere).unwrap();
    reload(
        &proxy,
        &file("two", &[listener("second", elsewhere, "moved")]),
    );
    proxy.wait_stat(REJECTED, 2);
    assert_eq!(get(address), "second");
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 1);
    assert!(shown().contains("led to"), "{}", shown());
    assert!(!shown().contains("moved"), "{}", shown());
    drop(taken);
    proxy.signal(Signal::HUP);
    proxy.wait_stat(SUCCESS, 3);
    wait_for("moved", || (get(elsewhere) == "moved").then_some(()));
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 0);
    assert!(!shown().contains("led to"), "{}", shown());
}

#[test]
fn a_file_that_does_not_fit_what_there_is_changes_nothing() {
    if is_envoy() {
        return;
    }
    let upstream = Upstream::ok("one");
    let proxy = saying("one").start_with(&ARGUMENTS);
    // Secrets are there from the start.
    let secret = json!({"name": "late", "validation_context": {}});
    let common = json!({
        "tls_certificates": [Authority::new("authority").sign("a.test").json()],
        "validation_context_sds_secret_config": {"name": "late"},
    });
    let socket = tls(common, json!({}));
    let mut wanted = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .bootstrap(node())
        .bootstrap(json!({"static_resources": {"secrets": [secret]}}))
        .json();
    for name in ["second", "third"] {
        let mut more = listener(name, own_address(), name);
        more["filter_chains"][0]["transport_socket"] = socket.clone();
        let all = wanted["static_resources"]["listeners"].as_array_mut();
        all.unwrap().push(more);
    }
    for times in 1..3 {
        reload(&proxy, &wanted);
        proxy.wait_stat(REJECTED, times);
        assert_eq!(proxy.get("/").text(), "one");
        assert_eq!(proxy.stat("cluster_manager.cluster_added"), 0);
        assert_eq!(proxy.stat("listener_manager.listener_modified"), 0);
    }
    let log = proxy.log();
    for name in ["listener 'second'", "listener 'third'"] {
        assert!(log.contains(name), "{log}");
    }
}

#[test]
fn listeners_have_the_addresses_of_others() {
    if is_envoy() {
        return;
    }
    let (first, second) = (own_address(), own_address());
    let config = file(
        "main",
        &[listener("a", first, "a"), listener("b", second, "b")],
    );
    let mut proxy = Proxy::launch_in(&[], &config.to_string(), &ARGUMENTS);
    proxy.wait_until_live();
    // One has another name, at the same place.
    let renamed = [listener("c", first, "c"), listener("b", second, "b")];
    reload(&proxy, &file("main", &renamed));
    proxy.wait_stat(SUCCESS, 1);
    wait_for("the new name", || (get(first) == "c").then_some(()));
    // They change places.
    let swapped = [listener("c", second, "c"), listener("b", first, "b")];
    reload(&proxy, &file("main", &swapped));
    proxy.wait_stat(SUCCESS, 2);
    wait_for("new places", || {
        (get(first) == "b" && get(second) == "c").then_some(())
    });
    proxy.wait_stat("listener_manager.total_listeners_active", 3);
}

#[test]
fn what_goes_serves_until_what_comes_does() {
    if is_envoy() {
        return;
    }
    let (upstream, plane) = (Upstream::ok("old"), ControlPlane::start());
    let address = own_address();
    let at = |name: &str, cluster: &str| {
        let mut listener = listener(name, address, "");
        let host = "/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
        *listener.pointer_mut(host).unwrap() = json!([route("/", cluster)]);
        json!([listener])
    };
    let mut old = empty().cluster("old", &[upstream.address()]).json();
    old["static_resources"]["listeners"] = at("old", "old");
    let mut proxy = Proxy::launch_in(&[], &old.to_string(), &ARGUMENTS);
    proxy.wait_until_live();
    let mut new = slow_cluster(empty(), "new", &plane, "1s").json();
    new["static_resources"]["listeners"] = at("new", "new");
    reload(&proxy, &new);
    proxy.wait_stat(SUCCESS, 1);
    for _ in 0..5 {
        assert_eq!(get(address), "old");
    }
    assert_eq!(proxy.stat("listener_manager.total_listeners_warming"), 1);
    // Without a host.
    wait_for("the new listener", || {
        get(address)
            .starts_with("no healthy upstream")
            .then_some(())
    });
    // "plane" and "new".
    proxy.wait_stat("cluster_manager.active_clusters", 2);
    proxy.wait_stat("listener_manager.total_listeners_active", 1);
}

#[test]
fn a_cluster_that_never_warms_stops_no_later_reload() {
    if is_envoy() {
        return;
    }
    let plane = ControlPlane::start();
    let proxy = saying("one").start_with(&ARGUMENTS);
    reload(
        &proxy,
        &slow_cluster(saying("two"), "never", &plane, "0s").json(),
    );
    proxy.wait_stat(SUCCESS, 1);
    proxy.wait_stat("cluster_manager.warming_clusters", 1);
    assert_eq!(proxy.get("/").text(), "one");
    // As it was: what was to come does not.
    reload(&proxy, &file("one", &[]));
    proxy.wait_stat(SUCCESS, 2);
    assert_eq!(proxy.stat("listener_manager.total_listeners_warming"), 0);
    assert_eq!(proxy.stat("cluster_manager.warming_clusters"), 0);
    reload(&proxy, &file("three", &[]));
    proxy.wait_stat(SUCCESS, 3);
    proxy.wait_text("/", "three");
}

#[test]
fn who_asks_before_the_server_has_started_is_served_then() {
    if is_envoy() {
        return;
    }
    for when in ["signal", "change"] {
        let plane = ControlPlane::start();
        let config = |body: &str| slow_cluster(saying(body), "slow", &plane, "0.5s");
        let mut proxy = config("one").launch_with(&["--reload-static-config", when]);
        proxy.replace("bootstrap.json", config("two").json());
        if when == "signal" {
            proxy.signal(Signal::HUP);
            wait_for("the signal", || {
                proxy
                    .log()
                    .contains("once the server has started")
                    .then_some(())
            });
        }
        assert_eq!(proxy.stat("server.static_config.update_attempt"), 0);
        proxy.wait_until_live();
        proxy.wait_stat(SUCCESS, 1);
        proxy.wait_text("/", "two");
    }
}

#[test]
fn who_moved_while_another_came_in_its_place_stays() {
    if is_envoy() {
        return;
    }
    let plane = ControlPlane::start();
    let (place, elsewhere) = (own_address(), own_address());
    let with = |config: Config, listeners: &[Value]| {
        let mut file = config.json();
        file["static_resources"]["listeners"] = listeners.into();
        file
    };
    let waiting = || slow_cluster(empty(), "new", &plane, "1s");
    let old = with(empty(), &[listener("a", place, "a")]);
    let mut proxy = Proxy::launch_in(&[], &old.to_string(), &ARGUMENTS);
    proxy.wait_until_live();
    let came = listener("b", place, "b");
    reload(&proxy, &with(waiting(), std::slice::from_ref(&came)));
    proxy.wait_stat(SUCCESS, 1);
    let moved = listener("a", elsewhere, "moved");
    reload(&proxy, &with(waiting(), &[came, moved]));
    proxy.wait_stat(SUCCESS, 2);
    assert_eq!(proxy.stat("listener_manager.total_listeners_warming"), 2);
    proxy.wait_stat("listener_manager.total_listeners_active", 2);
    wait_for("both", || {
        (get(place) == "b" && get(elsewhere) == "moved").then_some(())
    });
}
