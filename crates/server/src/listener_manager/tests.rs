//! The manager with real workers and sockets.

use super::*;
use nuncio_base::Buffer;
use nuncio_base::address::Address;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{NetworkFilterExtension, Registry, ServerEnv};
use nuncio_listener::GlobalConnections;
use nuncio_net::{
    ConnCx, DrainSettings, DrainStrategy, FilterStatus, LocalNetworkFilterFactory, NetworkFilter,
    NetworkFilterFactory, NewConnection, ServerDrain,
};
use nuncio_proto::envoy::extensions::filters::network::echo::v3::Echo;
use nuncio_proto::{Format, Options, load};
use nuncio_stats::Store;
use nuncio_worker::{WorkerThread, run_main};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers with the filter chain's name.
struct Named;

impl NetworkFilterExtension for Named {
    const NAME: &'static str = "envoy.filters.network.echo";
    const TERMINAL: bool = true;
    type Proto = Echo;
    type Spec = Self;
    fn parse(&self, _: Echo, _: &NetworkFilterCx, _: &mut ParseCx) -> Parsed<Self> {
        Ok(Self)
    }
}

impl NetworkFilterFactory for Named {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalNetworkFilterFactory for Named {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Self)
    }
}

impl NetworkFilter for Named {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        data.clear();
        let name = cx.info().filter_chain_name().to_owned();
        cx.out().push(name.into());
        FilterStatus::StopIteration
    }
}

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[&Named],
    upstream_sockets: &[],
};

struct Fixture {
    manager: Rc<ListenerManager>,
    env: Rc<ServerEnv>,
    store: Store,
    _workers: Vec<WorkerThread>,
}

const DRAIN_TIME: Duration = Duration::from_millis(400);

impl Fixture {
    fn new(main: &Rc<Worker>) -> Self {
        let threads: Vec<_> = (0..2).map(|i| WorkerThread::start(i).unwrap()).collect();
        let workers: Vec<_> = threads.iter().map(|t| t.handle().clone()).collect();
        let store = Store::default();
        let drain_settings = DrainSettings {
            time: DRAIN_TIME,
            strategy: DrainStrategy::Gradual,
        };
        let context = ListenerContext {
            store: store.clone(),
            workers: workers.clone(),
            connections: Arc::new(GlobalConnections::new(None)),
            drain: Arc::new(ServerDrain::new(drain_settings)),
            drain_settings,
        };
        let node = NodeInfo::default();
        let env = ServerEnv::new(&REGISTRY, store.clone(), workers, node, false);
        Self {
            manager: ListenerManager::new(main, context),
            env,
            store,
            _workers: threads,
        }
    }

    /// Adds or updates a listener that is written as YAML, where `ECHO` is a filter.
    fn put(&self, yaml: &str, origin: Origin) -> Result<bool, String> {
        let echo = "{name: e, typed_config: {'@type': \
                    type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}";
        let yaml = yaml.replace("ECHO", echo);
        let message = load::message_of::<proto::Listener>().unwrap();
        let options = Options::default();
        let loaded = load::text("t.yaml", &yaml, Format::Yaml, message, &options).unwrap();
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let result = self
            .manager
            .add_or_update(&mut cx, loaded.decode().unwrap(), origin);
        let (errors, _) = cx.finish();
        result.map_err(|_| errors[0].to_string())
    }

    fn counter(&self, name: &str) -> u64 {
        let name = format!("listener_manager.{name}");
        self.store.counter_value(&name).unwrap_or_default()
    }

    fn gauge(&self, name: &str) -> u64 {
        let name = format!("listener_manager.{name}");
        self.store.gauge_value(&name).unwrap_or_default()
    }

    fn address(&self, name: &str) -> Address {
        let all = self.manager.listeners();
        let found = all.iter().find(|status| status.name == name).unwrap();
        found.addresses[0].clone()
    }

    async fn connect(&self, name: &str) -> TcpStream {
        let address = self.address(name).ip().unwrap();
        TcpStream::connect(address).await.unwrap()
    }
}

fn dynamic() -> Origin {
    Origin::Dynamic {
        version: "1".to_owned(),
    }
}

/// What a connection answers; empty where it was closed.
async fn ask(stream: &mut TcpStream) -> String {
    let mut answer = [0; 64];
    let _ = stream.write_all(b"?").await;
    match stream.read(&mut answer).await {
        Ok(length) => String::from_utf8_lossy(&answer[..length]).into_owned(),
        Err(_) => String::new(),
    }
}

