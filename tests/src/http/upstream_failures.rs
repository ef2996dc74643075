//! Upstreams that are not there, late, or wrong: what the client and the log are told.

use crate::harness::http2::{END_HEADERS, Http2, block, kind};
use crate::harness::{Config, Reply, Upstream, route};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

const DETAILS: &str = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

struct Case {
    path: &'static str,
    status: u16,
    body: &'static str,
    log: &'static str,
}

#[test]
fn each_failure_has_its_status_flag_and_details() {
    let upstream = Upstream::http(|request| match request.path.as_str() {
        "/late" => Reply::ok("late").after(Duration::from_secs(3)),
        "/closed" => Reply::raw("").then_close(),
        "/garbage" => Reply::raw("garbage\r\n\r\n").then_close(),
        _ => Reply::ok("fine"),
    });
    let late = json!({
        "match": {"prefix": "/late"},
        "route": {"cluster": "up", "timeout": "0.2s"},
    });
    let proxy = Config::http(&[
        late,
        route("/dead", "dead"),
        route("/empty", "empty"),
        route("/unknown", "unknown"),
        route("/", "up"),
    ])
    .manager(json!({"route_config": {"validate_clusters": false}}))
    .access_log(DETAILS)
    .cluster("up", &[upstream.address()])
    .cluster("dead", &[Upstream::dead()])
    .cluster("empty", &[])
    .start();
    let cases = [
        Case {
            path: "/dead",
            status: 503,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: remote connection failure",
            log: "503 UF upstream_reset_before_response_started{remote_connection_failure|\
                  delayed_connect_error:_Connection_refused}",
        },
        Case {
            path: "/empty",
            status: 503,
            body: "no healthy upstream",
            log: "503 UH no_healthy_upstream",
        },
        Case {
            path: "/unknown",
            status: 503,
            body: "",
            log: "503 NC cluster_not_found",
        },
        Case {
            path: "/late",
            status: 504,
            body: "upstream request timeout",
            log: "504 UT response_timeout",
        },
        Case {
            path: "/closed",
            status: 503,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: connection termination",
            log: "503 UC upstream_reset_before_response_started{connection_termination}",
        },
        Case {
            path: "/garbage",
            status: 502,
            body: "upstream connect error or disconnect/reset before headers. \
                   reset reason: protocol error",
            log: "502 UPE upstream_reset_before_response_started{protocol_error}",
        },
        Case {
            path: "/fine",
            status: 200,
            body: "fine",
            log: "200 - via_upstream",
        },
    ];
    let mut connection = proxy.connect();
    for (case, line) in cases.iter().zip(1..) {
        let response = connection.get(case.path);
        assert_eq!(
            response.brief(),
            (case.status, case.body.to_owned()),
            "{}",
            case.path
        );
        assert_eq!(proxy.access_log(line)[line - 1], case.log, "{}", case.path);
    }
}

#[test]
fn connect_failures_are_retried_where_the_route_says_so() {
    let upstream = Upstream::ok("fine");
    let policy = json!({"retry_on": "connect-failure", "num_retries": 2});
    let action = json!({"cluster": "half", "retry_policy": policy});
    let proxy = Config::http(&[json!({"match": {"prefix": "/"}, "route": action})])
        .cluster("half", &[upstream.address(), Upstream::dead()])
        .start();
    let mut connection = proxy.connect();
    for _ in 0..20 {
        assert_eq!(connection.get("/").brief(), (200, "fine".to_owned()));
    }
    assert!(proxy.stat("cluster.half.upstream_rq_retry") >= 5);
    let failed = proxy.stat("cluster.half.upstream_cx_connect_fail");
    assert_eq!(failed, proxy.stat("cluster.half.upstream_rq_retry"));
}

#[test]
fn server_errors_are_retried_as_often_as_the_route_says() {
    let upstream = Upstream::http(|request| match request.header("x-envoy-attempt-count") {
        Some("3") => Reply::ok("third time"),
        _ => Reply::new(503, "", "no"),
    });
    let retried = |path: &str, retries: u32| {
        let policy = json!({"retry_on": "5xx", "num_retries": retries});
        let action = json!({"cluster": "up", "retry_policy": policy});
        json!({"match": {"prefix": path}, "route": action})
    };
    let host = json!({
        "name": "all",
        "domains": ["*"],
        "include_request_attempt_count": true,
        "routes": [retried("/once", 1), retried("/twice", 2), route("/", "up")],
    });
    let proxy = Config::http(&[])
        .manager(json!({"route_config": {"virtual_hosts": [host]}}))
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    for (path, expected) in [
        ("/", (503, "no")),
        ("/once", (503, "no")),
        ("/twice", (200, "third time")),
    ] {
        let response = connection.get(path);
        assert_eq!(
            response.brief(),
            (expected.0, expected.1.to_owned()),
            "{path}"
        );
    }
    assert_eq!(proxy.stat("cluster.up.upstream_rq_retry"), 3);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_retry_success"), 1);
}

