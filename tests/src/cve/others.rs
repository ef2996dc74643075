//! Redirects, logs, configuration, filters that ask others, and connections through proxies.

use super::check_alive;
use crate::harness::{Config, Reply, Upstream, direct, http_filter, route, validate};
use serde_json::{Value, json};

/// CVE-2022-21655: to what is answered directly. CVE-2022-29227: with a body. CVE-2026-47221: by
/// 303, without one.
#[test]
fn cve_2022_21655_2022_29227_2026_47221_internal_redirects() {
    let upstream = Upstream::http(|request| {
        let status = if request.path == "/up/303" { 303 } else { 307 };
        Reply::new(status, "location: /direct\r\n", "")
    });
    let mut redirected = route("/up", "up");
    redirected["route"]["internal_redirect_policy"] =
        json!({"redirect_response_codes": [303, 307]});
    let routes = [
        redirected,
        direct("/direct", 202, "direct"),
        direct("/", 200, "alive"),
    ];
    let proxy = Config::http(&routes)
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    for (method, path, body) in [
        ("GET", "/up/307", ""),
        ("POST", "/up/307", "body"),
        ("GET", "/up/303", ""),
        ("POST", "/up/303", "body"),
    ] {
        let answer = connection.request(method, path, "", body);
        assert!(
            [202, 303, 307].contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
    }
    check_alive(&proxy);
}

/// And CVE-2026-26309: what is no UTF-8, or ends in the middle of it, is logged as JSON still.
#[test]
fn cve_2024_34363_bytes_that_are_no_text_in_json_logs() {
    let format = json!({"json_format": {"name": "%REQ(x-name)%", "path": "%REQ(:path)%"}});
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "${folder}/access.log",
            "log_format": format,
        },
    });
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .manager(json!({"access_log": [log]}))
        .start();
    let mut connection = proxy.connect();
    for name in [
        &b"a\xff\xfeb"[..],
        b"\xc3",
        b"a\xe2\x82",
        b"\"\\\t",
        b"\xf0\x9f\x98\x80",
    ] {
        let head = b"GET / HTTP/1.1\r\nhost: a.test\r\nx-name: ";
        connection.send([head, name, b"\r\n\r\n"].concat());
        assert_eq!(connection.response("GET").status, 200, "{name:?}");
    }
    for line in proxy.access_log(5) {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["path"], "/");
    }
    check_alive(&proxy);
}

/// What is nested without end is refused, not followed.
#[test]
fn cve_2026_48042_json_that_is_nested_deeply() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let validation = validate("bootstrap.json", &text);
        assert_eq!(validation.code, Some(1), "{}", validation.text.len());
    }
    let nested = format!(
        "{{\"node\": {{\"metadata\": {{\"a\": {}1{}}}}}}}",
        "[".repeat(2000),
        "]".repeat(2000)
    );
    assert_eq!(validate("bootstrap.json", &nested).code, Some(1));
}

/// CVE-2021-32777: a service sees all values of a header. CVE-2023-27488: bytes that are no text
/// let nobody in.
#[test]
fn cve_2021_32777_2023_27488_headers_that_a_service_decides_by() {
    let service = Upstream::http(|request| {
        let role = request.header("x-role").unwrap_or_default();
        let status = if role.contains("admin") || !role.is_ascii() {
            403
        } else {
            200
        };
        Reply::new(status, "", "")
    });
    let patterns = json!({"patterns": [{"exact": "x-role"}]});
    let fields = json!({
        "failure_mode_allow": true,
        "allowed_headers": patterns,
        "http_service": {
            "server_uri": {
                "uri": "http://service", "cluster": "service", "timeout": "5s",
            },
        },
    });
    let ext_authz = http_filter("ext_authz", "ext_authz.v3.ExtAuthz", fields);
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .cluster("service", &[service.address()])
        .http_filters(&[ext_authz])
        .start();
    let mut connection = proxy.connect();
    for (lines, expected) in [
        (&b"x-role: user\r\n"[..], 200),
        (b"x-role: user\r\nx-role: admin\r\n", 403),
        (b"x-role: admin\r\nx-role: user\r\n", 403),
        (b"x-role: admin\xff\r\n", 403),
    ] {
        let head = b"GET / HTTP/1.1\r\nhost: a.test\r\n";
        connection.send([head, lines, b"\r\n"].concat());
        let answer = connection.response("GET");
        assert_eq!(answer.status, expected, "{lines:?}");
    }
    check_alive(&proxy);
}

/// CVE-2024-23327: the command LOCAL. CVE-2024-23325: addresses of another family.
#[test]
fn cve_2024_23325_2024_23327_proxy_protocol() {
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .listener_filter(
            "proxy_protocol",
            "proxy_protocol.v3.ProxyProtocol",
            json!({}),
        )
        .start();
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    for (command, family, addresses, served) in [
        (0x20, 0x00, 0, true),
        (0x20, 0x11, 12, true),
        (0x21, 0x21, 36, true),
        // Commands and versions that there are not.
        (0x2f, 0x11, 12, false),
        (0x31, 0x11, 12, false),
        // Too short for its family.
        (0x21, 0x21, 4, false),
        // And it serves on.
        (0x20, 0x00, 0, true),
    ] {
        let mut connection = proxy.connect();
        let head = [command, family, 0, addresses];
        connection.send([signature.as_slice(), &head, &vec![1; addresses.into()]].concat());
        let _ = connection.try_send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        let answer = connection.try_response("GET");
        assert_eq!(answer.is_ok(), served, "{command:x} {family:x}");
    }
}
