//! The resources that the control plane serves, as Envoy's API has them.

use std::net::SocketAddr;
use std::sync::Arc;

use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::endpoint::v3::ClusterLoadAssignment;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::envoy::config::route::v3::RouteConfiguration;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::Secret;
use nuncio_proto::{Format, Name, load};
use serde_json::{Value, json};

/// The types, in the order in which they are sent: what is referred to comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// CDS
    Cluster,
    /// EDS
    Endpoint,
    /// LDS
    Listener,
    /// RDS
    Route,
    /// SDS
    Secret,
    /// RTDS; nothing of it is served, it is what nobody asks for.
    Runtime,
}

impl Kind {
    /// All that are served.
    pub const ALL: [Kind; 5] = [
        Kind::Cluster,
        Kind::Endpoint,
        Kind::Listener,
        Kind::Route,
        Kind::Secret,
    ];

    /// As requests and responses name it.
    pub fn type_url(self) -> String {
        let name = match self {
            Kind::Cluster => Cluster::full_name(),
            Kind::Endpoint => ClusterLoadAssignment::full_name(),
            Kind::Listener => Listener::full_name(),
            Kind::Route => RouteConfiguration::full_name(),
            Kind::Secret => Secret::full_name(),
            Kind::Runtime => "envoy.service.runtime.v3.Runtime".to_owned(),
        };
        format!("type.googleapis.com/{name}")
    }

    /// The type of this name.
    pub fn of_url(url: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether all resources of it are asked for.
    pub fn is_wildcard(self) -> bool {
        matches!(self, Kind::Cluster | Kind::Listener)
    }
}

/// One encoded resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// The message.
    pub body: Arc<[u8]>,
}

fn resource<T: Name>(name: String, value: &Value) -> Resource {
    let message = load::message_of::<T>().expect("Envoy's API has it");
    let text = value.to_string().into_bytes();
    let read = load::read("", text, Format::Json, message, &Default::default());
    let body = match read.check() {
        Ok(loaded) => loaded.bytes.into(),
        Err(errors) => panic!("what is written here is valid: {errors}"),
    };
    Resource { name, body }
}

const ADS: &str = r#"{"ads": {}, "resource_api_version": "V3"}"#;

fn ads() -> Value {
    serde_json::from_str(ADS).unwrap_or_default()
}

fn typed(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/envoy.extensions.{message}").into();
    json!({"name": name, "typed_config": config})
}

/// The name of the cluster of this number.
pub fn cluster_name(number: usize) -> String {
    format!("cluster_{number:05}")
}

/// A cluster whose endpoints come over EDS. `edition` changes what is in it.
pub fn cluster(number: usize, edition: usize) -> Resource {
    let name = cluster_name(number);
    let value = json!({
        "name": name,
        "type": "EDS",
        "connect_timeout": format!("{}s", 1 + edition % 9),
        "eds_cluster_config": {"eds_config": ads()},
    });
    resource::<Cluster>(name, &value)
}

/// The endpoints of the cluster of this number.
pub fn endpoints(number: usize, addresses: &[SocketAddr]) -> Resource {
    let name = cluster_name(number);
    let endpoint = |address: &SocketAddr| {
        let address = json!({"address": "127.0.0.1", "port_value": address.port()});
        json!({"endpoint": {"address": {"socket_address": address}}})
    };
    let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
    let value = json!({"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]});
    resource::<ClusterLoadAssignment>(name, &value)
}

/// The path below which the route of this number leads to its cluster.
pub fn prefix(number: usize) -> String {
    format!("/service/{number:05}/")
}

/// A table of `count` routes; route n leads to cluster n + `edition`, modulo `clusters`.
pub fn routes(name: &str, count: usize, clusters: usize, edition: usize) -> Resource {
    let route = |number: usize| {
        let cluster = cluster_name((number + edition) % clusters);
        json!({"match": {"prefix": prefix(number)}, "route": {"cluster": cluster}})
    };
    let table: Vec<Value> = (0..count).map(route).collect();
    let host = json!({"name": "all", "domains": ["*"], "routes": table});
    let value = json!({"name": name, "virtual_hosts": [host]});
    resource::<RouteConfiguration>(name.to_owned(), &value)
}

/// A listener for HTTP with routes over RDS, and a certificate over SDS where `secret` names one.
/// `edition` changes what is in it.
pub fn listener(
    name: &str,
    port: u16,
    routes: &str,
    secret: Option<&str>,
    edition: usize,
) -> Resource {
    let router = typed(
        "envoy.filters.http.router",
        "filters.http.router.v3.Router",
        json!({}),
    );
    let manager = typed(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "http",
            "rds": {"route_config_name": routes, "config_source": ads()},
            "http_filters": [router],
        }),
    );
    let mut chain = json!({"filters": [manager]});
    if let Some(secret) = secret {
        let certificate = json!({"name": secret, "sds_config": ads()});
        chain["transport_socket"] = typed(
            "envoy.transport_sockets.tls",
            "transport_sockets.tls.v3.DownstreamTlsContext",
            json!({
                "common_tls_context": {"tls_certificate_sds_secret_configs": [certificate]},
            }),
        );
    }
    let address = json!({"address": "127.0.0.1", "port_value": port});
    let value = json!({
        "name": name,
        "address": {"socket_address": address},
        "per_connection_buffer_limit_bytes": (1 << 20) + edition,
        "filter_chains": [chain],
    });
    resource::<Listener>(name.to_owned(), &value)
}

/// A certificate and its key, in PEM.
pub fn secret(name: &str, certificate: &str, key: &str) -> Resource {
    let value = json!({
        "name": name,
        "tls_certificate": {
            "certificate_chain": {"inline_string": certificate},
            "private_key": {"inline_string": key},
        },
    });
    resource::<Secret>(name.to_owned(), &value)
}

/// The bootstrap of a proxy that has all else from a control plane.
pub fn bootstrap(control_plane: SocketAddr, admin: u16, delta: bool) -> String {
    let address =
        |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let http2 = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        },
    });
    let endpoint = json!({"endpoint": {"address": address(control_plane.port())}});
    let cluster = json!({
        "name": "control_plane",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": http2,
        "load_assignment": {
            "cluster_name": "control_plane",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    });
    let source = json!({
        "api_type": if delta { "DELTA_GRPC" } else { "GRPC" },
        "transport_api_version": "V3",
        "set_node_on_first_message_only": true,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "control_plane"}}],
    });
    json!({
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": address(admin)},
        "dynamic_resources": {"ads_config": source, "cds_config": ads(), "lds_config": ads()},
        "static_resources": {"clusters": [cluster]},
    })
    .to_string()
}
