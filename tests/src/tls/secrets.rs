//! Secrets from files that change while the proxy serves.

use super::authority::{Authority, Identity};
use super::client::Client;
use super::server::tls;
use crate::dynamic::{node, path_source, response};
use crate::harness::{Config, direct, is_envoy, wait_for};
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

/// Envoy watches for secrets over SDS only.
#[test]
fn certificates_in_watched_directories_change_without_sds() {
    if is_envoy() {
        return;
    }
    let [authority, clients, others] = ["servers", "clients", "others"].map(Authority::new);
    let [old, new] = ["a.test", "b.test"].map(|name| authority.sign(name));
    let file = |name: &str| json!({"filename": format!("${{folder}}/{name}")});
    let watched = json!({"path": "${folder}"});
    let common = json!({
        "tls_certificates": [{
            "certificate_chain": file("chain.pem"),
            "private_key": file("key.pem"),
            "watched_directory": watched,
        }],
        "validation_context": {"trusted_ca": file("ca.pem"), "watched_directory": watched},
    });
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, json!({"require_client_certificate": true})))
        .file("chain.pem", &old.chain)
        .file("key.pem", &old.key)
        .file("ca.pem", &clients.pem)
        .start();
    let address = proxy.listener("main");
    let answers = |client: &Client, name: &str| {
        let answer = client.connect(address, name).ok()?.get("/").ok()?;
        (answer.status == 200).then_some(())
    };
    let client = Client::new(&authority, Some(&clients.sign("client")));
    let mut kept = client.connect(address, "a.test").unwrap();
    assert_eq!(kept.get("/").unwrap().status, 200);
    // Between the two renames the key is not that of the certificate: what was there goes on.
    proxy.replace("chain.pem", &new.chain);
    wait_for("a warning", || {
        proxy.log().contains("Failed to reload").then_some(())
    });
    assert!(answers(&client, "a.test").is_some());
    proxy.replace("key.pem", &new.key);
    wait_for("the new certificate", || answers(&client, "b.test"));
    // Who was let in by the old authority is not let in by a session of that time.
    proxy.replace("ca.pem", &others.pem);
    let other = Client::new(&authority, Some(&others.sign("other")));
    wait_for("the new authority", || answers(&other, "b.test"));
    assert!(answers(&client, "b.test").is_none());
    assert_eq!(kept.get("/").unwrap().status, 200);
    let updates = "listener.127.0.0.1_0.server_ssl_socket_factory.ssl_context_update_by_sds";
    assert_eq!(proxy.stat(updates), 2);
}

#[test]
fn what_is_in_files_is_shown() {
    let authority = Authority::new("authority");
    let own = authority.sign("a.test");
    let names = json!([{"name": "own", "sds_config": path_source("own.json")}]);
    let ca = json!({"name": "ca", "sds_config": path_source("ca.json")});
    let context = tls(
        json!({
            "tls_certificate_sds_secret_configs": names,
            "validation_context_sds_secret_config": ca,
        }),
        json!({}),
    );
    let file = |name: &str| json!({"filename": format!("${{folder}}/{name}")});
    let certificate =
        json!({"certificate_chain": file("chain.pem"), "private_key": file("key.pem")});
    let config = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(context)
        .bootstrap(node());
    let proxy = config
        .file("chain.pem", &own.chain)
        .file("key.pem", &own.key)
        .file(
            "own.json",
            response(
                "1",
                TYPE,
                &[json!({"name": "own", "tls_certificate": certificate})],
            ),
        )
        .file(
            "ca.json",
            response(
                "1",
                TYPE,
                &[json!({
                    "name": "ca",
                    "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
                })],
            ),
        )
        .start();
    // Each of the two made the context anew.
    let updates = "listener.127.0.0.1_0.server_ssl_socket_factory.ssl_context_update_by_sds";
    assert_eq!(proxy.stat(updates), 2);
    let dump = proxy.admin_json("/config_dump?resource=dynamic_active_secrets");
    let secrets = dump["configs"].as_array().unwrap();
    let shown = secrets
        .iter()
        .find(|secret| secret["name"] == "own")
        .unwrap();
    let shown = &shown["secret"]["tls_certificate"];
    assert!(
        shown["certificate_chain"]["inline_bytes"].is_string(),
        "{shown}"
    );
    assert_eq!(shown["private_key"]["inline_bytes"], "W3JlZGFjdGVkXQ==");
}
