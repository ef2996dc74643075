//! Which crate may depend on which: ARCHITECTURE.md's layers, held against `cargo metadata`.

use crate::tree::{Finding, Tree};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A crate of the data plane, and the crates of ours it may depend on.
const DATA_PLANE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("codec", &["base", "stats"]),
    ("matching", &["base"]),
    ("stats", &["base"]),
    ("stream_info", &["base"]),
    ("worker", &["base", "stats"]),
    (
        "net",
        &["base", "matching", "stats", "stream_info", "worker"],
    ),
    (
        "observe",
        &["base", "matching", "stats", "stream_info", "worker"],
    ),
    (
        "policy",
        &["base", "matching", "stats", "stream_info", "worker"],
    ),
    (
        "route",
        &[
            "base",
            "matching",
            "observe",
            "policy",
            "stats",
            "stream_info",
        ],
    ),
    (
        "http",
        &[
            "base",
            "codec",
            "matching",
            "net",
            "observe",
            "route",
            "stats",
            "stream_info",
            "worker",
        ],
    ),
    (
        "upstream",
        &[
            "base",
            "codec",
            "matching",
            "net",
            "stats",
            "stream_info",
            "worker",
        ],
    ),
    (
        "router",
        &[
            "base",
            "codec",
            "http",
            "matching",
            "net",
            "observe",
            "route",
            "stats",
            "stream_info",
            "upstream",
            "worker",
        ],
    ),
    (
        "grpc",
        &[
            "base", "codec", "http", "router", "stats", "upstream", "worker",
        ],
    ),
    (
        "listener",
        &[
            "base",
            "matching",
            "net",
            "observe",
            "policy",
            "stats",
            "stream_info",
            "worker",
        ],
    ),
];

/// A crate above the data plane, and what it may depend on besides all of the data plane.
const CONTROL_PLANE: &[(&str, &[&str])] = &[
    ("extension", &["proto"]),
    ("xds", &["extension", "proto"]),
    ("config", &["extension", "proto", "xds"]),
    ("server", &["admin", "config", "extension", "proto", "xds"]),
    (
        "nuncio",
        &["admin", "config", "extension", "proto", "server", "ext-*"],
    ),
    ("ext-*", &["config", "extension", "proto"]),
];

/// Crates with a list of their own, of which the data plane is no part.
const APART: &[(&str, &[&str])] = &[
    ("proto", &[]),
    (
        "admin",
        &[
            "base",
            "codec",
            "http",
            "matching",
            "proto",
            "stats",
            "stream_info",
        ],
    ),
    ("bench", &["proto"]),
    ("tests", &["nuncio", "proto"]),
    ("xtask", &[]),
];

/// What no crate of the data plane may reach, however indirectly.
const FORBIDDEN: [&str; 6] = [
    "envoy-types",
    "h2",
    "hyper",
    "prost",
    "prost-reflect",
    "tonic",
];

/// Objects to dependencies in the wrong direction.
pub fn check(tree: &Tree, metadata: &str) -> Vec<Finding> {
    let Ok(metadata) = serde_json::from_str::<Value>(metadata) else {
        return vec![Finding::new(
            "Cargo.toml",
            0,
            "`cargo metadata` prints no JSON",
        )];
    };
    let lock = tree
        .file("Cargo.lock")
        .map_or("", |file| file.text.as_str());
    let graph = graph(lock);
    let mut findings = Vec::new();
    for package in array(&metadata, "packages") {
        let name = string(package, "name");
        let path = manifest(package, string(&metadata, "workspace_root"));
        let mut object = |message: String| findings.push(Finding::new(&path, 0, message));
        let Some(allowed) = allowed(short(name)) else {
            object(format!(
                "{name} has no place among the layers: xtask/src/tidy/layers.rs"
            ));
            continue;
        };
        for dependency in array(package, "dependencies") {
            let needed = string(dependency, "name");
            // Tests may look at what a crate is compared with, but not reach up in our layers.
            let test = string(dependency, "kind") == "dev";
            if let Some(ours) = ours(needed) {
                if !allowed.contains(kind(ours)) {
                    object(format!("{name} may not depend on {needed}"));
                }
            } else if !test && is_data_plane(short(name)) {
                for reached in reach(&graph, needed) {
                    object(format!("{name} reaches {reached} through {needed}"));
                }
            }
        }
    }
    findings
}

/// A crate's name without the prefix.
fn short(name: &str) -> &str {
    ours(name).unwrap_or(name)
}

fn ours(name: &str) -> Option<&str> {
    if name == "nuncio" {
        Some(name)
    } else {
        name.strip_prefix("nuncio-")
    }
}

/// The name that the tables have for a crate.
fn kind(short: &str) -> &str {
    if short.starts_with("ext-") {
        "ext-*"
    } else {
        short
    }
}

fn is_data_plane(short: &str) -> bool {
    DATA_PLANE.iter().any(|(name, _)| *name == folder(short))
}

