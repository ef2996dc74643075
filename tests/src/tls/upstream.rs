//! TLS towards hosts, and what they are told of clients' certificates.

use super::authority::Authority;
use super::client::Client;
use super::server::tls;
use crate::harness::{Config, Proxy, Upstream, direct, is_envoy, route};
use serde_json::{Value, json};

/// A cluster's fields, for TLS towards its hosts.
pub fn cluster(fields: Value) -> Value {
    let name = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    let mut config = json!({"@type": name});
    let more = fields.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    let socket = json!({"name": "envoy.transport_sockets.tls", "typed_config": config});
    json!({"transport_socket": socket})
}

/// A host that answers over TLS.
pub fn host(authority: &Authority, fields: Value) -> Proxy {
    let mut common = json!({"tls_certificates": [authority.sign("host.test").json()]});
    if fields.get("require_client_certificate").is_some() {
        common["validation_context"] = json!({"trusted_ca": {"inline_string": authority.pem}});
    }
    Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common, fields))
        .start()
}

#[test]
fn hosts_are_held_against_what_is_asked_of_them() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let host = host(&authority, json!({}));
    let hosts = [host.listener("main")];
    let ca = |authority: &Authority| json!({"inline_string": authority.pem});
    let san = |name| json!([{"san_type": "DNS", "matcher": {"exact": name}}]);
    let cases = [
        ("nothing", json!({}), None),
        ("ca", json!({"trusted_ca": ca(&authority)}), None),
        (
            "san",
            json!({"trusted_ca": ca(&authority), "match_typed_subject_alt_names": san("host.test")}),
            None,
        ),
        (
            "wrong_ca",
            json!({"trusted_ca": ca(&other)}),
            Some("fail_verify_error"),
        ),
        (
            "wrong_san",
            json!({"trusted_ca": ca(&authority), "match_typed_subject_alt_names": san("x.test")}),
            Some("fail_verify_san"),
        ),
    ];
    let routes = cases
        .iter()
        .map(|(name, ..)| route(&format!("/{name}"), name));
    let mut config = Config::http(&routes.collect::<Vec<_>>())
        .access_log("%UPSTREAM_TLS_VERSION% %UPSTREAM_TRANSPORT_FAILURE_REASON%");
    for (name, context, _) in &cases {
        let common = json!({"validation_context": context});
        let fields = cluster(json!({"sni": "host.test", "common_tls_context": common}));
        config = config.cluster_with(name, &hosts, fields);
    }
    let proxy = config.start();
    for (name, _, failure) in &cases {
        let status = proxy.get(&format!("/{name}")).status;
        assert_eq!(status == 200, failure.is_none(), "{name}: {status}");
        let stat = failure.unwrap_or("handshake");
        assert_eq!(
            proxy.stat(&format!("cluster.{name}.ssl.{stat}")),
            1,
            "{name}"
        );
    }
    let lines = proxy.access_log(cases.len());
    assert!(
        lines[..3].iter().all(|line| line == "TLSv1.2 -"),
        "{lines:?}"
    );
    let refused = "CERTIFICATE_VERIFY_FAILED";
    assert!(
        lines[3..].iter().all(|line| line.contains(refused)),
        "{lines:?}"
    );
}

/// Envoy has no use for the field, and would let everybody in.
#[test]
fn the_systems_authorities_are_held_against_hosts() {
    let bundle = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt");
    if is_envoy() || !bundle.exists() {
        eprintln!("left out: install ca-certificates");
        return;
    }
    let authority = Authority::new("authority");
    let host = host(&authority, json!({}));
    let common = json!({"validation_context": {"system_root_certs": {}}});
    let fields = cluster(json!({"common_tls_context": common}));
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.listener("main")], fields)
        .start();
    assert_eq!(proxy.get("/").status, 503);
    assert_eq!(proxy.stat("cluster.up.ssl.fail_verify_error"), 1);
}

#[test]
fn an_address_is_no_name_that_hosts_are_told() {
    let authority = Authority::new("authority");
    let host = host(&authority, json!({}));
    for sni in ["127.0.0.1", "fd00::1"] {
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with("up", &[host.listener("main")], cluster(json!({"sni": sni})))
            .start();
        assert_eq!(proxy.get("/").text(), "secret", "{sni}");
    }
}

