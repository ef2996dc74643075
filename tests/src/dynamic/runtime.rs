//! RTDS: runtime layers that change while requests are routed by them.

use super::{node, path_source, response};
use crate::harness::{Config, direct};
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
