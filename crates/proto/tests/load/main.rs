//! Loading, case by case: what Envoy 1.40 accepts and refuses (each verdict is that of its
//! `--mode validate`), and where our errors point.
#![allow(clippy::unwrap_used)] // tests, helpers included

use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::{
    ConfigErrors, FieldPath, Format, Loaded, Options, UnknownFields, WarningKind, json, load,
    reflect,
};

mod checks;
mod texts;

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                   HttpConnectionManager";

fn load(text: &str, format: Format) -> Result<Loaded, ConfigErrors> {
    let message = load::message_of::<Bootstrap>().unwrap();
    load::text("f", text, format, message, &Options::default())
}

/// The config as JSON in one line, or its errors, one line each.
fn outcome(text: &str, format: Format) -> String {
    match load(text, format) {
        Ok(loaded) => {
            loaded.decode::<Bootstrap>().unwrap();
            let options = json::Options {
                compact: true,
                ..json::Options::default()
            };
            json::print(&loaded.bytes, loaded.message, &options)
        }
        Err(errors) => {
            let lines = errors.errors.iter().map(ToString::to_string);
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn check(format: Format, cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(outcome(text, format), *wanted, "of {text}");
    }
}

/// A cluster with one more field.
fn cluster(field: &str) -> String {
    format!("static_resources: {{clusters: [{{name: a, {field}}}]}}")
}

fn check_cluster(cases: &[(&str, &str)]) {
    for (field, wanted) in cases {
        let found = outcome(&cluster(field), Format::Yaml);
        let found = found
            .strip_prefix(r#"{"static_resources":{"clusters":[{"name":"a""#)
            .map_or(found.clone(), |rest| {
                rest.trim_start_matches(',')
                    .trim_end_matches("}]}}")
                    .to_owned()
            });
        let found = found.replace("static_resources.clusters[0]", "~");
        assert_eq!(found, *wanted, "of {field}");
    }
}

fn listener(hcm: &str) -> String {
    format!(
        "static_resources:\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: \
         a, port_value: 0}}}}\n    filter_chains:\n    - filters:\n      - name: h\n        \
         typed_config:\n          \"@type\": {HCM}\n          stat_prefix: a\n          \
         route_config: {{}}\n          {hcm}\n"
    )
}
