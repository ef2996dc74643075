//! LDS: listeners that come, change and go.

use super::{node, path_source, response};
use crate::harness::{Config, Connection, Proxy, direct, own_address, wait_for};
use serde_json::{Value, json};

const TYPE: &str = "config.listener.v3.Listener";

fn listener(name: &str, body: &str) -> Value {
    let mut config = Config::http(&[direct("/", 200, body)]);
    let mut listener = config.take_listeners().remove(0);
    listener["name"] = name.into();
    listener
}

fn start(first: &[Value]) -> Proxy {
    Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"lds_config": path_source("lds.json")}}))
        .file("lds.json", response("1", TYPE, first))
        .start_with(&["--drain-time-s", "1"])
}

#[test]
fn listeners_come_change_and_go() {
    let proxy = start(&[listener("main", "one")]);
    let mut old = proxy.connect();
    assert_eq!(old.get("/").text(), "one");
    let address = proxy.listener("main");
    // Other filter chains at the same address: nobody is refused meanwhile.
    let mut more = listener("more", "more");
    more["address"]["socket_address"]["address"] = "127.0.0.3".into();
    let changed = [listener("main", "two"), more];
    proxy.replace("lds.json", response("2", TYPE, &changed));
    proxy.wait_stat("listener_manager.lds.update_success", 2);
    proxy.wait_stat("listener_manager.listener_create_success", 3);
    assert_eq!(proxy.listener("main"), address);
    assert_eq!(proxy.get("/").text(), "two");
    // The old connection is served by what it began with, and is told to end.
    assert_eq!(old.get("/").text(), "one");
    assert_eq!(proxy.stat("listener_manager.listener_in_place_updated"), 1);
    // A listener of the same name elsewhere.
    let mut moved = listener("main", "three");
    moved["address"]["socket_address"]["address"] = "127.0.0.2".into();
    proxy.replace("lds.json", response("3", TYPE, &[moved]));
    proxy.wait_stat("listener_manager.lds.update_success", 3);
    proxy.wait_stat("listener_manager.listener_create_success", 4);
    assert_eq!(proxy.listener("main").ip().to_string(), "127.0.0.2");
    assert_eq!(proxy.get("/").text(), "three");
    assert_eq!(proxy.stat("listener_manager.listener_removed"), 1);
    proxy.wait_stat("listener_manager.total_listeners_draining", 0);
    for (name, value) in [("added", 2), ("modified", 2)] {
        let name = format!("listener_manager.listener_{name}");
        assert_eq!(proxy.stat(&name), value, "{name}");
    }
}

#[test]
fn what_is_refused_is_named() {
    let proxy = start(&[listener("main", "one")]);
    let mut bad = listener("bad", "bad");
    let filters = bad.pointer_mut("/filter_chains/0/filters").unwrap();
    let filter = filters[0].clone();
    filters.as_array_mut().unwrap().push(filter);
    let mut taken = listener("taken", "taken");
    let port = proxy.admin_address().port();
    taken["address"]["socket_address"]["port_value"] = port.into();
    taken["enable_reuse_port"] = false.into();
    let update = [
        listener("main", "one"),
        bad,
        taken,
        listener("good", "good"),
    ];
    proxy.replace("lds.json", response("2", TYPE, &update));
    proxy.wait_stat("listener_manager.lds.update_rejected", 1);
    assert_eq!(proxy.get("/").text(), "one");
    proxy.listener("good");
    let dump = proxy.admin_json("/config_dump?resource=dynamic_listeners");
    // Envoy has what is refused once more, without the name.
    let states = dump["configs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|listener| {
            let name = listener["name"].as_str()?;
            let version = &listener["active_state"]["version_info"];
            let details = listener["error_state"]["details"].as_str();
            let details = details
                .unwrap_or_default()
                .split(['\'', ' '])
                .next()
                .unwrap();
            Some((
                name,
                version.as_str().unwrap_or_default(),
                details.to_owned(),
            ))
        });
    let mut states: Vec<_> = states.collect();
    states.sort();
    assert_eq!(states[0], ("bad", "", "Error:".to_owned()));
    assert_eq!(states[1], ("good", "2", String::new()));
    assert_eq!(states[2], ("main", "1", String::new()));
    assert!(
        states[3].0 == "taken" && !states[3].2.is_empty(),
        "{states:?}"
    );
}

#[test]
fn a_listener_of_another_name_has_the_sockets() {
    // That can't be bound twice.
    let address = own_address();
    let at = |name: &str| {
        let mut listener = listener(name, name);
        listener["enable_reuse_port"] = false.into();
        listener["address"] = json!({"socket_address": {
            "address": address.ip(), "port_value": address.port(),
        }});
        listener
    };
    let proxy = start(&[at("0")]);
    for update in 1..6 {
        let name = update.to_string();
        let version = format!("renamed {name}");
        proxy.replace("lds.json", response(&version, TYPE, &[at(&name)]));
        proxy.wait_stat("listener_manager.lds.update_success", update + 1);
        wait_for(&name, || {
            (Connection::open(address).try_get("/").ok()?.text() == name).then_some(())
        });
    }
}

#[test]
fn a_collection_in_a_file() {
    let collection = |body: &str, version: &str| {
        let mut resource = listener("main", body);
        resource["@type"] = format!("type.googleapis.com/envoy.{TYPE}").into();
        json!({"version": version, "name": "all", "resource": {
            "@type": format!("type.googleapis.com/envoy.{TYPE}Collection"),
            "entries": [{"inline_entry": {
                "name": "main", "version": version, "resource": resource,
            }}],
        }})
    };
    let locator = "file://${folder}/all.json";
    let proxy = Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"lds_resources_locator": locator}}))
        .file("all.json", collection("one", "1"))
        .start();
    assert_eq!(proxy.get("/").text(), "one");
    proxy.replace("all.json", collection("two", "2"));
    proxy.wait_stat("listener_manager.listener_create_success", 2);
    proxy.wait_text("/", "two");
    // Its chains alone have changed: it is shown in the version in which it came.
    let listeners = proxy.admin_json("/config_dump?resource=dynamic_listeners");
    assert_eq!(listeners["configs"][0]["active_state"]["version_info"], "1");
}
