//! What the admin and the stats tell of certificates.

use super::authority::Authority;
use super::client::Client;
use super::server::tls;
use crate::harness::{Config, direct};
use serde_json::json;

#[test]
fn certificates_in_use_are_shown() {
    let authority = Authority::new("authority");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
    });
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, json!({})))
        .start();
    let shown = proxy.admin_json("/certs");
    let context = &shown["certificates"][0];
    assert_eq!(context["ca_cert"][0]["path"], "<inline>");
    let names = &context["cert_chain"][0]["subject_alt_names"];
    assert_eq!(names[0], json!({"dns": "a.test"}));
    let days = proxy.stat("server.days_until_first_cert_expiring");
    assert_eq!(
        context["cert_chain"][0]["days_until_expiration"],
        days.to_string()
    );
    let expiration =
        "listener.127.0.0.1_0.ssl.certificate.unnamed_cert_e3b0c442.expiration_unix_time_seconds";
    assert!(proxy.stat(expiration) > days * 24 * 60 * 60);
}

#[test]
fn pinned_clients_are_counted_by_signature() {
    let authority = Authority::new("authority");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {
            "trusted_ca": {"inline_string": authority.pem},
            "match_typed_subject_alt_names":
                [{"san_type": "DNS", "matcher": {"exact": "client.test"}}],
        },
    });
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, json!({})))
        .start();
    let stat = |name: &str| proxy.stat(&format!("listener.127.0.0.1_0.ssl.{name}"));
    let shown = authority.sign("client.test");
    let client = Client::new(&authority, Some(&shown));
    let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
    assert_eq!(stat("sigalgs.ecdsa_secp256r1_sha256"), 1);
    // Names are asked for, so that a certificate must be shown.
    let client = Client::new(&authority, None);
    let silent = client.connect(proxy.listener("main"), "a.test");
    assert!(silent.is_err() || silent.unwrap().get("/").is_err());
    assert_eq!(stat("fail_verify_no_cert"), 1);
}
