//! The configurations that the proxies get, and what is read from what they print.

use serde_json::Value;

use super::*;
use crate::scenario::{Family, SCENARIOS};

fn site(ports: &[u16]) -> Site {
    let upstream = (Ipv4Addr::LOCALHOST, 9000).into();
    Site {
        folder: "/tmp/site".into(),
        ports: ports.to_vec(),
        upstream,
    }
}

fn family(scenario: &str) -> Family {
    SCENARIOS
        .iter()
        .find(|known| known.name == scenario)
        .unwrap()
        .family
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

const FILTER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0";

#[test]
fn bootstraps() {
    let parse = |scenario, ports: &[u16]| -> Value {
        serde_json::from_str(&envoy::bootstrap(&family(scenario), &site(ports))).unwrap()
    };
    let http = parse("s1", &[8001]);
    assert_eq!(
        at(&http, &format!("{FILTER}/typed_config/use_remote_address")),
        true
    );
    assert_eq!(
        at(&http, &format!("{FILTER}/typed_config/access_log")),
        &Value::Null
    );
    let endpoint = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0";
    let port = format!("{endpoint}/endpoint/address/socket_address/port_value");
    assert_eq!(at(&http, &port), 9000);

    let log = parse("s14", &[8001]);
    let path = at(
        &log,
        &format!("{FILTER}/typed_config/access_log/0/typed_config/path"),
    );
    assert_eq!(path, "/tmp/site/access.log");

    let tcp = parse("s9", &[8001]);
    assert_eq!(
        at(&tcp, &format!("{FILTER}/name")),
        "envoy.filters.network.tcp_proxy"
    );

    let hosts = at(
        &parse("s11-h1k", &[8001]),
        &format!("{FILTER}/typed_config"),
    )
    .clone();
    let domain = at(&hosts, "/route_config/virtual_hosts/999/domains/0");
    assert_eq!(domain, "svc-00999.example.com");

    let prefixes = at(
        &parse("s11-p1k", &[8001]),
        &format!("{FILTER}/typed_config"),
    )
    .clone();
    let prefix = at(
        &prefixes,
        "/route_config/virtual_hosts/0/routes/999/match/prefix",
    );
    assert_eq!(prefix, "/svc-00999/");

    let many = parse("s12-1k", &[8001, 8002, 8003]);
    let second = "/static_resources/listeners/2/address/socket_address/port_value";
    assert_eq!(at(&many, second), 8003);
    assert_eq!(at(&many, "/static_resources/clusters/2/name"), "cluster_2");
}

#[test]
fn other_configurations() {
    let nginx = |scenario, ports: &[u16]| {
        nginx::conf(
            &family(scenario),
            &site(ports),
            Some(Path::new("/m/stream.so")),
        )
    };
    let haproxy = |scenario, ports: &[u16]| {
        let (cfg, map) = haproxy::cfg(&family(scenario), &site(ports));
        format!("{cfg}--\n{map}")
    };
    for (text, has, lacks) in [
        (
            nginx("s1", &[8001]),
            "listen 127.0.0.1:8001;",
            "load_module",
        ),
        (nginx("s1", &[8001]), "access_log off;", "stream {"),
        (
            nginx("s1", &[8001]),
            "X-Request-Id $request_id;",
            "combined",
        ),
        (
            nginx("s14", &[8001]),
            "access_log /tmp/site/access.log combined",
            "access_log off",
        ),
        (nginx("s9", &[8001]), "load_module /m/stream.so;", "http {"),
        (
            nginx("s11-h1k", &[8001]),
            "server_name svc-00999.example.com;",
            "svc-01000",
        ),
        (
            nginx("s11-p1k", &[8001]),
            "location /svc-00999/ {",
            "svc-01000",
        ),
        (
            nginx("s12-1k", &[8001, 8002]),
            "listen 127.0.0.1:8002;",
            "http://u2;",
        ),
        (haproxy("s1", &[8001]), "bind 127.0.0.1:8001\n", "httplog"),
        (haproxy("s1", &[8001]), "X-Request-Id %[uuid()]", "map("),
        (haproxy("s14", &[8001]), "option httplog", "mode tcp"),
        (haproxy("s9", &[8001]), "mode tcp", "http-request"),
        (
            haproxy("s11-h1k", &[8001]),
            "\nsvc-00999.example.com b0\n",
            "default_backend",
        ),
        (
            haproxy("s11-p1k", &[8001]),
            "\n/svc-00999/ b0\n",
            "default_backend",
        ),
        (
            haproxy("s12-1k", &[8001, 8002]),
            "default_backend b1",
            "default_backend b2",
        ),
    ] {
        assert!(text.contains(has), "no '{has}' in\n{text:.2000}");
        assert!(!text.contains(lacks), "'{lacks}' in\n{text:.2000}");
    }
}

#[test]
fn last_words() {
    for (stderr, expected) in [
        ("", None),
        ("starting\n\n  bye \n", Some("bye")),
        (
            "[NOTICE] x\n[ALERT] unknown keyword 'a'\nFatal errors found\n",
            Some("[ALERT] unknown keyword 'a'"),
        ),
        (
            "nginx: [emerg] no \"events\" section\n",
            Some("nginx: [emerg] no \"events\" section"),
        ),
    ] {
        assert_eq!(complaint(stderr).as_deref(), expected, "{stderr}");
    }
}

#[test]
fn stream_modules() {
    assert!(matches!(
        stream_of("--with-http_v2_module --with-stream"),
        Stream::BuiltIn
    ));
    assert!(matches!(
        stream_of("--with-stream=dynamic --modules-path=/none"),
        Stream::Missing
    ));
    assert!(matches!(stream_of(""), Stream::Missing));
}
