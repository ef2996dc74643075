//! Active health checks: who is checked how, what the answers do to traffic, what is logged.

use crate::harness::{Config, Reply, Upstream, direct, route};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A check ten times a second, with this probe and more fields.
fn check(probe: Value, more: Value) -> Value {
    let mut check = json!({
        "timeout": "0.5s",
        "interval": "0.1s",
        "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 2,
    });
    for fields in [probe, more] {
        for (name, value) in fields.as_object().unwrap() {
            check[name] = value.clone();
        }
    }
    let common = json!({"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"});
    json!({"health_checks": [check], "common_lb_config": common})
}

fn http(path: &str) -> Value {
    json!({"http_health_check": {"path": path}})
}

/// An upstream that answers `/hz` with a status that changes.
fn checked(status: &Arc<AtomicU16>) -> Upstream {
    let status = Arc::clone(status);
    Upstream::http(move |request| match request.path.as_str() {
        "/hz" => Reply::new(status.load(Ordering::Relaxed), "", "x"),
        _ => Reply::ok("served"),
    })
}

#[test]
fn an_unhealthy_host_gets_nothing_until_it_is_healthy() {
    let status = Arc::new(AtomicU16::new(200));
    let (host, other) = (checked(&status), Upstream::ok("other"));
    let sink = json!([{
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.\
                      HealthCheckEventFileSink",
            "event_log_path": "${folder}/events.log",
        },
    }]);
    let fields = check(http("/hz"), json!({"event_logger": sink}));
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.address(), other.address()], fields)
        .start();
    let healthy = "cluster.up.membership_healthy";
    assert_eq!(proxy.stat(healthy), 2);
    assert!(proxy.stat("cluster.up.health_check.success") >= 2);
    status.store(503, Ordering::Relaxed);
    proxy.wait_stat(healthy, 1);
    assert_eq!(proxy.stat("cluster.up.health_check.healthy"), 1);
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..10 {
        assert_eq!(proxy.get("/").brief(), (200, "other".to_owned()));
    }
    let text = proxy.admin("/clusters").text();
    assert!(text.contains("health_flags::/failed_active_hc\n"), "{text}");
    status.store(200, Ordering::Relaxed);
    proxy.wait_stat(healthy, 2);
    let requests = host.requests();
    let request = requests.iter().find(|request| request.path == "/hz");
    let request = request.unwrap();
    assert_eq!(request.header("host"), Some("up"));
    assert_eq!(request.header("user-agent"), Some("Envoy/HC"));
    assert_eq!(proxy.stat("cluster.up.upstream_cx_http2_total"), 0);
    let log = proxy.file("events.log");
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| {
            event["host"]["socket_address"]["port_value"] == host.address().port()
        })
        .collect();
    assert_eq!(events[0]["add_healthy_event"]["first_check"], true, "{log}");
    let ejected = json!({"failure_type": "ACTIVE", "http_status_code": 503});
    assert_eq!(events[1]["eject_unhealthy_event"], ejected, "{log}");
}

#[test]
fn connections_and_bytes_are_checked() {
    let pong = Upstream::tcp(|mut stream| {
        let mut word = [0; 4];
        while stream.read_exact(&mut word).is_ok() {
            let answer: &[u8] = if &word == b"ping" { b"a pong" } else { b"what" };
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    });
    let connect = json!({"tcp_health_check": {}});
    let ping = |answer: &str| {
        let receive = json!([{"text": answer}]);
        json!({"tcp_health_check": {"send": {"text": "70696e67"}, "receive": receive}})
    };
    let hosts = [pong.address()];
    let proxy = Config::http(&[route("/", "connect")])
        .cluster_with("connect", &hosts, check(connect.clone(), json!({})))
        .cluster_with("pong", &hosts, check(ping("706f6e67"), json!({})))
        .cluster_with(
            "other",
            &hosts,
            check(ping("ffff"), json!({"timeout": "0.2s"})),
        )
        .cluster_with("dead", &[Upstream::dead()], check(connect, json!({})))
        .start();
    for (cluster, healthy) in [("connect", 1), ("pong", 1), ("other", 0), ("dead", 0)] {
        let name = format!("cluster.{cluster}.membership_healthy");
        assert_eq!(proxy.stat(&name), healthy, "{cluster}");
        let attempts = proxy.stat(&format!("cluster.{cluster}.health_check.attempt"));
        assert!(attempts > 0, "{cluster}");
    }
    let text = proxy.admin("/clusters").text();
    let flags = "health_flags::/failed_active_hc/active_hc_timeout\n";
    assert!(text.contains(flags), "{text}");
    // Kept connections, of the checks whose answer came.
    let before = pong.connections();
    proxy.wait_stat("cluster.pong.health_check.failure", 0);
    assert!(before >= 2);
}

#[test]
fn endpoints_say_where_and_whether_they_are_checked() {
    let status = Arc::new(AtomicU16::new(200));
    let checks = checked(&status);
    let serves = Upstream::ok("served");
    let mut fields = check(http("/hz"), json!({}));
    let address = |host: &Upstream| {
        json!({"socket_address": {
            "address": "127.0.0.1", "port_value": host.address().port(),
        }})
    };
    let own = json!({"port_value": checks.address().port(), "hostname": "own"});
    let unchecked = json!({"disable_active_health_check": true});
    fields["load_assignment"] = json!({"cluster_name": "up", "endpoints": [{"lb_endpoints": [
        {"endpoint": {"address": address(&serves), "health_check_config": own}},
        {"endpoint": {"address": address(&serves), "health_check_config": unchecked}},
    ]}]});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[], fields)
        .start();
    assert_eq!(proxy.stat("cluster.up.membership_healthy"), 2);
    assert_eq!(proxy.stat("cluster.up.health_check.healthy"), 1);
    let host = checks.requests()[0].header("host").map(str::to_owned);
    assert_eq!(host.as_deref(), Some("own"));
    assert!(
        serves
            .requests()
            .iter()
            .all(|request| request.path != "/hz")
    );
}

