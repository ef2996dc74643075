//! RTDS: runtime layers that change while requests are routed by them.

use super::{node, path_source, response};
use crate::harness::{Config, direct, wait_for};
use serde_json::json;

const TYPE: &str = "service.runtime.v3.Runtime";

#[test]
fn a_layer_comes_from_a_file() {
    let mut first = direct("/", 200, "first");
    first["match"]["runtime_fraction"] =
        json!({"runtime_key": "share", "default_value": {"numerator": 0}});
    let layers = json!([
        {"name": "base", "static_layer": {"share": 100}},
        {"name": "delivered", "rtds_layer": {"name": "rtds", "rtds_config": path_source("rtds.json")}},
    ]);
    let layer =
        |name: &str, share: u32| json!({"name": name, "layer": {"share": share, "x": {"y": 1}}});
    let proxy = Config::http(&[first, direct("/", 200, "second")])
        .bootstrap(node())
        .bootstrap(json!({"layered_runtime": {"layers": layers}}))
        .file("rtds.json", response("1", TYPE, &[layer("rtds", 0)]))
        .start();
    assert_eq!(proxy.get("/").text(), "second");
    proxy.replace("rtds.json", response("2", TYPE, &[layer("rtds", 100)]));
    proxy.wait_stat("runtime.update_success", 2);
    proxy.wait_text("/", "first");
    assert_eq!(proxy.stat("runtime.num_keys"), 2);
    assert_eq!(proxy.stat("runtime.load_success"), 4);
    let bad = [
        (
            vec![layer("other", 0)],
            "Unexpected RTDS runtime (expecting rtds): other",
        ),
        (
            vec![],
            "Unexpected RTDS resource length, number of added resources 0, number of removed \
             resources 0",
        ),
    ];
    for (number, (resources, reason)) in bad.iter().enumerate() {
        proxy.replace("rtds.json", response("3", TYPE, resources));
        proxy.wait_stat("runtime.update_rejected", number as u64 + 1);
        assert!(proxy.log().contains(reason), "{reason}\n{}", proxy.log());
        assert_eq!(proxy.get("/").text(), "first");
    }
}

#[test]
fn layers_come_from_directories_behind_a_link_that_is_swapped() {
    let mut first = direct("/", 200, "first");
    first["match"]["runtime_fraction"] =
        json!({"runtime_key": "routes.share", "default_value": {"numerator": 0}});
    let disk = |subdirectory: &str, append: bool| {
        json!({
            "symlink_root": "${folder}/current",
            "subdirectory": subdirectory,
            "append_service_cluster": append,
        })
    };
    let layers = json!([
        {"name": "base", "disk_layer": disk("base", false)},
        {"name": "own", "disk_layer": disk("own", true)},
        {"name": "gone", "disk_layer": disk("gone", false)},
    ]);
    let proxy = Config::http(&[first, direct("/", 200, "second")])
        .bootstrap(node())
        .bootstrap(json!({"layered_runtime": {"layers": layers}}))
        .file("current/base/routes/share", "# none\n0\n")
        .file("current/base/other", "text")
        .file("current/own/cluster1/other", "more")
        .file("second/base/routes/share", "100")
        .start();
    assert_eq!(proxy.get("/").text(), "second");
    let runtime = proxy.admin_json("/runtime");
    assert_eq!(runtime["layers"], json!(["base", "own"]));
    let other = json!({"final_value": "more", "layer_values": ["text", "more"]});
    assert_eq!(runtime["entries"]["other"], other);
    let stats = [
        "num_keys",
        "num_layers",
        "override_dir_exists",
        "load_error",
    ];
    let stats = stats.map(|name| proxy.stat(&format!("runtime.{name}")));
    assert_eq!(stats, [2, 2, 2, 0]);
    // A directory can be renamed to the name as well as a link.
    std::fs::rename(proxy.path("current"), proxy.path("first")).unwrap();
    std::os::unix::fs::symlink("second", proxy.path("next")).unwrap();
    std::fs::rename(proxy.path("next"), proxy.path("current")).unwrap();
    proxy.wait_text("/", "first");
    wait_for("one layer", || {
        (proxy.admin_json("/runtime")["layers"] == json!(["base"])).then_some(())
    });
}
