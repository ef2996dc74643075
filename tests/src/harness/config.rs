//! Bootstraps, put together from parts.

use super::Proxy;
use serde_json::{Value, json};
use std::net::SocketAddr;

const TYPES: &str = "type.googleapis.com/envoy.extensions.filters";

/// The HTTP connection manager among a listener's network filters.
const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

/// A bootstrap; every listener is on a port of 127.0.0.1 that the system picks.
/// `${folder}` in any text becomes the proxy's own folder.
#[derive(Clone)]
pub struct Config {
    files: Vec<(String, String)>,
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    more: Value,
}

impl Config {
    /// Without any listener.
    pub fn new() -> Self {
        Self {
            listeners: Vec::new(),
            clusters: Vec::new(),
            files: Vec::new(),
            more: json!({}),
        }
    }

    /// With a listener `main` that has an HTTP connection manager with these routes.
    pub fn http(routes: &[Value]) -> Self {
        let virtual_host = json!({"name": "all", "domains": ["*"], "routes": routes});
        let router = http_filter("router", "router.v3.Router", json!({}));
        let fields = json!({
            "stat_prefix": "http",
            "route_config": {"name": "routes", "virtual_hosts": [virtual_host]},
            "http_filters": [router],
        });
        let message = "http_connection_manager.v3.HttpConnectionManager";
        Self::tcp(network_filter("http_connection_manager", message, fields))
    }

    /// With a listener `main` that has one network filter.
    pub fn tcp(filter: Value) -> Self {
        Self::new().listener("main", filter)
    }

    /// Adds a listener with one network filter.
    pub fn listener(mut self, name: &str, filter: Value) -> Self {
        self.listeners.push(json!({
            "name": name,
            "address": address(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [{"filters": [filter]}],
        }));
        self
    }

    /// Adds a listener with one network filter, and lays fields over it.
    pub fn listener_with(self, name: &str, filter: Value, fields: Value) -> Self {
        let mut config = self.listener(name, filter);
        let last = config.listeners.last_mut().unwrap();
        merge(last, fields);
        config
    }

    /// Adds an internal listener with one network filter.
    pub fn internal_listener(mut self, name: &str, filter: Value) -> Self {
        self.listeners.push(json!({
            "name": name,
            "internal_listener": {},
            "filter_chains": [{"filters": [filter]}],
        }));
        self
    }

    /// Puts network filters in front of those of a listener.
    pub fn filters_before(mut self, listener: &str, filters: &[Value]) -> Self {
        let found = self.listeners.iter_mut();
        let found = found.filter(|found| found["name"] == listener);
        for found in found {
            let chain = found.pointer_mut("/filter_chains/0/filters").unwrap();
            let after = std::mem::take(chain.as_array_mut().unwrap());
            *chain = filters.iter().cloned().chain(after).collect();
        }
        self
    }

    /// Adds a listener filter to the first listener.
    pub fn listener_filter(mut self, name: &str, message: &str, fields: Value) -> Self {
        let filter = listener_filter(name, message, fields);
        merge(
            &mut self.listeners[0],
            json!({"listener_filters": [filter]}),
        );
        self
    }

    /// Lays fields over the HTTP connection manager of the first listener.
    pub fn manager(mut self, fields: Value) -> Self {
        merge(self.listeners[0].pointer_mut(MANAGER).unwrap(), fields);
        self
    }

    /// Lays a transport socket over the connections of the first listener.
    pub fn transport_socket(self, socket: Value) -> Self {
        self.filter_chain(json!({"transport_socket": socket}))
    }

    /// Lays fields over the filter chain of the first listener.
    pub fn filter_chain(mut self, fields: Value) -> Self {
        let chain = self.listeners[0].pointer_mut("/filter_chains/0").unwrap();
        merge(chain, fields);
        self
    }

    /// Logs each request to the file `access.log` in the proxy's folder.
    pub fn access_log(self, format: &str) -> Self {
        self.manager(json!({"access_log": [file_log(format)]}))
    }

    /// Logs each connection of the first listener there.
    pub fn listener_log(self, format: &str) -> Self {
        self.main_listener(json!({"access_log": [file_log(format)]}))
    }

    /// Lays fields over the first listener.
    pub fn main_listener(mut self, fields: Value) -> Self {
        merge(&mut self.listeners[0], fields);
        self
    }

    /// Puts HTTP filters in front of the router of the first listener.
    pub fn http_filters(mut self, filters: &[Value]) -> Self {
        let chain = self.listeners[0].pointer_mut(&format!("{MANAGER}/http_filters"));
        let chain = chain.unwrap().as_array_mut().unwrap();
        let router = chain.pop();
        chain.extend(filters.iter().cloned().chain(router));
        self
    }

    /// Lays fields over the whole bootstrap.
    pub fn bootstrap(mut self, fields: Value) -> Self {
        merge(&mut self.more, fields);
        self
    }

    /// Adds a file to the proxy's folder.
    pub fn file(mut self, name: &str, text: impl ToString) -> Self {
        self.files.push((name.to_owned(), text.to_string()));
        self
    }

    /// The listeners, to be delivered instead of configured.
    pub fn take_listeners(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.listeners)
    }

