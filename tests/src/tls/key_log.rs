//! Secrets of connections in a file, for whoever has to read what was captured.

use super::authority::Authority;
use super::client::Client;
use super::server::tls;
use super::upstream::{cluster, host};
use crate::harness::{Config, direct, route, wait_for};
use serde_json::{Value, json};

fn ranges(prefixes: &[(&str, u8)]) -> Value {
    let range =
        |(prefix, length): &(&str, u8)| json!({"address_prefix": prefix, "prefix_len": length});
    prefixes.iter().map(range).collect()
}

/// What is logged of a connection of TLS 1.3.
const LABELS: [&str; 5] = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
];

/// The labels of a log's lines, in order.
fn labels(log: &str) -> Vec<String> {
    let lines = log.lines().map(|line| {
        let mut words = line.split(' ');
        let label = words.next().unwrap();
        let bytes: Vec<usize> = words.map(str::len).collect();
        assert!(bytes == [64, 64] || bytes == [64, 96], "{line}");
        label.to_owned()
    });
    let mut labels: Vec<_> = lines.collect();
    labels.sort();
    labels
}

#[test]
fn secrets_of_clients_are_logged_by_address() {
    let authority = Authority::new("authority");
    let near = ranges(&[("10.0.0.0", 8), ("127.0.0.0", 8)]);
    let far = ranges(&[("10.0.0.0", 8)]);
    for (ranges, is_logged) in [
        (json!({}), true),
        (
            json!({"local_address_range": near, "remote_address_range": near}),
            true,
        ),
        (
            json!({"local_address_range": near, "remote_address_range": far}),
            false,
        ),
        (json!({"local_address_range": far}), false),
    ] {
        let mut key_log = ranges.clone();
        key_log["path"] = "${folder}/keys".into();
        let common = json!({
            "tls_certificates": [authority.sign("a.test").json()],
            "key_log": key_log,
        });
        let proxy = Config::http(&[direct("/", 200, "secret")])
            .transport_socket(tls(common, json!({})))
            .start();
        let client = Client::new(&authority, None);
        let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
        assert_eq!(connection.get("/").unwrap().status, 200);
        if is_logged {
            wait_for("the secrets", || {
                (labels(&proxy.file("keys")) == LABELS).then_some(())
            });
        } else {
            assert_eq!(proxy.file("keys"), "", "{ranges}");
            assert_eq!(proxy.stat("filesystem.write_buffered"), 0, "{ranges}");
        }
    }
}

#[test]
fn secrets_with_hosts_are_logged() {
    let authority = Authority::new("authority");
    let host = host(&authority, json!({}));
    let key_log = json!({
        "path": "${folder}/keys",
        "remote_address_range": ranges(&[("127.0.0.1", 32)]),
    });
    let fields = cluster(json!({"common_tls_context": {"key_log": key_log}}));
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.listener("main")], fields)
        .start();
    assert_eq!(proxy.get("/").text(), "secret");
    let line = wait_for("the secret", || {
        let keys = proxy.file("keys");
        keys.ends_with('\n').then_some(keys)
    });
    assert!(line.starts_with("CLIENT_RANDOM "), "{line}");
}
