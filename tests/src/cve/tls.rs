//! Certificates that seem to be others, and connections that say less than usual. That sessions
//! are not resumed where the trust is another (CVE-2022-21654) is tested with tickets.

use super::check_alive;
use crate::harness::{Config, Proxy, Upstream, direct, route};
use crate::tls::authority::{Authority, Identity};
use crate::tls::client::Client;
use crate::tls::server::tls;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use serde_json::{Value, json};
use std::time::Duration;

/// A proxy that wants certificates with the DNS name `a.test`.
fn demanding(authority: &Authority) -> Proxy {
    let names = json!([{"san_type": "DNS", "matcher": {"exact": "a.test"}}]);
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {
            "trusted_ca": {"inline_string": authority.pem},
            "match_typed_subject_alt_names": names,
        },
    });
    let socket = tls(common, json!({"require_client_certificate": true}));
    Config::http(&[direct("/", 200, "alive")])
        .transport_socket(socket)
        .start()
}

fn is_let_in(proxy: &Proxy, authority: &Authority, shown: &Identity) -> bool {
    let client = Client::new(authority, Some(shown));
    let connected = client.connect(proxy.listener("main"), "a.test");
    connected.is_ok_and(|mut connection| connection.get("/").is_ok())
}

fn names(params: &mut CertificateParams, names: Vec<SanType>) {
    params.subject_alt_names = names;
}

/// CVE-2022-21656: a name of one kind is none of another. CVE-2025-66220 and CVE-2026-47778: a name
/// does not end at a zero byte.
#[test]
fn cve_2022_21656_2025_66220_2026_47778_names_that_are_others() {
    let authority = Authority::new("authority");
    let proxy = demanding(&authority);
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let mail = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    let other = |name: &str| SanType::OtherName((vec![1, 2, 3], name.into()));
    let good = authority.sign("a.test");
    assert!(is_let_in(&proxy, &authority, &good));
    let mut refused = 0;
    for san in [
        vec![uri("a.test")],
        vec![mail("a.test")],
        vec![other("a.test")],
        vec![dns("a.test\0.evil.test")],
        vec![other("a.test\0.evil.test")],
        vec![uri("spiffe://test/x"), mail("a.test\0")],
        vec![],
    ] {
        let shown = authority.sign_as("a.test", |params| names(params, san.clone()));
        assert!(!is_let_in(&proxy, &authority, &shown), "{san:?}");
        refused += 1;
    }
    let stat = |name: &str| proxy.stat(&format!("listener.127.0.0.1_0.ssl.{name}"));
    assert_eq!(stat("fail_verify_san") + stat("fail_verify_error"), refused);
}

/// A certificate for servers is none for clients.
#[test]
fn cve_2022_21657_certificates_for_another_use() {
    let authority = Authority::new("authority");
    let proxy = demanding(&authority);
    for (purpose, expected) in [
        (ExtendedKeyUsagePurpose::ClientAuth, true),
        (ExtendedKeyUsagePurpose::ServerAuth, false),
        (ExtendedKeyUsagePurpose::CodeSigning, false),
    ] {
        let shown = authority.sign_as("a.test", |params| {
            params.extended_key_usages = vec![purpose.clone()];
        });
        let let_in = is_let_in(&proxy, &authority, &shown);
        assert_eq!(let_in, expected, "{purpose:?}");
    }
}

/// A wildcard stands for one label. CVE-2024-32475: names that are too long for SNI.
#[test]
fn cve_2020_15104_2024_32475_names_towards_hosts() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("*.a.test").json()]});
    let host = Config::http(&[direct("/", 200, "host")])
        .transport_socket(tls(common, json!({})))
        .start();
    let trusted = json!({"validation_context": {"trusted_ca": {"inline_string": authority.pem}}});
    let socket = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": trusted,
    });
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http = json!({
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http_protocol_options": {}},
        "upstream_http_protocol_options": {"auto_sni": true, "auto_san_validation": true},
    });
    let fields = json!({
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": socket},
        "typed_extension_protocol_options": {options: http},
    });
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster_with("up", &[host.listener("main")], fields)
        .start();
    let status = |name: &str| {
        let lines = format!("host: {name}\r\n");
        proxy.connect().request("GET", "/up", &lines, "").status
    };
    assert_eq!(status("x.a.test"), 200);
    assert_eq!(status("x.y.a.test"), 503);
    assert_eq!(status("a.test"), 503);
    assert_eq!(status(&format!("{}.a.test", "x".repeat(300))), 503);
    assert_eq!(status(&format!("{}a.test", "x.".repeat(150))), 503);
    assert_eq!(status("x.a.test"), 200);
    check_alive(&proxy);
}

