//! ADS: clusters, hosts, listeners and routes over one stream.

use super::{node, response};
use crate::harness::{Config, ControlPlane, Proxy, Upstream, direct, is_envoy, wait_for};
use serde_json::{Value, json};
use std::net::SocketAddr;

pub const CLUSTER: &str = "config.cluster.v3.Cluster";
pub const ENDPOINT: &str = "config.endpoint.v3.ClusterLoadAssignment";
pub const LISTENER: &str = "config.listener.v3.Listener";
const ROUTE: &str = "config.route.v3.RouteConfiguration";

pub fn start(plane: &ControlPlane, api_type: &str) -> Proxy {
    start_with(plane, api_type, json!({}))
}

pub fn start_with(plane: &ControlPlane, api_type: &str, more: Value) -> Proxy {
    start_as(node(), plane, api_type, more)
}

pub fn start_as(node: Value, plane: &ControlPlane, api_type: &str, more: Value) -> Proxy {
    config_as(node, plane.address(), (api_type, more), &ads()).start()
}

/// Asks at this address for everything, by this source.
pub fn config_as(
    node: Value,
    plane: SocketAddr,
    (api_type, more): (&str, Value),
    source: &Value,
) -> Config {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let mut ads = json!({
        "api_type": api_type,
        "transport_api_version": "V3",
        "set_node_on_first_message_only": true,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "plane"}}],
    });
    let more = more.as_object().unwrap().clone();
    ads.as_object_mut().unwrap().extend(more);
    let fields = json!({"typed_extension_protocol_options": http2});
    Config::new()
        .cluster_with("plane", &[plane], fields)
        .bootstrap(node)
        .bootstrap(json!({"dynamic_resources": {
            "ads_config": ads, "cds_config": source, "lds_config": source,
        }}))
}

pub fn ads() -> Value {
    json!({"ads": {}, "resource_api_version": "V3"})
}

pub fn cluster(name: &str, timeout: &str) -> Value {
    json!({
        "name": name, "type": "EDS", "connect_timeout": timeout,
        "eds_cluster_config": {"eds_config": ads()},
    })
}

pub fn hosts(name: &str, host: SocketAddr) -> Value {
    let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
    json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]})
}

fn listener() -> Value {
    let rds = json!({"route_config_name": "routes", "config_source": ads()});
    let mut config = Config::http(&[]).manager(json!({"route_config": null, "rds": rds}));
    config.take_listeners().remove(0)
}

fn routes(cluster: &str) -> Value {
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}});
    let virtual_host = json!({"name": "v", "domains": ["*"], "routes": [route]});
    json!({"name": "routes", "virtual_hosts": [virtual_host]})
}

#[test]
fn all_comes_over_one_stream() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let plane = ControlPlane::start();
    plane.set(CLUSTER, &response("1", CLUSTER, &[cluster("a", "1s")]));
    plane.set(
        ENDPOINT,
        &response("1", ENDPOINT, &[hosts("a", one.address())]),
    );
    plane.set(LISTENER, &response("1", LISTENER, &[listener()]));
    plane.set(ROUTE, &response("1", ROUTE, &[routes("a")]));
    let proxy = start(&plane, "GRPC");
    assert_eq!(proxy.get("/").text(), "one");
    assert_eq!(
        (plane.streams(), proxy.stat("control_plane.connected_state")),
        (1, 1)
    );
    let first = plane.wait_request(CLUSTER, |request| request.response_nonce.is_empty());
    let node = first.node.unwrap();
    assert_eq!((&*node.id, &*node.user_agent_name), ("node1", "envoy"));
    let eds = plane.wait_request(ENDPOINT, |request| request.version_info == "1");
    assert_eq!((eds.resource_names, eds.node), (vec!["a".to_owned()], None));
    // Hosts change.
    plane.set(
        ENDPOINT,
        &response("2", ENDPOINT, &[hosts("a", two.address())]),
    );
    proxy.wait_stat("cluster.a.update_success", 2);
    proxy.wait_text("/", "two");
    // A cluster that takes another's place has the same hosts, for which nobody asks again.
    plane.set(CLUSTER, &response("2", CLUSTER, &[cluster("a", "2s")]));
    plane.wait_request(CLUSTER, |request| request.version_info == "2");
    proxy.wait_stat("cluster_manager.warming_clusters", 0);
    assert_eq!(proxy.get("/").text(), "two");
    // What is refused is said, and changes nothing.
    let mut bad = routes("a");
    let host = bad["virtual_hosts"][0].clone();
    bad["virtual_hosts"].as_array_mut().unwrap().push(host);
    plane.set(ROUTE, &response("2", ROUTE, &[bad]));
    let nack = plane.wait_request(ROUTE, |request| request.error_detail.is_some());
    assert_eq!(nack.version_info, "1");
    let reason = nack.error_detail.unwrap().message;
    assert!(
        reason.contains("Only a single wildcard domain is permitted"),
        "{reason}"
    );
    assert_eq!(proxy.get("/").text(), "two");
    if !is_envoy() {
        let states = proxy.admin_json("/csds");
        let states = states["generic_xds_configs"].as_array().unwrap();
        let brief = states.iter().map(|state| {
            let text = |field: &str| state[field].as_str().unwrap_or_default();
            let error = &state["error_state"]["version_info"];
            format!(
                "{} {} {} {}",
                text("name"),
                text("version_info"),
                text("client_status"),
                error.as_str().unwrap_or("-"),
            )
        });
        let brief: Vec<_> = brief.collect();
        assert_eq!(
            brief,
            [
                "a 2 ACKED -",
                "a 2 ACKED -",
                "main 1 ACKED -",
                "routes 1 NACKED 2"
            ]
        );
    }
}

