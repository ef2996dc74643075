//! Services named by their addresses, `google_grpc`, as Envoy asks through gRPC's own library.

use super::{node, response};
use crate::harness::{Config, ControlPlane, Proxy};
use crate::tls::authority::Authority;
use crate::tls::server::tls;
use serde_json::{Value, json};
use std::net::SocketAddr;

const LISTENER: &str = "config.listener.v3.Listener";

/// Listeners come from a service with these fields.
fn start(google: Value) -> Proxy {
    let ads = json!({
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"google_grpc": google}],
    });
    Config::new()
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {
            "ads_config": ads,
            "lds_config": {
                "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0.5s",
            },
        }}))
        .start()
}

fn plane() -> ControlPlane {
    let plane = ControlPlane::start();
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    let listener = Config::http(&[route]).take_listeners().remove(0);
    plane.set(LISTENER, &response("1", LISTENER, &[listener]));
    plane
}

#[test]
fn a_control_plane_at_an_address() {
    let plane = plane();
    let port = plane.address().port();
    let target = format!("dns:///localhost:{port}");
    let proxy = start(json!({"target_uri": target, "stat_prefix": "plane"}));
    assert_eq!(proxy.get("/").status, 200);
    plane.end_streams();
    proxy.wait_stat("grpc.plane.streams_total", 2);
    for (stat, value) in [
        ("grpc.plane.google_grpc_client_creation", 1),
        ("grpc.plane.streams_closed_0", 0),
        ("grpc.plane.streams_closed_14", 1),
        ("cluster_manager.active_clusters", 0),
    ] {
        assert_eq!(proxy.stat(stat), value, "{stat}");
    }
    // Nobody sees what leads there.
    assert_eq!(proxy.admin("/clusters").text(), "");
    let stats = proxy.admin("/stats?filter=^cluster\\.").text();
    assert_eq!(stats, "");
}

#[test]
fn a_control_plane_over_tls() {
    let plane = plane();
    let authority = Authority::new("authority");
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    let route = json!({
        "match": {"prefix": "/", "headers": [{
            "name": "authorization", "string_match": {"exact": "Bearer open sesame"},
        }]},
        "route": {"cluster": "plane", "timeout": "0s"},
    });
    let common = json!({
        "tls_certificates": [authority.sign("plane.test").json()], "alpn_protocols": ["h2"],
    });
    let front = Config::http(&[route])
        .cluster_with(
            "plane",
            &[plane.address()],
            json!({"typed_extension_protocol_options": {options: http2}}),
        )
        .transport_socket(tls(common, json!({})))
        .start();
    let port = front.listener("main").port();
    let google = |name: &str| {
        json!({
            "target_uri": SocketAddr::from(([127, 0, 0, 1], port)).to_string(),
            "stat_prefix": "plane",
            "channel_credentials": {"ssl_credentials": {
                "root_certs": {"inline_string": authority.pem},
            }},
            "call_credentials": [{"access_token": "open sesame"}],
            "channel_args": {"args": {"grpc.ssl_target_name_override": {"string_value": name}}},
        })
    };
    let proxy = start(google("plane.test"));
    assert_eq!(proxy.get("/").status, 200);
    // A certificate for another name is none.
    let proxy = start(google("other.test"));
    proxy.wait_stat_above("grpc.plane.streams_closed_13", 0);
    assert_eq!(proxy.stat("control_plane.connected_state"), 0);
}
