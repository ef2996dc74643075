//! Sovereign, a control plane over REST that nobody here wrote.

use super::{node, response};
use crate::harness::{Config, Upstream, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The Python that has it.
fn python() -> Option<String> {
    let python = std::env::var("NUNCIO_TEST_PYTHON").unwrap_or("python3".to_owned());
    let mut command = Command::new(&python);
    let find = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('sovereign'))";
    let found = command.args(["-c", find]).stderr(Stdio::null());
    if found.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!(
        "skipped, {python} has no sovereign: pip install sovereign, or name one in \
         NUNCIO_TEST_PYTHON"
    );
    None
}

/// A running Sovereign, which reads its templates when it starts.
struct Sovereign {
    child: Child,
    folder: PathBuf,
}

impl Sovereign {
    /// Serves these resources, each kind as in a response.
    fn start(python: &str, port: u16, resources: &[(&str, Value)]) -> Self {
        let folder = std::env::temp_dir().join(format!("sovereign-{port}"));
        fs::create_dir_all(&folder).unwrap();
        let mut templates = json!({});
        for (kind, response) in resources {
            let path = folder.join(format!("{kind}.yaml"));
            // YAML contains JSON.
            fs::write(
                &path,
                json!({"resources": response["resources"]}).to_string(),
            )
            .unwrap();
            templates[*kind] = format!("file+jinja://{}", path.display()).into();
        }
        let source = json!({"type": "inline", "config": {
            "instances": [{"name": "any", "service_clusters": ["*"]}],
        }});
        let config = json!({"templates": {"default": templates}, "sources": [source]});
        let path = folder.join("sovereign.yaml");
        fs::write(&path, config.to_string()).unwrap();
        let mut command = Command::new(python);
        command
            .args(["-m", "sovereign.server"])
            .env("SOVEREIGN_CONFIG", format!("file://{}", path.display()))
            .env("SOVEREIGN_HOST", "127.0.0.1")
            .env("SOVEREIGN_PORT", port.to_string())
            .env("SOVEREIGN_WORKERS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for("sovereign", || TcpStream::connect(at).ok());
        Self { child, folder }
    }
}

impl Drop for Sovereign {
    fn drop(&mut self) {
        // Its worker ends with it.
        let id = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn source() -> Value {
    json!({"resource_api_version": "V3", "api_config_source": {
        "api_type": "REST", "transport_api_version": "V3",
        "cluster_names": ["plane"], "refresh_delay": "0.1s",
    }})
}

/// A listener whose routes lead to a cluster with this host.
fn resources(host: SocketAddr) -> Vec<(&'static str, Value)> {
    let rds = json!({"route_config_name": "routes", "config_source": source()});
    let mut config = Config::http(&[]).manager(json!({"route_config": null, "rds": rds}));
    let listener = config.take_listeners().remove(0);
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "up"}});
    let routes = json!({"name": "routes", "virtual_hosts": [
        {"name": "v", "domains": ["*"], "routes": [route]},
    ]});
    let cluster = json!({
        "name": "up", "type": "EDS", "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source()},
    });
    let address = json!({"address": host.ip().to_string(), "port_value": host.port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
    let hosts = json!({"cluster_name": "up", "endpoints": [{"lb_endpoints": [endpoint]}]});
    [
        ("listeners", "config.listener.v3.Listener", listener),
        ("routes", "config.route.v3.RouteConfiguration", routes),
        ("clusters", "config.cluster.v3.Cluster", cluster),
        (
            "endpoints",
            "config.endpoint.v3.ClusterLoadAssignment",
            hosts,
        ),
    ]
    .into_iter()
    .map(|(kind, message, resource)| (kind, response("", message, &[resource])))
    .collect()
}

#[test]
fn everything_comes_from_sovereign() {
    let Some(python) = python() else { return };
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let at = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let plane = Sovereign::start(&python, at.port(), &resources(one.address()));
    let proxy = Config::new()
        .cluster("plane", &[at])
        .bootstrap(node())
        .bootstrap(json!({"dynamic_resources": {
            "cds_config": source(), "lds_config": source(),
        }}))
        .start();
    proxy.wait_text("/", "one");
    // Unchanged is not sent again.
    proxy.wait_stat_above("cluster.up.update_attempt", 3);
    assert_eq!(proxy.stat("cluster.up.update_success"), 1);
    // Without it everything goes on, and is as it says once it is back.
    drop(plane);
    proxy.wait_stat_above("cluster.up.update_failure", 0);
    assert_eq!(proxy.get("/").text(), "one");
    let _plane = Sovereign::start(&python, at.port(), &resources(two.address()));
    proxy.wait_text("/", "two");
}