#[test]
fn a_stream_that_ends_is_opened_again_with_what_is_known() {
    let plane = ControlPlane::start();
    let mut config = Config::http(&[direct("/", 200, "first")]);
    let listener = config.take_listeners().remove(0);
    plane.set(CLUSTER, &response("c1", CLUSTER, &[]));
    plane.set(LISTENER, &response("l1", LISTENER, &[listener]));
    let proxy = start(&plane, "GRPC");
    assert_eq!(proxy.get("/").text(), "first");
    plane.wait_request(LISTENER, |request| request.version_info == "l1");
    plane.end_streams();
    let again = |request: &_| {
        let request: &nuncio_proto::envoy::service::discovery::v3::DiscoveryRequest = request;
        request.version_info == "l1" && request.response_nonce.is_empty()
    };
    plane.wait_request(LISTENER, again);
    assert_eq!(
        (plane.streams(), proxy.get("/").text()),
        (2, "first".to_owned())
    );
    assert_eq!(proxy.stat("listener_manager.lds.update_failure"), 1);
    // What is no response ends the stream too, from this side.
    plane.garble();
    proxy.wait_stat("listener_manager.lds.update_failure", 2);
    wait_for("a third stream", || (plane.streams() == 3).then_some(()));
    plane.set(LISTENER, &response("l2", LISTENER, &[]));
    proxy.wait_stat("listener_manager.listener_removed", 1);
}

#[test]
fn resources_come_one_by_one() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let plane = ControlPlane::start();
    plane.set(
        CLUSTER,
        &response("1", CLUSTER, &[cluster("a", "1s"), cluster("b", "1s")]),
    );
    let both = [hosts("a", one.address()), hosts("b", two.address())];
    plane.set(ENDPOINT, &response("1", ENDPOINT, &both));
    plane.set(LISTENER, &response("1", LISTENER, &[listener()]));
    plane.set(ROUTE, &response("1", ROUTE, &[routes("a")]));
    let proxy = start(&plane, "DELTA_GRPC");
    assert_eq!(proxy.get("/").text(), "one");
    plane.set(ROUTE, &response("2", ROUTE, &[routes("b")]));
    proxy.wait_stat("http.http.rds.routes.update_success", 2);
    proxy.wait_text("/", "two");
    // One goes, the other stays.
    plane.set(CLUSTER, &response("2", CLUSTER, &[cluster("b", "1s")]));
    proxy.wait_stat("cluster_manager.cluster_removed", 1);
    assert_eq!(proxy.get("/").text(), "two");
    assert_eq!(plane.streams(), 1);
    let mut bad = routes("a");
    let host = bad["virtual_hosts"][0].clone();
    bad["virtual_hosts"].as_array_mut().unwrap().push(host);
    plane.set(ROUTE, &response("3", ROUTE, &[bad]));
    plane.wait_request(ROUTE, |request| request.error_detail.is_some());
    assert_eq!(proxy.get("/").text(), "two");
    // A listener that goes takes its routes' subscription along.
    plane.set(LISTENER, &response("2", LISTENER, &[]));
    proxy.wait_stat("listener_manager.listener_removed", 1);
}

#[test]
fn requests_beyond_the_limit_wait() {
    let plane = ControlPlane::start();
    let mut config = Config::http(&[direct("/", 200, "first")]);
    let listener = config.take_listeners().remove(0);
    plane.set(CLUSTER, &response("c1", CLUSTER, &[]));
    plane.set(LISTENER, &response("l1", LISTENER, &[listener]));
    let limit = json!({"rate_limit_settings": {"max_tokens": 1, "fill_rate": 5}});
    let proxy = start_with(&plane, "GRPC", limit);
    assert_eq!(proxy.get("/").text(), "first");
    assert!(proxy.stat("control_plane.rate_limit_enforced") > 0);
    plane.wait_request(LISTENER, |request| request.version_info == "l1");
    proxy.wait_stat("control_plane.pending_requests", 0);
}

#[test]
fn what_may_go_goes_unless_it_is_said_to_stay() {
    const WRAPPER: &str = "service.discovery.v3.Resource";
    let plane = ControlPlane::start();
    let wrapped = |name: &str, ttl: Value| {
        let mut body = json!({"name": name, "connect_timeout": "1s"});
        body["@type"] = format!("type.googleapis.com/envoy.{CLUSTER}").into();
        json!({"name": name, "version": "1", "ttl": ttl, "resource": body})
    };
    let both = [
        wrapped("may_go", "0.4s".into()),
        wrapped("stays", Value::Null),
    ];
    plane.set(CLUSTER, &response("1", WRAPPER, &both));
    plane.set(LISTENER, &response("1", LISTENER, &[]));
    let proxy = start(&plane, "GRPC");
    proxy.wait_stat("cluster_manager.active_clusters", 3);
    for (last, version) in [("1", "2"), ("2", "3"), ("3", "4")] {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let stays = json!({"name": "may_go", "version": last, "ttl": "0.4s"});
        plane.set(CLUSTER, &response(version, WRAPPER, &[stays]));
        plane.wait_request(CLUSTER, |request| request.version_info == version);
    }
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 3);
    proxy.wait_stat("cluster_manager.active_clusters", 2);
    if !is_envoy() {
        // There a heartbeat sweeps away what it does not name.
        assert!(proxy.admin("/clusters").text().contains("stays::"));
    }
}
