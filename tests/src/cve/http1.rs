//! Requests over HTTP/1 that are none, or mean two things.

use super::{alone, check_alive, config};
use crate::harness::{Config, Connection, Proxy, Reply, Upstream, direct, route};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The status that these bytes are answered with; 0: none.
fn status(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> u16 {
    let mut connection = proxy.connect();
    let _ = connection.try_send(bytes);
    connection
        .try_response("GET")
        .map_or(0, |answer| answer.status)
}

/// A GET of `/` with these lines behind its first.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.test\r\n{lines}\r\n")
}

/// CVE-2019-18838 is of the lines without host, CVE-2023-27491 of those with junk,
/// CVE-2020-25018 of targets.
#[test]
fn cve_2019_9900_2019_18838_2020_25018_2023_27491_malformed_heads() {
    let proxy = alone();
    for request in [
        get("x-y: a\0b\r\n"),
        get("x-y: a\nb\r\n"),
        get("x y: z\r\n"),
        get("x-y\0: z\r\n"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET /a b HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "G\0T / HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "GET / HTTP/1.1junk\r\nhost: a.test\r\n\r\n".to_owned(),
        "GET http:// HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "GET http://[::1 HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "CONNECT / HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
        "CONNECT a.test:99999 HTTP/1.1\r\nhost: a.test\r\n\r\n".to_owned(),
    ] {
        assert_eq!(status(&proxy, &request), 400, "{request:?}");
    }
    check_alive(&proxy);
}

/// CVE-2021-29492 and CVE-2021-32779: other spellings of a path are that path.
#[test]
fn cve_2019_9901_2021_29492_2021_32779_paths_spelt_otherwise() {
    let proxy = Config::http(&[direct("/admin", 403, ""), direct("/", 200, "alive")])
        .manager(json!({
            "normalize_path": true,
            "merge_slashes": true,
            "path_with_escaped_slashes_action": "REJECT_REQUEST",
        }))
        .start();
    let mut connection = proxy.connect();
    for (path, expected) in [
        ("/public", 200),
        ("/public/../admin", 403),
        ("/public/%2e%2e/admin", 403),
        ("/public/.%2E/admin", 403),
        ("//admin", 403),
        ("/./admin", 403),
        ("/public/..//admin", 403),
        ("/%61dmin", 403),
        ("/a%2fb", 400),
        ("/a%5cb", 400),
    ] {
        assert_eq!(
            status(
                &proxy,
                format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n")
            ),
            expected,
            "{path}"
        );
    }
    assert_eq!(connection.get("/public").status, 200);
    assert_eq!(
        status(&proxy, "GET /admin#x HTTP/1.1\r\nhost: a.test\r\n\r\n"),
        400
    );
    check_alive(&proxy);
}

/// And CVE-2019-15226: what is long takes no more than its length.
#[test]
fn cve_2019_15225_long_paths_and_many_fields() {
    let regex = json!({"regex": "/(a|a?)+b"});
    let costly = json!({"match": {"safe_regex": regex}, "direct_response": {"status": 204}});
    let proxy = Config::http(&[costly, direct("/", 200, "alive")])
        .manager(json!({
            "max_request_headers_kb": 96,
            "common_http_protocol_options": {"max_headers_count": 10_000},
        }))
        .start();
    let begun = Instant::now();
    let mut connection = proxy.connect();
    assert_eq!(
        connection.get(&format!("/{}", "a".repeat(60_000))).status,
        200
    );
    let fields: String = (0..5000).map(|at| format!("x{at}: y\r\n")).collect();
    assert_eq!(connection.request("GET", "/", &fields, "").status, 200);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    check_alive(&proxy);
}

/// More fields, or longer ones, than are allowed.
#[test]
fn cve_2020_12605_limits_of_heads() {
    let proxy = alone();
    assert_eq!(status(&proxy, get(&"x: y\r\n".repeat(101))), 431);
    assert_eq!(
        status(&proxy, get(&format!("x: {}\r\n", "y".repeat(70_000)))),
        431
    );
    let path = format!(
        "GET /{} HTTP/1.1\r\nhost: a.test\r\n\r\n",
        "a".repeat(70_000)
    );
    assert_eq!(status(&proxy, path), 431);
    check_alive(&proxy);
}

/// Blanks around a value are none of it.
#[test]
fn cve_2019_18802_blanks_behind_values() {
    let role = json!({"name": "x-role", "string_match": {"exact": "admin"}});
    let denied = json!({
        "match": {"prefix": "/", "headers": [role]},
        "direct_response": {"status": 403},
    });
    let proxy = Config::http(&[denied, direct("/", 200, "alive")]).start();
    for line in [
        "x-role: admin \r\n",
        "x-role:\tadmin\t \r\n",
        "x-role:admin\r\n",
    ] {
        assert_eq!(status(&proxy, get(line)), 403, "{line:?}");
    }
    check_alive(&proxy);
}

/// And CVE-2026-26308: each of several values counts; CVE-2026-73552: bytes that are no UTF-8 do.
#[test]
fn cve_2020_25017_values_behind_the_first() {
    let deny = |matcher: Value| json!({"permissions": [{"header": matcher}], "principals": [{"any": true}]});
    let policies = json!({
        "exact": deny(json!({"name": "x-role", "string_match": {"exact": "admin"}})),
        "regex": deny(json!({
            "name": "x-bytes",
            "string_match": {"safe_regex": {"regex": "bad.*"}},
        })),
    });
    let fields = json!({"rules": {"action": "DENY", "policies": policies}});
    let rbac = crate::harness::http_filter("rbac", "rbac.v3.RBAC", fields);
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .http_filters(&[rbac])
        .start();
    for (lines, expected) in [
        ("x-role: user\r\n", 200),
        ("x-role: user\r\nx-role: admin\r\n", 403),
        ("x-role: admin\r\nx-role: user\r\n", 403),
        ("x-bytes: good\r\n", 200),
    ] {
        assert_eq!(status(&proxy, get(lines)), expected, "{lines:?}");
    }
    let bytes = [b"GET / HTTP/1.1\r\nhost: a.test\r\nx-bytes: bad\xff\r\n\r\n".as_slice()].concat();
    assert_eq!(status(&proxy, bytes), 403);
    check_alive(&proxy);
}

/// A chunked body of single bytes takes the memory of its bytes.
#[test]
fn cve_2020_8659_chunks_of_a_byte() {
    let upstream = Upstream::ok("");
    let proxy = config(&upstream).start();
    let mut connection = proxy.connect();
    connection.send("POST /up HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..20 {
        connection.send("1\r\nx\r\n".repeat(5000));
    }
    connection.send("0\r\n\r\n");
    assert_eq!(connection.response("POST").status, 200);
    assert_eq!(upstream.requests()[0].body.len(), 100_000);
    check_alive(&proxy);
}

/// Answers that nobody reads are not piled up.
#[test]
fn cve_2020_8661_pipelined_requests_whose_answers_are_not_read() {
    let body = "x".repeat(4000);
    let proxy = Config::http(&[direct("/long", 400, &body), direct("/", 200, "alive")])
        .main_listener(json!({"per_connection_buffer_limit_bytes": 32_768}))
        .start();
    let mut connection =
        Connection::narrow(proxy.listener("main")).with_patience(Duration::from_millis(500));
    let requests = "GET /long HTTP/1.1\r\nhost: a.test\r\n\r\n".repeat(1000);
    for _ in 0..20 {
        if connection.try_send(&requests).is_err() {
            break;
        }
    }
    assert!(proxy.stat("http.http.downstream_rq_total") < 5000);
    check_alive(&proxy);
}

/// Headers that only this proxy, or its neighbours, may send are taken from strangers.
#[test]
fn cve_2023_27487_2024_45806_headers_of_envoy_s_from_outside() {
    let upstream = Upstream::ok("x");
    let proxy = config(&upstream)
        .manager(json!({"use_remote_address": true}))
        .start();
    let lines = "x-envoy-original-path: /a\r\nx-envoy-retry-on: 5xx\r\n\
        x-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-decorator-operation: x\r\n\
        x-envoy-internal: true\r\nx-forwarded-for: 10.0.0.1\r\n";
    assert_eq!(proxy.connect().request("GET", "/up", lines, "").status, 200);
    let request = upstream.requests()[0].clone();
    for name in [
        "x-envoy-original-path",
        "x-envoy-retry-on",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-internal",
    ] {
        assert_eq!(request.header(name), None, "{name}");
    }
    check_alive(&proxy);
}

/// And CVE-2021-43826, CVE-2025-64763: what comes behind an upgrade's or a tunnel's request goes
/// nowhere before the upstream has agreed.
#[test]
fn cve_2024_23326_bytes_ahead_of_upgrades() {
    for (head, answer) in [
        (
            "GET /up HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "HTTP/1.1 200 OK\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        ),
        (
            "CONNECT a.test:80 HTTP/1.1\r\nhost: a.test:80\r\n\r\n",
            "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&seen);
        let upstream = Upstream::tcp(move |mut stream| {
            let mut bytes = [0; 4096];
            let mut answered = false;
            while let Ok(len @ 1..) = stream.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..len]);
                if !std::mem::replace(&mut answered, true) {
                    std::thread::sleep(Duration::from_millis(100));
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        let connect = json!({"match": {"connect_matcher": {}}, "route": {"cluster": "up"}});
        let proxy = Config::http(&[connect, route("/up", "up"), direct("/", 200, "alive")])
            .cluster("up", &[upstream.address()])
            .manager(json!({"upgrade_configs": [
                {"upgrade_type": "websocket"},
                {"upgrade_type": "CONNECT"},
            ]}))
            .start();
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n";
        let mut client = proxy.connect();
        client.send(format!("{head}{smuggled}"));
        client.response("GET");
        let _ = client.try_send(smuggled);
        std::thread::sleep(Duration::from_millis(50));
        drop(client);
        let seen = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
        assert!(!seen.is_empty() && !seen.contains("smuggled"), "{seen}");
        check_alive(&proxy);
    }
}

/// Interim responses are passed on or over; one that switches what nobody asked for is an error.
#[test]
fn cve_2024_53271_interim_responses() {
    let upstream = Upstream::http(|request| {
        let interim = match request.path.as_str() {
            "/up/101" => "HTTP/1.1 101 Switching\r\n\r\n",
            _ => "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 102 On\r\n\r\nHTTP/1.1 103 Hints\r\nx: y\r\n\r\n",
        };
        Reply::raw(format!(
            "{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        ))
    });
    let proxy = config(&upstream).start();
    let answer = proxy.get("/up/100");
    assert_eq!(answer.brief(), (200, "ok".to_owned()));
    assert_ne!(proxy.get("/up/101").text(), "ok");
    check_alive(&proxy);
}

/// A response to a mirrored request is thrown away as it comes.
#[test]
fn cve_2024_34364_mirrored_responses_without_end() {
    let endless = Upstream::tcp(|mut stream| {
        let mut bytes = [0; 4096];
        let _ = stream.read(&mut bytes);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        for _ in 0..1000 {
            if stream.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    let upstream = Upstream::ok("x");
    let mut mirrored = route("/up", "up");
    mirrored["route"]["request_mirror_policies"] = json!([{"cluster": "endless"}]);
    let proxy = Config::http(&[mirrored, direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .cluster("endless", &[endless.address()])
        .start();
    assert_eq!(proxy.get("/up").status, 200);
    std::thread::sleep(Duration::from_millis(300));
    check_alive(&proxy);
}