#[test]
fn a_response_may_say_that_its_host_is_not_healthy() {
    let host = Upstream::http(|request| match request.path.as_str() {
        "/bye" => Reply::new(200, "x-envoy-immediate-health-check-fail: true\r\n", "bye"),
        _ => Reply::ok("served"),
    });
    let slow = json!({"interval": "60s", "no_traffic_interval": "60s"});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[host.address()], check(http("/hz"), slow))
        .start();
    assert_eq!(proxy.get("/bye").status, 200);
    proxy.wait_stat("cluster.up.health_check.passive_failure", 1);
    proxy.wait_stat("cluster.up.membership_excluded", 1);
    let text = proxy.admin("/clusters").text();
    let flags = "health_flags::/failed_active_hc/excluded_via_immediate_hc_fail\n";
    assert!(text.contains(flags), "{text}");
}

#[test]
fn changes_of_health_are_gathered() {
    let status = Arc::new(AtomicU16::new(200));
    let hosts = [checked(&status), checked(&status), checked(&status)];
    let mut fields = check(http("/hz"), json!({}));
    fields["common_lb_config"] = json!({"update_merge_window": "0.4s"});
    let addresses: Vec<_> = hosts.iter().map(Upstream::address).collect();
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &addresses, fields)
        .start();
    let before = proxy.stat("cluster_manager.cluster_updated");
    status.store(500, Ordering::Relaxed);
    proxy.wait_stat("cluster_manager.cluster_updated_via_merge", 1);
    assert_eq!(proxy.stat("cluster_manager.cluster_updated"), before + 1);
    assert_eq!(proxy.stat("cluster.up.membership_healthy"), 0);
}

#[test]
fn hosts_are_checked_over_http2() {
    let mut fields = check(
        json!({"http_health_check": {"path": "/hz", "codec_client_type": "HTTP2"}}),
        json!({"unhealthy_threshold": 1, "healthy_threshold": 1}),
    );
    let address = json!({"pipe": {"path": "${folder}/checked.sock"}});
    fields["load_assignment"] = json!({"cluster_name": "own", "endpoints": [{"lb_endpoints": [
        {"endpoint": {"address": address}},
    ]}]});
    let mut config = Config::http(&[direct("/hz", 200, "fine"), route("/", "own")])
        .access_log("%PROTOCOL% %REQ(:AUTHORITY)% %REQ(USER-AGENT)%")
        .cluster_with("own", &[], fields);
    let mut listeners = config.take_listeners();
    listeners[0]["address"] = address;
    let proxy = config
        .bootstrap(json!({"static_resources": {"listeners": listeners}}))
        .start();
    proxy.wait_stat("cluster.own.membership_healthy", 1);
    assert_eq!(proxy.access_log(1)[0], "HTTP/2 own Envoy/HC");
    let successes = proxy.stat("cluster.own.health_check.success");
    std::thread::sleep(Duration::from_millis(400));
    assert!(proxy.stat("cluster.own.health_check.success") > successes);
    assert_eq!(proxy.stat("http.http.downstream_cx_http2_total"), 1);
}

#[test]
fn checks_may_choose_another_transport_socket() {
    let upstream = Upstream::ok("hello");
    let types = "type.googleapis.com/envoy.extensions.transport_sockets";
    let socket = |name: &str, message: &str| {
        let message = format!("{types}.{message}");
        json!({"name": name, "typed_config": {"@type": message}})
    };
    let raw = socket("raw", "raw_buffer.v3.RawBuffer");
    for (criteria, healthy) in [(json!({"check": "plain"}), 1), (json!({"check": "x"}), 0)] {
        let fields = json!({
            "transport_socket": socket("tls", "tls.v3.UpstreamTlsContext"),
            "transport_socket_matches": [
                {"name": "plain", "match": {"check": "plain"}, "transport_socket": raw},
            ],
            "health_checks": [{
                "timeout": "1s", "interval": "1s",
                "unhealthy_threshold": 1, "healthy_threshold": 1,
                "http_health_check": {"path": "/"},
                "transport_socket_match_criteria": criteria,
            }],
        });
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with("up", &[upstream.address()], fields)
            .start();
        proxy.wait_stat_above("cluster.up.health_check.attempt", 0);
        proxy.wait_stat("cluster.up.membership_healthy", healthy);
        // Traffic has its own, which the upstream does not understand.
        assert_eq!(proxy.get("/").status, 503);
        assert_eq!(proxy.stat("cluster.up.plain.total_match_count"), healthy);
    }
}
