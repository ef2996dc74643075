//! Configuration files: taken, or refused with what is wrong.

mod reload;
mod reload_again;

use crate::harness::{Config, direct, is_envoy, validate};
use serde_json::json;

fn good() -> serde_json::Value {
    Config::http(&[direct("/", 200, "x")]).json()
}

#[test]
fn a_good_file_is_valid() {
    let bootstrap = good().to_string();
    // YAML contains JSON.
    for name in ["good.json", "good.yaml"] {
        let validation = validate(name, &bootstrap);
        assert_eq!(validation.code, Some(0), "{}", validation.text);
        let expected = format!("configuration '{name}' OK");
        assert!(validation.text.contains(&expected), "{}", validation.text);
    }
}

#[test]
fn a_bad_file_is_refused_and_what_is_wrong_named() {
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    for (pointer, value, names) in [
        ("/bogus", json!(1), &["bogus"][..]),
        (
            "/admin/address/socket_address/port_value",
            json!(65_536),
            &["65535"],
        ),
        (
            "/static_resources/listeners/0/address",
            json!(null),
            &["ddress"],
        ),
        (
            &format!("{manager}/stat_prefix"),
            json!(""),
            &["StatPrefix", "at least 1"],
        ),
        (
            &format!("{manager}/http_filters"),
            json!([{"name": "a.b"}]),
            &["a.b"],
        ),
        (
            &format!("{manager}/http_filters/0/typed_config/@type"),
            json!("type/a.B"),
            &["a.B"],
        ),
        (&format!("{manager}/codec_type"), json!("HTTP9"), &["HTTP9"]),
        (
            &format!("{manager}/stream_idle_timeout"),
            json!("5 m"),
            &["5 m"],
        ),
    ] {
        let mut bootstrap = good();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        bootstrap.pointer_mut(parent).unwrap()[key] = value;
        let validation = validate("bad.yaml", &bootstrap.to_string());
        assert_eq!(validation.code, Some(1), "{pointer}: {}", validation.text);
        for name in names {
            assert!(
                validation.text.contains(name),
                "{pointer} {name}: {}",
                validation.text
            );
        }
    }
}

#[test]
fn stats_are_flushed_by_time_or_on_request() {
    let mut bootstrap = good();
    bootstrap["stats_flush_interval"] = json!("1s");
    bootstrap["stats_flush_on_admin"] = json!(true);
    let validation = validate("bad.json", &bootstrap.to_string());
    let expected = "Only one of stats_flush_interval or stats_flush_on_admin should be set!";
    assert_eq!(validation.code, Some(1));
    assert!(validation.text.contains(expected), "{}", validation.text);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    // Envoy stops at the first.
    if is_envoy() {
        return;
    }
    let text = "admin: {bogus: 1}\nstatic_resources:\n  clusters:\n  - nam: x\n";
    let validation = validate("bad.yaml", text);
    for name in ["bad.yaml:1", "bogus", "bad.yaml:4", "nam"] {
        assert!(
            validation.text.contains(name),
            "{name}: {}",
            validation.text
        );
    }
}

#[test]
fn contradictions_are_refused_in_envoys_words() {
    for (fields, message) in [
        (
            json!({"common_http_protocol_options": {"max_response_headers_kb": 100}}),
            "max_response_headers_kb cannot be set on http_connection_manager.",
        ),
        (
            json!({"strip_any_host_port": true, "strip_matching_host_port": true}),
            "Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.",
        ),
        (
            json!({"upgrade_configs": [{"upgrade_type": "a"}, {"upgrade_type": "A"}]}),
            "multiple upgrade configs with the same name: 'A'",
        ),
    ] {
        let bootstrap = Config::http(&[direct("/", 200, "")]).manager(fields).json();
        let validation = validate("bad.yaml", &bootstrap.to_string());
        assert_eq!(validation.code, Some(1), "{message}");
        assert!(validation.text.contains(message), "{}", validation.text);
    }
}
