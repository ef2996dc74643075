//! What a peer chooses where nobody expects it: server names in logs, parameters of paths, names in
//! the admin's pages, and ends of requests that overload answers.

use super::check_alive;
use crate::harness::{Config, Connection, direct, http_filter, network_filter};
use serde_json::json;
use std::time::Duration;

/// A vector with a length of two bytes before it.
fn vector(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

/// A record with a ClientHello that asks for a server of this name.
pub fn client_hello(name: &[u8]) -> Vec<u8> {
    let names = vector(&[&[0], vector(name).as_slice()].concat());
    let extension = [&[0, 0], vector(&names).as_slice()].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(vector(&[0x13, 0x01]));
    body.extend([1, 0]);
    body.extend(vector(&extension));
    let length = (body.len() as u32).to_be_bytes();
    let message = [&[1, length[1], length[2], length[3]], body.as_slice()].concat();
    [&[22, 3, 1], vector(&message).as_slice()].concat()
}

/// A server's name that would be another line of a log, or a terminal's command, is neither.
#[test]
fn cve_2024_45808_server_names_in_logs() {
    let filter = network_filter(
        "direct_response",
        "direct_response.v3.Config",
        json!({"response": {"inline_string": "x"}}),
    );
    let proxy = Config::tcp(filter)
        .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", json!({}))
        .listener_log("%REQUESTED_SERVER_NAME%")
        .start();
    let cases: [(&[u8], &str); 5] = [
        (b"a.test", "a.test"),
        (b"a\n127.0.0.1", "invalid:a_127.0.0.1"),
        (b"\x1b[2Ja", "invalid:__2ja"),
        (b"a\" \"b", "invalid:a___b"),
        (b"\xff\xfe", "invalid:__"),
    ];
    for (at, (name, logged)) in cases.into_iter().enumerate() {
        let mut connection = proxy.connect();
        connection.send(client_hello(name));
        assert_eq!(connection.read_to_end(), b"x");
        assert_eq!(proxy.access_log(at + 1)[at], logged, "{name:?}");
    }
}

/// CVE-2026-73511: dots with parameters. CVE-2026-73551 and CVE-2026-73553: policies look at what
/// routes look at.
#[test]
fn cve_2026_73511_2026_73551_2026_73553_parameters_of_paths() {
    let policy = json!({
        "permissions": [
            {"url_path": {"path": {"prefix": "/admin"}}},
            {"url_path": {"path": {"exact": "/a/b"}}},
        ],
        "principals": [{"any": true}],
    });
    let rules = json!({"action": "DENY", "policies": {"p": policy}});
    let rbac = http_filter("rbac", "rbac.v3.RBAC", json!({"rules": rules}));
    let virtual_host = json!({
        "name": "all", "domains": ["*"],
        "routes": [direct("/a/b", 201, ""), direct("/admin", 202, ""), direct("/", 200, "alive")],
    });
    let proxy = Config::http(&[])
        .manager(json!({
            "normalize_path": true,
            "route_config": {
                "ignore_path_parameters_in_path_matching": true,
                "virtual_hosts": [virtual_host],
            },
        }))
        .http_filters(&[rbac])
        .start();
    let mut connection = proxy.connect();
    for (path, expected) in [
        ("/admin", 403),
        ("/admin;x", 403),
        ("/admin;x/y", 403),
        ("/a;x/b", 403),
        ("/a/b;x?q=1;2", 403),
        ("/a/..;/admin", 403),
        ("/a/..;x/admin", 403),
        ("/a/.;x/b", 403),
        ("/c?/admin;x", 200),
    ] {
        assert_eq!(connection.get(path).status, expected, "{path}");
    }
    check_alive(&proxy);
}

/// Names that are another page's text are shown as text.
#[test]
fn cve_2026_73546_names_in_the_admin_s_pages() {
    const NAME: &str = "<script>alert(1)</script>";
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .cluster(NAME, &[([127, 0, 0, 1], 1).into()])
        .manager(json!({"stat_prefix": NAME}))
        .start();
    for page in [
        "/",
        "/clusters",
        "/stats",
        "/stats?format=html",
        "/stats?format=json",
        "/stats?filter=%3Cscript%3E&format=html",
        "/stats?filter=%3Cscript%3E%5B",
        "/%3Cscript%3E",
        "/config_dump",
        "/listeners",
    ] {
        let answer = proxy.admin(page);
        let kind = answer.header("content-type").unwrap_or_default();
        let is_page = kind.starts_with("text/html") || kind.is_empty();
        assert!(
            !is_page || !answer.text().contains("<script>alert"),
            "{page}"
        );
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{page}"
        );
    }
    check_alive(&proxy);
}

/// Clients that are gone before they are told that there is too much to do.
#[test]
fn cve_2024_53270_resets_of_requests_under_overload() {
    const HEAP: &str = "envoy.resource_monitors.fixed_heap";
    const ACTION: &str = "envoy.overload_actions.stop_accepting_requests";
    let trigger = json!({"name": HEAP, "threshold": {"value": 0.9}});
    let manager = json!({
        "refresh_interval": "0.05s",
        "resource_monitors": [{
            "name": HEAP,
            "typed_config": {
                "@type": "type.googleapis.com/\
                          envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": 1000,
            },
        }],
        "actions": [{"name": ACTION, "triggers": [trigger]}],
    });
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .bootstrap(json!({"overload_manager": manager}))
        .start();
    proxy.wait_stat(&format!("overload.{ACTION}.active"), 1);
    for request in [
        "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".repeat(20),
        "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 9\r\n\r\nx".to_owned(),
        "POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nx".to_owned(),
        "GET / HTTP/1.1\r\nhost: a.test\r\n\r\nGET / HTT".to_owned(),
    ] {
        for _ in 0..10 {
            // What is not read makes its end a reset.
            let mut connection = Connection::open(proxy.listener("main"));
            let _ = connection.try_send(&request);
            drop(connection);
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(proxy.get("/").brief(), (503, "envoy overloaded".to_owned()));
}