async fn eventually(what: &str, done: impl Fn() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within two seconds: {what}");
}

fn on_main<F: Future<Output = ()>>(test: impl FnOnce(Rc<Worker>) -> F) {
    run_main(test).unwrap();
}

/// A listener with these chains: `NAME` for any connection or `NAME@PORT` for a source port.
fn listener(name: &str, port: u16, chains: &[&str], more: &str) -> String {
    let chains: Vec<_> = chains
        .iter()
        .map(|chain| match chain.split_once('@') {
            Some((name, port)) => format!(
                "{{name: {name}, filter_chain_match: {{source_ports: [{port}]}}, filters: [ECHO]}}"
            ),
            None => format!("{{name: {chain}, filters: [ECHO]}}"),
        })
        .collect();
    format!(
        "name: '{name}'\n\
         address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}\n\
         filter_chains: [{}]\n{more}",
        chains.join(", ")
    )
}

#[test]
fn static_listeners_are_bound_at_the_start_and_stay() {
    on_main(|worker| async move {
        let fixture = Fixture::new(&worker);
        let put = |yaml: &str| fixture.put(yaml, Origin::Static);
        assert_eq!(put(&listener("a", 0, &["first"], "")), Ok(true));
        assert_eq!(put(&listener("a", 0, &["second"], "")), Ok(false));
        assert_eq!(put(&listener("b", 0, &["b"], "")), Ok(true));
        assert_eq!(put(&listener("", 0, &["c"], "")), Ok(true));
        assert_eq!(fixture.manager.bind(), Ok(()));
        fixture.manager.start_workers().await;
        for (name, chain) in [("a", "first"), ("b", "b")] {
            assert_eq!(ask(&mut fixture.connect(name).await).await, chain);
        }
        assert_eq!(fixture.manager.listeners()[2].name.len(), 36);
        for (name, expected) in [
            ("listener_added", 3),
            ("listener_create_success", 6),
            ("listener_modified", 0),
        ] {
            assert_eq!(fixture.counter(name), expected, "{name}");
        }
        assert_eq!(fixture.gauge("workers_started"), 1);
        assert_eq!(fixture.gauge("total_listeners_active"), 3);
        assert!(!fixture.manager.remove("a") && !fixture.manager.remove("x"));
    });
}

#[test]
fn an_address_is_had_once() {
    on_main(|worker| async move {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let fixture = Fixture::new(&worker);
        let put = |yaml: &str| fixture.put(yaml, Origin::Static);
        assert_eq!(put(&listener("a", port, &["a"], "")), Ok(true));
        let error = put(&listener("b", port, &["b"], "")).unwrap_err();
        let expected = format!(
            "error adding listener: 'b' has duplicate address '127.0.0.1:{port}' as existing \
             listener, to check if"
        );
        assert!(error.contains(&expected), "{error}");
        let expected = format!("cannot bind '127.0.0.1:{port}': Address already in use");
        assert_eq!(fixture.manager.bind(), Err(expected.clone()));
        // Once workers run, an address that is taken refuses the update.
        let fixture = Fixture::new(&worker);
        fixture.manager.start_workers().await;
        let error = fixture.put(&listener("a", port, &["a"], ""), dynamic());
        assert!(error.unwrap_err().contains(&expected));
        assert_eq!(fixture.counter("listener_create_failure"), 1);
        assert_eq!(fixture.gauge("total_listeners_active"), 0);
    });
}

#[test]
fn an_update_of_chains_keeps_connections_on_the_others() {
    on_main(|worker| async move {
        let fixture = Fixture::new(&worker);
        fixture.manager.start_workers().await;
        let put = |chains: &[&str]| fixture.put(&listener("a", 0, chains, ""), dynamic());
        assert_eq!(put(&["stays"]), Ok(true));
        eventually("runs", || fixture.counter("listener_create_success") == 2).await;
        let address = fixture.address("a");
        let mut on_stays = fixture.connect("a").await;
        assert_eq!(ask(&mut on_stays).await, "stays");
        // A chain for a client that will be left out again.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(put(&["stays", &format!("goes@{port}")]), Ok(true));
        assert_eq!(put(&["stays", &format!("goes@{port}")]), Ok(false));
        // Messages reach workers in order, but this thread is faster than they are.
        for worker in &fixture.env.workers {
            worker.ask(|_| ()).await;
        }
        let mut on_goes = socket.connect(address.ip().unwrap()).await.unwrap();
        assert_eq!(ask(&mut on_goes).await, "goes");
        assert_eq!(put(&["stays"]), Ok(true));
        assert_eq!(fixture.gauge("total_filter_chains_draining"), 1);
        assert_eq!(ask(&mut on_goes).await, "goes");
        eventually("drained", || {
            fixture.gauge("total_filter_chains_draining") == 0
        })
        .await;
        assert_eq!(ask(&mut on_goes).await, "");
        assert_eq!(ask(&mut on_stays).await, "stays");
        assert_eq!(fixture.address("a"), address);
        for (name, expected) in [
            ("listener_added", 1),
            ("listener_modified", 2),
            ("listener_in_place_updated", 2),
            ("listener_create_success", 6),
        ] {
            assert_eq!(fixture.counter(name), expected, "{name}");
        }
    });
}