    /// Adds a static cluster.
    pub fn cluster(self, name: &str, hosts: &[SocketAddr]) -> Self {
        self.cluster_with(name, hosts, json!({}))
    }

    /// Adds a cluster whose host is an internal listener.
    pub fn internal_cluster(self, name: &str, listener: &str, fields: Value) -> Self {
        let internal = json!({"server_listener_name": listener, "endpoint_id": name});
        let endpoint = json!({
            "endpoint": {"address": {"envoy_internal_address": internal}},
            "metadata": {"filter_metadata": {"host": {"of": name}}},
        });
        let assignment = json!({"endpoints": [{"lb_endpoints": [endpoint]}]});
        let mut cluster = json!({"load_assignment": assignment});
        merge(&mut cluster, fields);
        self.cluster_with(name, &[], cluster)
    }

    /// Adds a static cluster with fields of its own.
    pub fn cluster_with(mut self, name: &str, hosts: &[SocketAddr], fields: Value) -> Self {
        let endpoint = |host: &SocketAddr| json!({"endpoint": {"address": address(*host)}});
        let endpoints: Vec<Value> = hosts.iter().map(endpoint).collect();
        let mut cluster = json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": endpoints}],
            },
        });
        merge(&mut cluster, fields);
        self.clusters.push(cluster);
        self
    }

    /// The file.
    pub fn json(&self) -> Value {
        let mut file = json!({
            "admin": {"address": address(SocketAddr::from(([127, 0, 0, 1], 0)))},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
        });
        merge(&mut file, self.more.clone());
        file
    }

    /// Starts a proxy with it.
    pub fn start(&self) -> Proxy {
        self.start_with(&[])
    }

    /// Starts a proxy with it and more arguments.
    pub fn start_with(&self, arguments: &[&str]) -> Proxy {
        Proxy::start_in(&self.files, &self.json().to_string(), arguments)
    }

    /// Starts a proxy that may take its time to be live.
    pub fn launch_with(&self, arguments: &[&str]) -> Proxy {
        Proxy::launch_in(&self.files, &self.json().to_string(), arguments)
    }
}

/// A log in the file `access.log` of the proxy's folder.
pub fn file_log(format: &str) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "${folder}/access.log",
            "log_format": {"text_format_source": {"inline_string": format.to_owned() + "\n"}},
        },
    })
}

/// A route by prefix to a cluster.
pub fn route(prefix: &str, cluster: &str) -> Value {
    json!({"match": {"prefix": prefix}, "route": {"cluster": cluster}})
}

/// A route by prefix that is answered directly.
pub fn direct(prefix: &str, status: u16, body: &str) -> Value {
    let response = json!({"status": status, "body": {"inline_string": body}});
    json!({"match": {"prefix": prefix}, "direct_response": response})
}

/// A network filter by its name's and its message's last parts.
pub fn network_filter(name: &str, message: &str, fields: Value) -> Value {
    typed("network", name, message, fields)
}

/// A listener filter by its name's and its message's last parts.
pub fn listener_filter(name: &str, message: &str, fields: Value) -> Value {
    typed("listener", name, message, fields)
}

/// An HTTP filter by its name's and its message's last parts.
pub fn http_filter(name: &str, message: &str, fields: Value) -> Value {
    typed("http", name, message, fields)
}

fn typed(kind: &str, name: &str, message: &str, mut fields: Value) -> Value {
    fields["@type"] = format!("{TYPES}.{kind}.{message}").into();
    json!({"name": format!("envoy.filters.{kind}.{name}"), "typed_config": fields})
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// Lays `over` over `base`: objects field by field, everything else whole.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