#[test]
fn a_full_circuit_breaker_answers_at_once() {
    let upstream = Upstream::http(|_| Reply::ok("x").after(Duration::from_millis(500)));
    let threshold = json!([{"max_requests": 1, "max_pending_requests": 1}]);
    let proxy = Config::http(&[route("/", "up")])
        .access_log(DETAILS)
        .cluster_with(
            "up",
            &[upstream.address()],
            json!({"circuit_breakers": {"thresholds": threshold}}),
        )
        .start();
    let mut first = proxy.connect();
    first.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    proxy.wait_stat("cluster.up.upstream_rq_active", 1);
    let refused = proxy.get("/");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("x-envoy-overloaded"), Some("true"));
    assert_eq!(
        proxy.access_log(1)[0],
        "503 UO upstream_reset_before_response_started{overflow}"
    );
    assert_eq!(first.response("GET").status, 200);
}

#[test]
fn behind_interim_heads_alone_there_still_is_an_answer() {
    let upstream = Upstream::tcp(|mut stream| {
        let mut head = [0; 1024];
        let read = stream.read(&mut head).unwrap_or_default();
        let is_late = head[..read].starts_with(b"GET /late");
        let _ = stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n");
        thread::sleep(Duration::from_millis(if is_late { 1000 } else { 50 }));
    });
    let mut late = route("/late", "up");
    late["route"]["timeout"] = "0.2s".into();
    let proxy = Config::http(&[late, route("/", "up")])
        .manager(json!({"proxy_100_continue": true}))
        .access_log(DETAILS)
        .cluster("up", &[upstream.address()])
        .start();
    let failed = "upstream connect error or disconnect/reset before headers. \
                  reset reason: connection termination";
    let late = "upstream request timeout";
    for (path, status, body) in [("/gone", 503, failed), ("/late", 504, late)] {
        let mut client = proxy.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n"));
        assert_eq!(client.response("GET").status, 103);
        assert_eq!(client.response("GET").brief(), (status, body.to_owned()));
    }
    assert_eq!(
        proxy.access_log(2),
        [
            "503 UC upstream_reset_after_response_started{connection_termination}",
            "504 UT response_timeout",
        ]
    );
    assert_eq!(proxy.stat("http.http.downstream_rq_1xx"), 2);
    assert_eq!(proxy.stat("http.http.downstream_rq_5xx"), 2);
}

#[test]
fn an_upgraded_connection_that_its_upstream_ends_was_cut_off() {
    let upstream = Upstream::tcp(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let head = "HTTP/1.1 101 Any\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let _ = stream.write_all(format!("{head}hello").as_bytes());
        thread::sleep(Duration::from_millis(50));
    });
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http2_protocol_options": {"allow_connect": true},
        }))
        .access_log(DETAILS)
        .cluster("up", &[upstream.address()])
        .start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert_eq!(client.response("HEAD").status, 101);
    assert_eq!(client.read_to_end(), b"hello");
    let mut client = Http2::open(&proxy);
    let head = [
        block(&[(":method", "CONNECT"), (":protocol", "websocket")]),
        block(&[(":scheme", "http"), (":authority", "a"), (":path", "/")]),
    ];
    client.send(kind::HEADERS, END_HEADERS, 1, &head.concat());
    assert_eq!(client.next_of(kind::DATA).unwrap().3, b"hello");
    assert_eq!(client.next(), (kind::RST_STREAM, 0, 1, vec![0, 0, 0, 10]));
    let line = "101 UC upstream_reset_after_response_started{connection_termination}";
    assert_eq!(proxy.access_log(2), [line, line]);
    assert_eq!(proxy.stat("http.http.downstream_rq_tx_reset"), 2);
}

#[test]
fn what_is_logged_of_an_attempt_is_of_the_last() {
    // Answers one request, and is gone.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let _ = stream.read(&mut [0; 1024]);
        let _ =
            stream.write_all(b"HTTP/1.1 503 Any\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    let mut retried = route("/", "up");
    retried["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1});
    let proxy = Config::http(&[retried])
        .access_log(
            "%RESPONSE_FLAGS% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_HOST% %UPSTREAM_PROTOCOL% \
             %UPSTREAM_LOCAL_ADDRESS% %REQUEST_TX_DURATION% %RESPONSE_DURATION%",
        )
        .cluster("up", &[address])
        .start();
    assert_eq!(proxy.get("/").status, 503);
    let line = format!("URX,UF 2 {address} - - - -");
    assert_eq!(proxy.access_log(1), [line]);
}
