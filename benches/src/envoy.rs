//! The v3 bootstrap of a family, for Envoy and nuncio alike.

use serde_json::{Value, json};

use crate::proxy::Site;
use crate::scenario::{Family, Proxying, Routes, domain};

/// The bootstrap as JSON.
pub fn bootstrap(family: &Family, site: &Site) -> String {
    let listeners: Vec<Value> = site
        .ports
        .iter()
        .enumerate()
        .map(|(index, &port)| {
            json!({
                "name": format!("listener_{index}"),
                "address": address(port),
                "filter_chains": [{"filters": [network_filter(family, index, site)]}],
            })
        })
        .collect();
    let clusters: Vec<Value> = (0..site.ports.len())
        .map(|index| cluster(index, site))
        .collect();
    json!({"static_resources": {"listeners": listeners, "clusters": clusters}}).to_string()
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn cluster_name(index: usize) -> String {
    format!("cluster_{index}")
}

fn typed(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/envoy.extensions.{message}").into();
    json!({"name": name, "typed_config": config})
}

fn network_filter(family: &Family, index: usize, site: &Site) -> Value {
    let routes = match family.proxying {
        Proxying::Http(routes) => routes,
        Proxying::Tcp => {
            return typed(
                "envoy.filters.network.tcp_proxy",
                "filters.network.tcp_proxy.v3.TcpProxy",
                json!({"stat_prefix": "tcp", "cluster": cluster_name(index)}),
            );
        }
    };
    let router = typed(
        "envoy.filters.http.router",
        "filters.http.router.v3.Router",
        json!({}),
    );
    let mut manager = json!({
        "stat_prefix": "http",
        "use_remote_address": true,
        "route_config": {"name": "routes", "virtual_hosts": virtual_hosts(routes, index)},
        "http_filters": [router],
    });
    if family.access_log {
        let config = json!({"path": site.access_log()});
        let log = typed(
            "envoy.access_loggers.file",
            "access_loggers.file.v3.FileAccessLog",
            config,
        );
        manager["access_log"] = json!([log]);
    }
    typed(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    )
}

fn virtual_hosts(routes: Routes, index: usize) -> Vec<Value> {
    let virtual_host = |name: String, domain: String| {
        let action = json!({"cluster": cluster_name(index)});
        let route = |prefix| json!({"match": {"prefix": prefix}, "route": action});
        let table: Vec<Value> = routes.prefixes().into_iter().map(route).collect();
        json!({"name": name, "domains": [domain], "routes": table})
    };
    match routes {
        Routes::Hosts(count) => (0..count)
            .map(|host| virtual_host(format!("host_{host}"), domain(host)))
            .collect(),
        Routes::All | Routes::Prefixes(_) => vec![virtual_host("all".into(), "*".into())],
    }
}

fn cluster(index: usize, site: &Site) -> Value {
    let endpoint = json!({"endpoint": {"address": address(site.upstream.port())}});
    json!({
        "name": cluster_name(index),
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": cluster_name(index),
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    })
}
