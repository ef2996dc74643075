//! Hosts that answer checks and requests in other ways than expected, and clusters that go.

use super::check_alive;
use crate::dynamic::{node, path_source, response};
use crate::harness::http2::{END_HEADERS, Http2, block, kind};
use crate::harness::{Config, Connection, ControlPlane, Reply, Upstream, direct, route, wait_for};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn http2() -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}})
}

/// Answers to a check over gRPC that are none, each in its turn.
#[test]
fn cve_2022_29224_grpc_checks_that_end_otherwise() {
    let turn = AtomicU32::new(0);
    let upstream = Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        while let Some((_, _, stream, _)) = server.next_of(kind::HEADERS) {
            let head = block(&[(":status", "200"), ("content-type", "application/grpc")]);
            let away = [&stream.to_be_bytes()[..], &[0; 4]].concat();
            match turn.fetch_add(1, Ordering::Relaxed) % 6 {
                0 => drop(server.try_send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 7])),
                1 => drop(server.try_send(kind::GOAWAY, 0, 0, &away)),
                2 => {
                    server.try_send(kind::HEADERS, END_HEADERS, stream, &head);
                    server.try_send(kind::GOAWAY, 0, 0, &away);
                    server.try_send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 0]);
                }
                3 => {
                    server.try_send(kind::HEADERS, END_HEADERS, stream, &head);
                    server.try_send(kind::DATA, 0, stream, &[0, 0, 0, 0, 9, 1]);
                    return;
                }
                4 => drop(server.try_send(kind::HEADERS, END_HEADERS, stream + 1, &head)),
                _ => return,
            }
        }
    });
    let mut fields = http2();
    fields["health_checks"] = json!([{
        "timeout": "0.1s", "interval": "0.02s", "no_traffic_interval": "0.02s",
        "unhealthy_interval": "0.02s", "unhealthy_threshold": 1, "healthy_threshold": 1,
        "grpc_health_check": {},
    }]);
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster_with("up", &[upstream.address()], fields)
        .start();
    proxy.wait_stat_above("cluster.up.health_check.failure", 12);
    assert_eq!(proxy.stat("cluster.up.health_check.success"), 0);
    check_alive(&proxy);
}

/// A cluster that is deleted while many of its connections are idle.
#[test]
fn cve_2022_23606_clusters_that_go_with_their_connections() {
    const MANY: usize = 200;
    // Nobody is answered before all have asked.
    let seen = AtomicU32::new(0);
    let upstream = Upstream::http(move |_| {
        seen.fetch_add(1, Ordering::AcqRel);
        wait_for("the crowd", || {
            (seen.load(Ordering::Acquire) >= MANY as u32).then_some(())
        });
        Reply::ok("up")
    });
    let address = json!({"address": "127.0.0.1", "port_value": upstream.address().port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
    let cluster = json!({"name": "up", "load_assignment": {
        "cluster_name": "up", "endpoints": [{"lb_endpoints": [endpoint]}],
    }});
    const TYPE: &str = "config.cluster.v3.Cluster";
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .manager(json!({"route_config": {"validate_clusters": false}}))
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"cds_config": path_source("cds.json")}}))
        .file("cds.json", response("1", TYPE, &[cluster]))
        .start();
    let mut clients: Vec<Connection> = (0..MANY).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send("GET /up HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response("GET").status, 200);
    }
    assert_eq!(upstream.connections(), MANY as u64);
    proxy.replace("cds.json", response("2", TYPE, &[]));
    proxy.wait_stat("cluster_manager.cluster_removed", 1);
    proxy.wait_stat("cluster_manager.active_clusters", 0);
    assert_eq!(clients[0].get("/up").status, 503);
    check_alive(&proxy);
}

/// Several times run out at once, while the next attempt is waited for.
#[test]
fn cve_2024_23322_times_that_run_out_together() {
    let upstream = Upstream::tcp(|stream| {
        std::thread::sleep(Duration::from_millis(500));
        drop(stream);
    });
    let mut retried = route("/up", "up");
    retried["route"]["idle_timeout"] = "0.06s".into();
    retried["route"]["timeout"] = "0.2s".into();
    retried["route"]["retry_policy"] = json!({
        "retry_on": "5xx,reset", "num_retries": 10,
        "per_try_timeout": "0.02s", "per_try_idle_timeout": "0.02s",
        "retry_back_off": {"base_interval": "0.02s", "max_interval": "0.03s"},
    });
    let proxy = Config::http(&[retried, direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut clients: Vec<Connection> = (0..50).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send("GET /up HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    for client in &mut clients {
        let status = client.response("GET").status;
        assert!([408, 504].contains(&status), "{status}");
    }
    check_alive(&proxy);
}

/// A listener goes, and with it what logged its requests to a service; they are still being made.
#[test]
fn cve_2023_35942_logs_of_listeners_that_are_gone() {
    let (service, upstream) = (ControlPlane::start(), Upstream::ok("up"));
    let log = json!({"name": "log", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.\
                  HttpGrpcAccessLogConfig",
        "common_config": {
            "log_name": "requests",
            "transport_api_version": "V3",
            "buffer_flush_interval": "0.05s",
            "grpc_service": {"envoy_grpc": {"cluster_name": "logs"}},
        },
    }});
    const TYPE: &str = "config.listener.v3.Listener";
    let mut config = Config::http(&[route("/", "up")]).manager(json!({"access_log": [log]}));
    let listeners = config.take_listeners();
    let proxy = Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {"lds_config": path_source("lds.json")}}))
        .file("lds.json", response("1", TYPE, &listeners))
        .cluster("up", &[upstream.address()])
        .cluster_with("logs", &[service.address()], http2())
        .start_with(&["--drain-time-s", "1"]);
    let mut kept = proxy.connect();
    assert_eq!(kept.get("/").status, 200);
    service.wait_logs(1);
    proxy.replace("lds.json", response("2", TYPE, &[]));
    proxy.wait_stat("listener_manager.listener_removed", 1);
    assert_eq!(kept.get("/").status, 200);
    drop(kept);
    proxy.wait_stat("listener_manager.total_listeners_draining", 0);
    assert_eq!(proxy.admin("/ready").text(), "LIVE\n");
}
