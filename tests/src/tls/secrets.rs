//! Secrets from files that change while the proxy serves.

use super::authority::{Authority, Identity};
use super::client::Client;
use super::server::tls;
use crate::dynamic::{node, path_source, response};
use crate::harness::{Config, direct, wait_for};
use rustls::HandshakeKind;
use serde_json::{Value, json};

const TYPE: &str = "extensions.transport_sockets.tls.v3.Secret";

fn secret(version: &str, identity: &Identity) -> Value {
    response(
        version,
        TYPE,
        &[json!({"name": "own", "tls_certificate": identity.json()})],
    )
}

#[test]
fn certificates_change_and_connections_stay() {
    let authority = Authority::new("authority");
    let [old, new] = ["a.test", "b.test"].map(|name| authority.sign(name));
    let named = json!([{"name": "own", "sds_config": path_source("own.json")}]);
    let context = tls(
        json!({"tls_certificate_sds_secret_configs": named}),
        json!({}),
    );
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(context)
        .bootstrap(node())
        .file("own.json", secret("1", &old))
        .start();
    let address = proxy.listener("main");
    let client = Client::new(&authority, None);
    let mut kept = client.connect(address, "a.test").unwrap();
    assert_eq!(kept.get("/").unwrap().status, 200);
    proxy.replace("own.json", secret("2", &new));
    proxy.wait_stat("sds.own.update_success", 2);
    // Workers are told by message. What was sealed with the old context's keys is not taken up by
    // the new one.
    let mut fresh = wait_for("the new certificate", || {
        client.connect(address, "b.test").ok()
    });
    assert_eq!(fresh.get("/").unwrap().status, 200);
    assert_eq!(
        fresh.connection().handshake_kind(),
        Some(HandshakeKind::Full)
    );
    assert!(client.connect(address, "a.test").is_err());
    assert_eq!(kept.get("/").unwrap().status, 200);
    // What is refused changes nothing.
    let mut bad = secret("3", &old);
    bad["resources"][0]["tls_certificate"]["private_key"] = json!({"inline_string": "none"});
    proxy.replace("own.json", bad);
    proxy.wait_stat("sds.own.update_rejected", 1);
    let mut fresh = client.connect(address, "b.test").unwrap();
    assert_eq!(fresh.get("/").unwrap().status, 200);
    let updates = "listener.127.0.0.1_0.server_ssl_socket_factory.ssl_context_update_by_sds";
    assert_eq!(proxy.stat(updates), 2);
    let dump = proxy.admin_json("/config_dump?resource=dynamic_active_secrets");
    assert_eq!(dump["configs"][0]["version_info"], "2");
}