/// Packages have hyphens where folders have underscores.
fn folder(short: &str) -> String {
    short.replace('-', "_")
}

struct Allowed(Vec<&'static str>);

impl Allowed {
    fn contains(&self, kind: &str) -> bool {
        self.0
            .iter()
            .any(|name| *name == kind || *name == folder(kind))
    }
}

/// The crates that one may depend on; none if it is in no table.
fn allowed(short: &str) -> Option<Allowed> {
    let find = |table: &'static [(&str, &[&'static str])]| {
        let mut rows = table.iter();
        rows.find(|(name, _)| *name == kind(short) || *name == folder(short))
            .map(|row| row.1)
    };
    if let Some(above) = find(CONTROL_PLANE) {
        let data_plane = DATA_PLANE.iter().map(|(name, _)| *name);
        return Some(Allowed(data_plane.chain(above.iter().copied()).collect()));
    }
    let below = find(DATA_PLANE).or_else(|| find(APART))?;
    Some(Allowed(below.to_vec()))
}

/// Which of the forbidden crates a crate is or reaches.
fn reach(graph: &BTreeMap<&str, Vec<&str>>, from: &str) -> Vec<&'static str> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in graph.get(name).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    FORBIDDEN
        .into_iter()
        .filter(|name| seen.contains(name))
        .collect()
}

/// Who needs whom, from a Cargo.lock; several versions of a crate are one.
fn graph(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut graph: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut package = "";
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            package = name.trim_matches('"');
            graph.entry(package).or_default();
        } else if let Some(needed) = line.strip_prefix(" \"") {
            let name = needed.split([' ', '"']).next().unwrap_or_default();
            graph.entry(package).or_default().push(name);
        }
    }
    graph
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn manifest(package: &Value, root: &str) -> String {
    let path = string(package, "manifest_path");
    path.strip_prefix(root)
        .unwrap_or(path)
        .trim_start_matches('/')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LOCK: &str = "\
[[package]]\nname = \"bytes\"\nversion = \"1\"\n
[[package]]\nname = \"helper\"\ndependencies = [\n \"bytes\",\n \"middle 1.0\",\n]\n
[[package]]\nname = \"middle\"\ndependencies = [\n \"prost\",\n]\n";

    /// The finding for a crate that needs another; empty if there is none.
    fn check_one(name: &str, needed: &str, kind: Option<&str>) -> String {
        let package = json!({
            "name": name,
            "manifest_path": "/root/crates/x/Cargo.toml",
            "dependencies": [{"name": needed, "kind": kind}],
        });
        let metadata = json!({"workspace_root": "/root", "packages": [package]}).to_string();
        let findings = check(&Tree::of(&[("Cargo.lock", LOCK)]), &metadata);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dependencies_go_down() {
        for (name, needed, good) in [
            ("nuncio-net", "nuncio-base", true),
            ("nuncio-base", "nuncio-net", false),
            ("nuncio-http", "nuncio-stream-info", true),
            ("nuncio-stream-info", "nuncio-http", false),
            ("nuncio-http", "nuncio-proto", false),
            ("nuncio-upstream", "nuncio-http", false),
            ("nuncio-config", "nuncio-router", true),
            ("nuncio-config", "nuncio-server", false),
            ("nuncio-ext-http-filters", "nuncio-config", true),
            ("nuncio-ext-http-filters", "nuncio-ext-upstream", false),
            ("nuncio-ext-http-filters", "nuncio-server", false),
            ("nuncio-server", "nuncio-ext-upstream", false),
            ("nuncio", "nuncio-ext-upstream", true),
            ("nuncio-admin", "nuncio-upstream", false),
            ("nuncio-bench", "nuncio-base", false),
            ("nuncio-proto", "prost", true),
        ] {
            let found = check_one(name, needed, None);
            assert_eq!(found.is_empty(), good, "{name} -> {needed}: {found}");
        }
    }

    #[test]
    fn the_data_plane_reaches_no_protos() {
        let expected = "crates/x/Cargo.toml:0: nuncio-codec reaches prost through";
        assert_eq!(
            check_one("nuncio-codec", "prost", None),
            format!("{expected} prost")
        );
        assert_eq!(
            check_one("nuncio-codec", "helper", None),
            format!("{expected} helper")
        );
        assert_eq!(check_one("nuncio-codec", "helper", Some("dev")), "");
        assert_eq!(check_one("nuncio-codec", "bytes", None), "");
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let found = check_one("nuncio-new", "bytes", None);
        assert!(found.contains("no place among the layers"), "{found}");
    }

    #[test]
    fn the_tables_name_crates_that_may_be_named() {
        for (name, below) in DATA_PLANE {
            for needed in *below {
                assert!(allowed(needed).is_some(), "{name} -> {needed}");
                let back = allowed(needed).is_some_and(|allowed| allowed.contains(name));
                assert!(!back, "{name} and {needed} may depend on each other");
            }
        }
    }
}