#[test]
fn hosts_are_shown_a_certificate() {
    let authority = Authority::new("authority");
    let host = host(&authority, json!({"require_client_certificate": true}));
    let hosts = [host.listener("main")];
    let own = json!({"tls_certificates": [authority.sign("proxy.test").json()]});
    let proxy = Config::http(&[route("/shown", "with"), route("/hidden", "without")])
        .cluster_with("with", &hosts, cluster(json!({"common_tls_context": own})))
        .cluster_with(
            "without",
            &hosts,
            cluster(json!({"common_tls_context": {}})),
        )
        .start();
    assert_eq!(proxy.get("/shown").brief(), (200, "secret".into()));
    assert_eq!(proxy.get("/hidden").status, 503);
}

#[test]
fn upstreams_are_told_of_clients_certificates() {
    let authority = Authority::new("authority");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
    });
    let upstream = Upstream::ok("seen");
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": {"subject": true, "uri": true, "dns": true},
        }))
        .transport_socket(tls(common, json!({})))
        .cluster("up", &[upstream.address()])
        .start();
    for shown in [Some(authority.sign("client.test")), None] {
        let client = Client::new(&authority, shown.as_ref());
        let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
        assert_eq!(connection.get("/").unwrap().status, 200);
        let requests = upstream.requests();
        let told = requests.last().unwrap().header("x-forwarded-client-cert");
        assert_eq!(told.is_some(), shown.is_some());
        if let Some(told) = told {
            assert!(told.starts_with("By=spiffe://test/a.test;Hash="), "{told}");
            let rest = "URI=spiffe://test/client.test;DNS=client.test";
            assert!(told.ends_with(rest), "{told}");
            assert!(told.contains("Subject=\"CN=client.test\""), "{told}");
        }
    }
}

#[test]
fn clients_certificates_are_told_as_json_too() {
    let authority = Authority::new("authority");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
    });
    let upstream = Upstream::ok("seen");
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({
            "forward_client_cert_details": "APPEND_FORWARD",
            "set_current_client_cert_details": {"format": "JSON", "issuer": true, "dns": true},
        }))
        .transport_socket(tls(common, json!({})))
        .cluster("up", &[upstream.address()])
        .start();
    let shown = authority.sign("client.test");
    let client = Client::new(&authority, Some(&shown));
    let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
    let requests = upstream.requests();
    let told = requests[0].header("x-forwarded-client-cert").unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!(told[0]["by"], json!(["spiffe://test/a.test"]));
    assert_eq!(told[0]["dns"], json!(["client.test"]));
    assert_eq!(told[0]["issuer"], "CN=authority");
    assert_eq!(told[0]["hash"].as_str().map(str::len), Some(64));
}

#[test]
fn hosts_have_the_names_of_requests() {
    let authority = Authority::new("authority");
    let host = host(&authority, json!({}));
    let common = json!({"validation_context": {"trusted_ca": {"inline_string": authority.pem}}});
    let mut fields = cluster(json!({"common_tls_context": common}));
    fields["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {}},
            "upstream_http_protocol_options": {"auto_sni": true, "auto_san_validation": true},
        },
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.listener("main")], fields)
        .access_log("%UPSTREAM_TRANSPORT_FAILURE_REASON%")
        .start();
    for (name, status) in [
        ("host.test", 200),
        ("host.test:80", 200),
        ("x.test", 503),
        ("host.test", 200),
    ] {
        let mut client = proxy.connect();
        client.send(format!("GET / HTTP/1.1\r\nhost: {name}\r\n\r\n"));
        assert_eq!(client.response("GET").status, status, "{name}");
    }
    // One connection for all requests of a name.
    assert_eq!(proxy.stat("cluster.up.ssl.handshake"), 1);
    assert_eq!(proxy.stat("cluster.up.ssl.fail_verify_san"), 1);
    let lines = proxy.access_log(4);
    assert!(lines[2].contains("expected_SANs:_[x.test]"), "{lines:?}");
}
