//! Handshakes, certificates, chains by name, clients' certificates, bulk and closing.

use super::authority::Authority;
use super::client::Client;
use crate::harness::{Config, Proxy, direct, network_filter, validate};
use rustls::HandshakeKind;
use serde_json::{Value, json};
use std::io::{Read, Write};

const TLS: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// A listener's transport socket.
pub fn tls(common: Value, fields: Value) -> Value {
    let mut config = json!({"@type": TLS, "common_tls_context": common});
    let more = fields.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    json!({"name": "envoy.transport_sockets.tls", "typed_config": config})
}

/// A proxy that sends back what comes.
pub fn echo() -> Config {
    Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
}

fn stat(proxy: &Proxy, name: &str) -> u64 {
    proxy.stat(&format!("listener.127.0.0.1_0.{name}"))
}

#[test]
fn requests_are_answered_over_tls() {
    let authority = Authority::new("authority");
    let identity = authority.sign("a.test");
    let common = json!({"tls_certificates": [identity.json()], "alpn_protocols": ["http/1.1"]});
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, json!({})))
        .access_log("%DOWNSTREAM_TLS_VERSION% %PROTOCOL%")
        .start();
    let address = proxy.listener("main");
    for protocols in [&["http/1.1"][..], &["unknown"], &[]] {
        let client = Client::new(&authority, None).alpn(protocols);
        let mut connection = client.connect(address, "a.test").unwrap();
        for _ in 0..3 {
            assert_eq!(connection.get("/").unwrap().brief(), (200, "secret".into()));
        }
        let agreed = connection.connection().alpn_protocol();
        assert_eq!(agreed.is_some(), protocols == ["http/1.1"]);
    }
    assert_eq!(stat(&proxy, "ssl.handshake"), 3);
    assert_eq!(stat(&proxy, "ssl.no_certificate"), 3);
    assert_eq!(proxy.stat("http.http.downstream_cx_ssl_total"), 3);
    assert!(
        proxy
            .access_log(9)
            .iter()
            .all(|line| line == "TLSv1.3 HTTP/1.1")
    );
    // Who speaks plain text is told in an alert, and counted.
    let mut plain = proxy.connect();
    plain.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    plain.read_to_end();
    assert_eq!(stat(&proxy, "ssl.connection_error"), 1);
}

#[test]
fn bulk_passes_both_ways() {
    const SIZE: usize = 8_000_000;
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = echo().transport_socket(tls(common, json!({}))).start();
    let client = Client::new(&authority, None);
    let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
    let sent: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    for chunk in sent.chunks(100_000) {
        connection.send(chunk).unwrap();
        assert!(connection.read(chunk.len()).unwrap() == chunk);
    }
    // The client ends, the proxy answers with its own end.
    let stream = connection.reader.get_mut();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = echo().transport_socket(tls(common, json!({}))).start();
    let client = Client::new(&authority, None);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
        connection.send("x").unwrap();
        connection.read(1).unwrap();
        assert_eq!(connection.connection().handshake_kind(), Some(kind));
    }
    assert_eq!(stat(&proxy, "ssl.session_reused"), 1);
}

#[test]
fn certificates_are_chosen_by_name() {
    let authority = Authority::new("authority");
    let names = ["a.test", "*.b.test"].map(|name| authority.sign(name).json());
    let proxy = echo()
        .transport_socket(tls(json!({"tls_certificates": names}), json!({})))
        .start();
    let client = Client::new(&authority, None);
    for (name, shown) in [("a.test", "a.test"), ("x.b.test", "*.b.test")] {
        let connection = client.connect(proxy.listener("main"), name).unwrap();
        assert!(connection.server_shows(shown), "{name}");
    }
    // As in Envoy the first stands in where none is for the name.
    assert!(
        client
            .connect(proxy.listener("main"), "other.test")
            .is_err()
    );
}

#[test]
fn clients_must_show_what_is_asked_for() {
    let authority = Authority::new("authority");
    let other = Authority::new("other");
    let names = json!([{"san_type": "URI", "matcher": {"prefix": "spiffe://test/good"}}]);
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {
            "trusted_ca": {"inline_string": authority.pem},
            "match_typed_subject_alt_names": names,
        },
    });
    let fields = json!({"require_client_certificate": true});
    let proxy = echo().transport_socket(tls(common, fields)).start();
    let good = authority.sign("good.test");
    let cases = [
        (Some(good), None),
        (Some(authority.sign("bad.test")), Some("fail_verify_san")),
        (Some(other.sign("good.test")), Some("fail_verify_error")),
        (None, Some("fail_verify_no_cert")),
    ];
    for (shown, failure) in cases {
        let client = Client::new(&authority, shown.as_ref());
        let connected = client.connect(proxy.listener("main"), "a.test");
        // In TLS 1.3 the client learns it with its first read.
        let answered = connected.and_then(|mut connection| {
            connection.send("x")?;
            connection.read(1)
        });
        assert_eq!(answered.is_ok(), failure.is_none(), "{failure:?}");
        if let Some(failure) = failure {
            assert_eq!(stat(&proxy, &format!("ssl.{failure}")), 1);
        }
    }
    assert_eq!(stat(&proxy, "ssl.handshake"), 1);
}