#[test]
fn a_replaced_listener_loses_no_connection_and_drains() {
    on_main(|worker| async move {
        let fixture = Fixture::new(&worker);
        fixture.manager.start_workers().await;
        let put =
            |chain: &str, more: &str| fixture.put(&listener("a", 0, &[chain], more), dynamic());
        assert_eq!(put("old", ""), Ok(true));
        let address = fixture.address("a");
        let mut on_old = fixture.connect("a").await;
        assert_eq!(ask(&mut on_old).await, "old");
        let mut seen = [0, 0];
        for round in 0..400 {
            if round == 100 {
                let limit = "per_connection_buffer_limit_bytes: 1000";
                assert_eq!(put("new", limit), Ok(true));
                assert_eq!(fixture.gauge("total_listeners_draining"), 1);
                // Asked now: on a busy machine the rounds may outlast the drain time.
                assert_eq!(ask(&mut on_old).await, "old");
            }
            match ask(&mut fixture.connect("a").await).await.as_str() {
                "old" => seen[0] += 1,
                "new" => seen[1] += 1,
                other => panic!("round {round}: {other:?}"),
            }
        }
        assert!(seen[0] >= 100 && seen[1] >= 200, "{seen:?}");
        assert_eq!(fixture.address("a"), address);
        eventually("drained", || fixture.gauge("total_listeners_draining") == 0).await;
        assert_eq!(ask(&mut on_old).await, "");
        assert_eq!(fixture.counter("listener_modified"), 1);
        assert_eq!(fixture.counter("listener_in_place_updated"), 0);
    });
}

#[test]
fn removed_and_stopped_listeners_take_no_more_connections() {
    on_main(|worker| async move {
        let fixture = Fixture::new(&worker);
        fixture.manager.start_workers().await;
        let put =
            |name: &str, more: &str| fixture.put(&listener(name, 0, &[name], more), dynamic());
        assert_eq!(put("removed", ""), Ok(true));
        assert_eq!(put("inbound", "traffic_direction: INBOUND"), Ok(true));
        assert_eq!(put("other", ""), Ok(true));
        let names = ["removed", "inbound", "other"];
        let mut streams = Vec::new();
        for name in names {
            let mut stream = fixture.connect(name).await;
            assert_eq!(ask(&mut stream).await, name);
            streams.push((name, stream));
        }
        let addresses = names.map(|name| fixture.address(name).ip().unwrap());
        let refused = async || {
            let mut refused = Vec::new();
            for (name, address) in names.iter().zip(addresses) {
                if TcpStream::connect(address).await.is_err() {
                    refused.push(*name);
                }
            }
            refused
        };
        let until_refused = async |expected: &[&str]| {
            for _ in 0..200 {
                if refused().await == expected {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("{:?} instead of {expected:?}", refused().await);
        };
        assert!(fixture.manager.remove("removed"));
        until_refused(&["removed"]).await;
        fixture.manager.stop_listeners(DrainScope::InboundOnly);
        until_refused(&["removed", "inbound"]).await;
        eventually("stopped", || fixture.counter("listener_stopped") == 1).await;
        fixture.manager.stop_listeners(DrainScope::All);
        until_refused(&["removed", "inbound", "other"]).await;
        eventually("stopped", || fixture.counter("listener_stopped") == 2).await;
        assert_eq!(put("late", ""), Ok(false));
        assert_eq!(fixture.gauge("total_listeners_active"), 2);
        eventually("drained", || fixture.gauge("total_listeners_draining") == 0).await;
        for (name, stream) in &mut streams {
            let expected = if *name == "removed" { "" } else { name };
            assert_eq!(ask(stream).await, expected);
        }
    });
}
