//! Clusters of clusters: the first that has healthy hosts gets the requests.

use crate::harness::{Config, Upstream, network_filter, route};
use serde_json::{Value, json};
use std::io::{Read, Write};

fn aggregate(clusters: &[&str]) -> Value {
    json!({
        "type": null,
        "lb_policy": "CLUSTER_PROVIDED",
        "load_assignment": null,
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": clusters,
            },
        },
    })
}

fn checked() -> Value {
    json!({
        "health_checks": [{
            "timeout": "0.5s", "interval": "0.1s", "no_traffic_interval": "0.1s",
            "unhealthy_threshold": 1, "healthy_threshold": 1,
            "http_health_check": {"path": "/hz"},
        }],
        "common_lb_config": {"update_merge_window": "0s"},
    })
}

#[test]
fn requests_go_to_the_first_cluster_with_healthy_hosts() {
    use crate::harness::Reply;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};
    let status = Arc::new(AtomicU16::new(200));
    let answer = Arc::clone(&status);
    let first = Upstream::http(move |request| match request.path.as_str() {
        "/hz" => Reply::new(answer.load(Ordering::Relaxed), "", "x"),
        _ => Reply::ok("first"),
    });
    let second = Upstream::ok("second");
    let proxy = Config::http(&[route("/", "all")])
        .cluster_with("all", &[], aggregate(&["first", "second", "unknown"]))
        .cluster_with("first", &[first.address()], checked())
        .cluster("second", &[second.address()])
        .start();
    assert_eq!(proxy.get("/").brief(), (200, "first".to_owned()));
    status.store(503, Ordering::Relaxed);
    proxy.wait_stat("cluster.first.membership_healthy", 0);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(proxy.get("/").brief(), (200, "second".to_owned()));
    status.store(200, Ordering::Relaxed);
    proxy.wait_stat("cluster.first.membership_healthy", 1);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(proxy.get("/").brief(), (200, "first".to_owned()));
    // Responses count at the whole, connections and requests at the part.
    for (name, value) in [
        ("all.upstream_rq_2xx", 3),
        ("all.upstream_rq_total", 0),
        ("all.upstream_cx_total", 0),
        ("first.upstream_rq_total", 2),
        ("second.upstream_rq_total", 1),
        ("first.upstream_rq_2xx", 0),
    ] {
        assert_eq!(proxy.stat(&format!("cluster.{name}")), value, "{name}");
    }
}

#[test]
fn a_cluster_without_parts_has_no_host() {
    let proxy = Config::http(&[route("/own", "own"), route("/", "none")])
        .cluster_with("none", &[], aggregate(&["unknown"]))
        .cluster_with("own", &[], aggregate(&["own"]))
        .start();
    for path in ["/", "/own"] {
        assert_eq!(
            proxy.get(path).brief(),
            (503, "no healthy upstream".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn connections_go_there_too() {
    let echo = Upstream::tcp(|mut stream| {
        let mut word = [0; 4];
        while stream.read_exact(&mut word).is_ok() && stream.write_all(&word).is_ok() {}
    });
    let fields = json!({"stat_prefix": "tcp", "cluster": "all"});
    let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster_with("all", &[], aggregate(&["part"]))
        .cluster("part", &[echo.address()])
        .start();
    let mut connection = proxy.connect();
    connection.send("ping");
    assert_eq!(connection.read(4), b"ping");
    assert_eq!(proxy.stat("cluster.part.upstream_cx_total"), 1);
}
