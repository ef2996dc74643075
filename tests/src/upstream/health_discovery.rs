//! A control plane has hosts checked (HDS), and is told of them.

use crate::harness::{Config, ControlPlane, Upstream, wait_for};
use nuncio_proto::envoy::config::core::v3::HealthStatus;
use nuncio_proto::envoy::service::health::v3::health_check_request_or_endpoint_health_response::RequestType;
use nuncio_proto::envoy::service::health::v3::{EndpointHealthResponse, HealthCheckSpecifier};
use nuncio_proto::{Format, load};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};

/// Hosts of one cluster, to be checked by connecting.
fn specifier(hosts: &[SocketAddr]) -> HealthCheckSpecifier {
    let hosts = hosts.iter().map(|host| {
        json!({"address": {"socket_address": {
            "address": host.ip().to_string(), "port_value": host.port(),
        }}})
    });
    let specifier = json!({
        "interval": "0.05s",
        "cluster_health_checks": [{
            "cluster_name": "plane",
            "health_checks": [{
                "timeout": "1s", "interval": "0.1s", "tcp_health_check": {},
                "unhealthy_threshold": 1, "healthy_threshold": 1,
            }],
            "locality_endpoints": [{
                "locality": {"region": "r", "zone": "z"},
                "endpoints": hosts.collect::<Vec<Value>>(),
            }],
        }],
    });
    let message = load::message_of::<HealthCheckSpecifier>().unwrap();
    let options = Default::default();
    let text = specifier.to_string();
    let loaded = load::text("", &text, Format::Json, message, &options);
    loaded.unwrap().decode().unwrap()
}

/// A report's statuses.
fn statuses(report: &EndpointHealthResponse) -> Vec<HealthStatus> {
    let clusters = &report.cluster_endpoints_health;
    assert!(
        clusters
            .iter()
            .all(|cluster| cluster.cluster_name == "plane")
    );
    let localities = clusters
        .iter()
        .flat_map(|cluster| &cluster.locality_endpoints_health);
    let hosts = localities.flat_map(|locality| {
        assert_eq!(locality.locality.as_ref().unwrap().zone, "z");
        &locality.endpoints_health
    });
    hosts.map(|host| host.health_status()).collect()
}

#[test]
fn hosts_are_checked_for_a_control_plane() {
    use HealthStatus::{Healthy, Unhealthy};
    let host = Upstream::ok("host");
    // Nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let plane = ControlPlane::start();
    // What can't be taken over comes first: nothing is reported of it.
    let mut wrong = specifier(&[dead]);
    let check = &mut wrong.cluster_health_checks[0].health_checks[0];
    check.timeout = None;
    plane.check(wrong);
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    // The cluster that leads there has the same name as the one that is checked.
    let proxy = Config::new()
        .cluster_with(
            "plane",
            &[plane.address()],
            json!({"typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
            }}),
        )
        .bootstrap(json!({
            "node": {"id": "node", "cluster": "cluster"},
            "hds_config": {
                "api_type": "GRPC", "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "plane"}}],
            },
        }))
        .start();
    let report = |wanted: &[HealthStatus]| {
        wait_for("a report", || {
            plane
                .health()
                .into_iter()
                .find(|message| match &message.request_type {
                    Some(RequestType::EndpointHealthResponse(report)) => statuses(report) == wanted,
                    Some(RequestType::HealthCheckRequest(_)) | None => false,
                })
        })
    };
    proxy.wait_stat("hds_delegate.errors", 1);
    assert_eq!(proxy.stat("hds_delegate.responses"), 1);
    plane.check(specifier(&[host.address(), dead]));
    report(&[Healthy, Unhealthy]);
    let Some(RequestType::HealthCheckRequest(hello)) = plane.health().remove(0).request_type else {
        panic!("it says who asks first");
    };
    assert_eq!(hello.node.unwrap().id, "node");
    assert_eq!(hello.capability.unwrap().health_check_protocols, [0, 1]);
    plane.check(specifier(&[dead]));
    report(&[Unhealthy]);
    proxy.wait_stat("hds_delegate.updates", 2);
    assert_eq!(proxy.stat("hds_delegate.requests"), 3);
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 1);
    // Who is asked again says again what it wants.
    plane.end_streams();
    proxy.wait_stat("hds_delegate.errors", 2);
    wait_for("another stream", || (plane.streams() == 2).then_some(()));
    proxy.wait_stat("hds_delegate.requests", 4);
    assert_eq!(proxy.stat("hds_delegate.updates"), 3);
}
