//! Peers that the authorities of their own trust domain vouch for.

use super::authority::{Authority, Identity};
use super::client::Client;
use super::server::tls;
use crate::harness::{Config, Proxy, network_filter, validate};
use rcgen::{KeyUsagePurpose, SanType};
use serde_json::{Value, json};

/// A certificate with these URIs, for signatures of this kind.
fn sign(authority: &Authority, uris: &[&str], usage: KeyUsagePurpose) -> Identity {
    authority.sign_as("client.test", |params| {
        let names = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names = names.collect();
        params.key_usages = vec![usage];
    })
}

fn domain(name: &str, bundle: &str) -> Value {
    json!({"name": name, "trust_bundle": {"inline_string": bundle}})
}

fn config(own: &Identity, domains: &[Value], mut context: Value) -> Config {
    context["custom_validator_config"] = json!({
        "name": "envoy.tls.cert_validator.spiffe",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
                      SPIFFECertValidatorConfig",
            "trust_domains": domains,
        },
    });
    let common = json!({"tls_certificates": [own.json()], "validation_context": context});
    Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .transport_socket(tls(common, json!({})))
}

fn is_served(proxy: &Proxy, server: &Authority, shown: Option<&Identity>) -> bool {
    let client = Client::new(server, shown);
    let connected = client.connect(proxy.listener("main"), "own.test");
    let answered = connected.and_then(|mut connection| {
        connection.send("x")?;
        connection.read(1)
    });
    answered.is_ok()
}

#[test]
fn authorities_vouch_for_their_own_domain() {
    let [server, a, b] = ["server", "a", "b"].map(Authority::new);
    let own = server.sign("own.test");
    let domains = [domain("a.test", &a.pem), domain("b.test", &b.pem)];
    let proxy = config(&own, &domains, json!({})).start();
    use KeyUsagePurpose::{DigitalSignature as Signs, KeyCertSign};
    let (in_a, in_b) = ("spiffe://a.test/x", "spiffe://b.test/x");
    let cases = [
        (sign(&a, &[in_a], Signs), true),
        (sign(&b, &[in_b], Signs), true),
        // Another domain's, nobody's, and none.
        (sign(&a, &[in_b], Signs), false),
        (sign(&a, &["spiffe://c.test/x"], Signs), false),
        (sign(&a, &["spiffe://a.test"], Signs), false),
        (sign(&a, &["http://a.test/x", in_a], Signs), false),
        (sign(&a, &[], Signs), false),
        // An authority is no workload.
        (sign(&a, &[in_a], KeyCertSign), false),
        (a.sign("a.test"), false),
    ];
    for (at, (shown, expected)) in cases.iter().enumerate() {
        let served = is_served(&proxy, &server, Some(shown));
        assert_eq!(served, *expected, "{at}");
    }
    assert!(!is_served(&proxy, &server, None));
    let stat = |name: &str| proxy.stat(&format!("listener.127.0.0.1_0.ssl.{name}"));
    assert_eq!(stat("fail_verify_no_cert"), 1);
    assert!(stat("fail_verify_error") >= 6);
    let certificates = proxy.admin_json("/certs");
    let authorities = certificates["certificates"][0]["ca_cert"].as_array();
    assert_eq!(authorities.map(Vec::len), Some(2));
}

#[test]
fn uris_alone_are_matched() {
    let [server, a] = ["server", "a"].map(Authority::new);
    let own = server.sign("own.test");
    let names = json!([
        {"san_type": "URI", "matcher": {"suffix": "/good"}},
        {"san_type": "DNS", "matcher": {"exact": "client.test"}},
    ]);
    let context = json!({"match_typed_subject_alt_names": names});
    let proxy = config(&own, &[domain("a.test", &a.pem)], context).start();
    for (path, expected) in [("good", true), ("bad", false)] {
        let uri = format!("spiffe://a.test/{path}");
        let shown = sign(&a, &[&uri], KeyUsagePurpose::DigitalSignature);
        assert_eq!(is_served(&proxy, &server, Some(&shown)), expected, "{path}");
    }
    let stat = "listener.127.0.0.1_0.ssl.fail_verify_san";
    assert_eq!(proxy.stat(stat), 1);
}

#[test]
fn what_is_no_bundle_is_refused() {
    let authority = Authority::new("a");
    let own = authority.sign("own.test");
    let good = domain("a.test", &authority.pem);
    let failed = "Failed to load trusted CA certificate for a.test";
    for (domains, expected) in [
        (
            &[good.clone(), good][..],
            "Multiple trust bundles are given for one trust domain for a.test, workload: ",
        ),
        (&[domain("a.test", "none")], failed),
        (&[json!({"name": "a.test"})], failed),
    ] {
        let text = config(&own, domains, json!({})).json().to_string();
        let validation = validate("bootstrap.json", &text);
        assert_eq!(validation.code, Some(1));
        assert!(validation.text.contains(expected), "{}", validation.text);
    }
}