#[test]
fn a_silent_client_is_not_waited_for() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = echo()
        .transport_socket(tls(common, json!({})))
        .filter_chain(json!({"transport_socket_connect_timeout": "0.2s"}))
        .start();
    let mut silent = proxy.connect();
    silent.send([22, 3, 1]);
    assert!(silent.read_to_end().is_empty());
    let timeouts = "downstream_cx_transport_socket_connect_timeout";
    assert_eq!(stat(&proxy, timeouts), 1);
}

#[test]
fn chains_are_chosen_by_what_the_inspector_sees() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let config = || {
        echo()
            .transport_socket(tls(common.clone(), json!({})))
            .filter_chain(json!({"filter_chain_match": {"server_names": ["a.test"]}}))
    };
    let client = Client::new(&authority, None);
    // It is there only where it is configured.
    let proxy = config().start();
    assert!(client.connect(proxy.listener("main"), "a.test").is_err());
    assert_eq!(stat(&proxy, "no_filter_chain_match"), 1);
    let proxy = config()
        .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", json!({}))
        .start();
    let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
    connection.send("x").unwrap();
    assert_eq!(connection.read(1).unwrap(), b"x");
    assert!(client.connect(proxy.listener("main"), "b.test").is_err());
    let mut plain = proxy.connect();
    plain.send("hello");
    plain.read_to_end();
    assert_eq!(stat(&proxy, "no_filter_chain_match"), 2);
    assert_eq!(proxy.stat("tls_inspector.sni_found"), 2);
    assert_eq!(proxy.stat("tls_inspector.tls_not_found"), 1);
}

#[test]
fn the_inspector_takes_fingerprints() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let fields = json!({"enable_ja3_fingerprinting": true, "enable_ja4_fingerprinting": true});
    let proxy = echo()
        .transport_socket(tls(common, json!({})))
        .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", fields)
        .listener_log("%TLS_JA3_FINGERPRINT% %TLS_JA4_FINGERPRINT%")
        .start();
    let client = Client::new(&authority, None).alpn(&["h2"]);
    drop(client.connect(proxy.listener("main"), "a.test").unwrap());
    let line = proxy.access_log(1).remove(0);
    let (ja3, ja4) = line.split_once(' ').unwrap();
    assert_eq!(ja3.len(), 32, "{line}");
    assert!(ja4.starts_with("t13d") && ja4.contains("h2_"), "{line}");
}

#[test]
fn both_sides_sign_as_they_are_told() {
    let authority = Authority::new("authority");
    let shown = authority.sign("client.test");
    let common = |schemes: &[&str]| {
        json!({
            "tls_certificates": [authority.sign("a.test").json()],
            "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
            "tls_params": {"signature_algorithms": schemes},
        })
    };
    // Its own certificate is of P-256, as are the clients'.
    for (schemes, is_served) in [
        (&["rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"][..], true),
        (&["ECDSA+SHA256"], true),
        (&["ecdsa_secp384r1_sha384", "rsa_pkcs1_sha256"], false),
    ] {
        let proxy = echo()
            .transport_socket(tls(common(schemes), json!({})))
            .start();
        let client = Client::new(&authority, Some(&shown));
        let answered = client.connect(proxy.listener("main"), "a.test");
        let answered = answered.and_then(|mut connection| {
            connection.send("x")?;
            connection.read(1)
        });
        assert_eq!(answered.is_ok(), is_served, "{schemes:?}: {answered:?}");
        let signed = "ssl.sigalgs.ecdsa_secp256r1_sha256";
        match is_served {
            true => assert_eq!(stat(&proxy, signed), 1),
            false => assert_eq!(stat(&proxy, "ssl.connection_error"), 1),
        }
    }
}

#[test]
fn schemes_that_are_none_are_refused() {
    let authority = Authority::new("authority");
    for schemes in [
        &["nope", "ed25519"][..],
        &["ed25519", "ed25519"],
        &["ECDSA+SHA256:ecdsa_secp256r1_sha256"],
    ] {
        let common = json!({
            "tls_certificates": [authority.sign("a.test").json()],
            "tls_params": {"signature_algorithms": schemes},
        });
        let config = echo().transport_socket(tls(common, json!({})));
        let validation = validate("bootstrap.json", &config.json().to_string());
        let list = schemes.join(":");
        let expected = format!("Failed to initialize TLS signature algorithms {list}");
        assert_eq!(validation.code, Some(1));
        assert!(validation.text.contains(&expected), "{}", validation.text);
    }
}

/// Managers count connections that never reach them.
#[test]
fn failed_handshakes_are_connections() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, json!({})))
        .start();
    let mut plain = proxy.connect();
    plain.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    plain.read_to_end();
    proxy.wait_stat("http.http.downstream_cx_destroy", 1);
    for (stat, expected) in [
        ("total", 1),
        ("ssl_total", 1),
        ("destroy_remote", 1),
        ("destroy_local", 0),
        ("active", 0),
        ("ssl_active", 0),
    ] {
        let name = format!("http.http.downstream_cx_{stat}");
        assert_eq!(proxy.stat(&name), expected, "{stat}");
    }
}