/// Contexts share a certificate, and each has its own validation.
#[test]
fn cve_2020_8664_one_secret_in_two_contexts() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let own = json!({"name": "own", "tls_certificate": authority.sign("a.test").json()});
    let context = |trusts: &Authority| -> Value {
        let common = json!({
            "tls_certificate_sds_secret_configs": [{"name": "own"}],
            "validation_context": {"trusted_ca": {"inline_string": trusts.pem}},
        });
        tls(common, json!({"require_client_certificate": true}))
    };
    let config = Config::http(&[direct("/", 200, "alive")])
        .transport_socket(context(&authority))
        .bootstrap(json!({"static_resources": {"secrets": [own]}}));
    let mut both = config.json();
    let mut second = both["static_resources"]["listeners"][0].clone();
    second["name"] = "second".into();
    second["filter_chains"][0]["transport_socket"] = context(&other);
    let listeners = both["static_resources"]["listeners"]
        .as_array_mut()
        .unwrap();
    listeners.push(second);
    let listeners =
        json!({"static_resources": {"listeners": both["static_resources"]["listeners"]}});
    let proxy = config.bootstrap(listeners).start();
    let shown = authority.sign("client.test");
    let client = Client::new(&authority, Some(&shown));
    let get = |listener: &str| {
        let mut connection = client.connect(proxy.listener(listener), "a.test").ok()?;
        Some(connection.get("/").ok()?.status)
    };
    assert_eq!(get("main"), Some(200));
    // Not with a session of the other's either.
    assert_eq!(get("second"), None);
    assert_eq!(get("main"), Some(200));
}

/// Who names no server is served.
#[test]
fn cve_2026_47220_no_server_name() {
    let authority = Authority::new("authority");
    let identity = authority.sign_as("127.0.0.1", |_| {});
    let upstream = Upstream::ok("x");
    let common = json!({"tls_certificates": [identity.json()]});
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .transport_socket(tls(common, json!({})))
        .access_log("%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(HOST_FIRST)%")
        .start();
    let client = Client::new(&authority, None);
    let mut connection = client.connect(proxy.listener("main"), "127.0.0.1").unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
    assert_eq!(proxy.access_log(1), ["- a.test"]);
}

/// Names of certificates end no line and open no header.
#[test]
fn cve_2023_27493_names_with_other_lines_in_them() {
    let authority = Authority::new("authority");
    let upstream = Upstream::ok("alive");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
    });
    let header = json!({"key": "x-name", "value": "%DOWNSTREAM_PEER_URI_SAN%"});
    let mut told = route("/", "up");
    told["request_headers_to_add"] = json!([{"header": header}]);
    let proxy = Config::http(&[told])
        .manager(json!({
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": {"subject": true, "uri": true, "dns": true},
        }))
        .transport_socket(tls(common, json!({})))
        .cluster("up", &[upstream.address()])
        .start();
    for name in [
        "spiffe://a\r\nx-evil: 1\r\n\r\nGET /evil HTTP/1.1\r\nhost: a",
        "spiffe://a\nx-evil: 1",
        "spiffe://a\0b",
        "spiffe://a\";By=\"x",
    ] {
        let shown = authority.sign_as("client.test", |params| {
            names(params, vec![SanType::URI(name.try_into().unwrap())]);
        });
        let client = Client::new(&authority, Some(&shown));
        let answer = client
            .connect(proxy.listener("main"), "a.test")
            .and_then(|mut connection| connection.get("/"));
        // Whoever is served is told of in one line.
        if let Ok(answer) = answer {
            assert!(
                [200, 400, 503].contains(&answer.status),
                "{name:?}: {answer:?}"
            );
        }
    }
    for request in upstream.requests().iter() {
        assert_eq!(request.path, "/");
        assert_eq!(request.header("x-evil"), None, "{request:?}");
    }
    let good = Client::new(&authority, Some(&authority.sign("client.test")));
    let mut connection = good.connect(proxy.listener("main"), "a.test").unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
}

/// Alerts that there are not, at any time.
#[test]
fn cve_2021_28683_alerts_of_unknown_kinds() {
    let authority = Authority::new("authority");
    let common = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .transport_socket(tls(common, json!({})))
        .start();
    let hello = super::outside_the_path::client_hello(b"a.test");
    const PATIENCE: Duration = Duration::from_millis(50);
    for alert in [[2, 255], [1, 255], [9, 9], [1, 0], [2, 40]] {
        for first in [&hello[..], &[]] {
            let mut connection = proxy.connect();
            connection.send(first);
            let record = [&[21, 3, 3, 0, 2], &alert[..]].concat();
            let _ = connection.try_send(&record);
            let _ = connection.try_send(&record[..5]);
            let _ = connection.with_patience(PATIENCE).try_read(100);
        }
    }
    let client = Client::new(&authority, None);
    let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
    assert_eq!(connection.get("/").unwrap().text(), "alive");
}
