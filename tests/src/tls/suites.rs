//! Cipher suites of TLS 1.2: the server's order counts, and among equals the client's.

use super::authority::Authority;
use super::client::Client;
use super::server::{echo, tls};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, ClientConfig, version};
use serde_json::json;
use std::sync::Arc;

const AES: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const CHACHA: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
const LONG: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;

/// A client that offers these suites, in this order.
fn offering(authority: &Authority, suites: &[CipherSuite]) -> Client {
    let all = aws_lc_rs::ALL_CIPHER_SUITES.iter();
    let find = |wanted: &CipherSuite| all.clone().find(|one| one.suite() == *wanted).copied();
    let provider = CryptoProvider {
        cipher_suites: suites.iter().filter_map(find).collect(),
        ..aws_lc_rs::default_provider()
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&version::TLS12]).unwrap();
    let builder = builder.with_root_certificates(authority.roots());
    Client {
        config: builder.with_no_client_auth(),
    }
}

#[test]
fn clients_order_equals() {
    let authority = Authority::new("authority");
    let equals = "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]";
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "tls_params": {"cipher_suites": [equals, "ECDHE-ECDSA-AES256-GCM-SHA384"]},
    });
    let proxy = echo().transport_socket(tls(common, json!({}))).start();
    for (offered, expected) in [
        (&[AES, CHACHA, LONG][..], AES),
        (&[LONG, CHACHA, AES], CHACHA),
        (&[LONG, AES, CHACHA], AES),
        (&[LONG, CHACHA], CHACHA),
        (&[LONG], LONG),
    ] {
        let client = offering(&authority, offered);
        let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
        let agreed = connection.connection().negotiated_cipher_suite();
        assert_eq!(agreed.map(|suite| suite.suite()), Some(expected));
        connection.send("hello").unwrap();
        assert_eq!(connection.read(5).unwrap(), b"hello");
    }
}
