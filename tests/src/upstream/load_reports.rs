//! A control plane is told how much load hosts have (LRS).

use crate::harness::{Config, ControlPlane, Proxy, Reply, Upstream, is_envoy, route, wait_for};
use nuncio_proto::envoy::config::endpoint::v3::ClusterStats;
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Who reports the load of one host, of a cluster `hosts`.
fn start(plane: &ControlPlane, host: &Upstream, node: Value) -> Proxy {
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    let address = json!({"address": "127.0.0.1", "port_value": host.address().port()});
    Config::http(&[route("/", "hosts")])
        .cluster_with(
            "hosts",
            &[],
            json!({"load_assignment": {"cluster_name": "hosts", "endpoints": [{
                "locality": {"region": "r", "zone": "z"},
                "lb_endpoints": [{"endpoint": {"address": {"socket_address": address}}}],
            }]}}),
        )
        .cluster_with(
            "reports",
            &[plane.address()],
            json!({"typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
            }}),
        )
        .bootstrap(json!({
            "node": node,
            "cluster_manager": {"load_stats_config": {
                "api_type": "GRPC", "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "reports"}}],
            }},
        }))
        .start()
}

/// What was reported of it.
fn reports(plane: &ControlPlane) -> impl Iterator<Item = ClusterStats> {
    let clusters = plane
        .loads()
        .into_iter()
        .flat_map(|load| load.cluster_stats);
    clusters.filter(|cluster| cluster.cluster_name == "hosts")
}

#[test]
fn load_is_reported_by_locality_and_host() {
    let plane = ControlPlane::start();
    let host = Upstream::http(|request| match request.path.as_str() {
        "/bad" => Reply::new(503, "", ""),
        _ => Reply::ok("good"),
    });
    let proxy = start(&plane, &host, json!({"id": "node", "cluster": "cluster"}));
    // Clusters are tracked once the control plane has asked.
    wait_for("a report", || reports(&plane).next());
    for path in ["/", "/", "/bad"] {
        proxy.get(path);
    }
    let localities = wait_for("reports of three requests", || {
        let localities = reports(&plane).flat_map(|cluster| cluster.upstream_locality_stats);
        let localities: Vec<_> = localities.collect();
        let issued = localities.iter().map(|one| one.total_issued_requests);
        (issued.sum::<u64>() >= 3).then_some(localities)
    });
    let mut sums = [0; 3];
    for locality in localities {
        assert_eq!(locality.locality.unwrap().zone, "z");
        assert_eq!(locality.upstream_endpoint_stats.len(), 1);
        sums[0] += locality.total_successful_requests;
        sums[1] += locality.total_error_requests;
        sums[2] += locality.total_issued_requests;
    }
    assert_eq!(sums, [2, 1, 3]);
    assert_eq!(plane.loads()[0].node.as_ref().unwrap().id, "node");
    assert!(proxy.stat("load_reporter.requests") >= 1);
    assert!(proxy.stat("load_reporter.responses") >= 3);
}

#[test]
fn reports_wait_for_those_before() {
    let plane = ControlPlane::start();
    let host = Upstream::ok("good");
    // Each report is of 300 kB.
    let node = json!({"id": "x".repeat(300_000), "cluster": "cluster"});
    let proxy = start(&plane, &host, node);
    wait_for("a report", || reports(&plane).next());
    plane.set_deaf(true);
    proxy.get("/");
    thread::sleep(Duration::from_millis(700));
    let heard = plane.loads().len() as u64;
    let most = if is_envoy() { u64::MAX } else { heard + 6 };
    assert!(proxy.stat("load_reporter.responses") <= most);
    proxy.get("/");
    plane.set_deaf(false);
    // What was held back is in the reports that follow.
    wait_for("reports of two requests", || {
        let localities = reports(&plane).flat_map(|cluster| cluster.upstream_locality_stats);
        let issued: u64 = localities.map(|one| one.total_issued_requests).sum();
        (issued == 2).then_some(())
    });
}
