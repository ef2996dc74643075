//! Runs a network filter behind a listener, on a worker of its own, for blocking clients.

mod fixture;

pub(crate) use fixture::{parse, parse_all, parse_in};

use nuncio_listener::{
    FilterChainSpec, FilterChains, GlobalConnections, ListenAddress, ListenSockets, Listener,
    ListenerContext, ListenerSpec,
};
use nuncio_net::{DrainSettings, DrainStrategy, NetworkFilterFactory, ServerDrain};
use nuncio_stats::Store;
use nuncio_worker::{Worker, WorkerThread, run_main};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A filter that serves clients.
pub(crate) struct Served {
    pub address: SocketAddr,
    pub store: Store,
    pub drain: Arc<ServerDrain>,
    _worker: WorkerThread,
    _sockets: ListenSockets,
}

/// Puts `filter` behind a listener, with this buffer limit; `prepare` runs on the worker first.
pub(crate) fn serve(
    store: Store,
    filter: Arc<dyn NetworkFilterFactory>,
    buffer_limit: usize,
    prepare: impl FnOnce(&Rc<Worker>) + Send + 'static,
) -> Served {
    serve_chain(store, vec![filter], buffer_limit, prepare)
}

/// Puts filters behind a listener, likewise.
pub(crate) fn serve_chain(
    store: Store,
    filters: Vec<Arc<dyn NetworkFilterFactory>>,
    buffer_limit: usize,
    prepare: impl FnOnce(&Rc<Worker>) + Send + 'static,
) -> Served {
    let worker = WorkerThread::start(0).unwrap();
    worker.handle().post(prepare);
    let drain_settings = DrainSettings {
        time: Duration::from_secs(600),
        strategy: DrainStrategy::Immediate,
    };
    let context = ListenerContext {
        store: store.clone(),
        workers: vec![worker.handle().clone()],
        connections: Arc::new(GlobalConnections::new(None)),
        drain: Arc::new(ServerDrain::new(drain_settings)),
        drain_settings,
    };
    let chain = FilterChainSpec {
        name: "chain".into(),
        metadata: None,
        criteria: Default::default(),
        transport_socket: None,
        transport_socket_connect_timeout: None,
        filters,
        draining: Arc::default(),
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let chains = FilterChains::new(Vec::new(), Some(Arc::new(chain))).unwrap();
    let mut spec = ListenerSpec::new("l", vec![ListenAddress::new(any.into())], Arc::new(chains));
    spec.stat_prefix = "l".to_owned();
    spec.per_connection_buffer_limit = buffer_limit;
    let sockets = ListenSockets::bind(&spec, 1).unwrap();
    sockets.listen(&spec).unwrap();
    let listener = Listener::new(spec, &context, true);
    let own = sockets.of_worker(0).unwrap();
    let handle = worker.handle().clone();
    let started =
        run_main(|_| async move { Listener::start_all(&handle, vec![(listener, own)]).await });
    assert!(started.unwrap().iter().all(Result::is_ok));
    let address = sockets.local_addresses().next().unwrap().ip().unwrap();
    Served {
        address,
        store,
        drain: context.drain,
        _worker: worker,
        _sockets: sockets,
    }
}

impl Served {
    /// A client that waits for at most ten seconds.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    }

    /// A counter's value, or 0.
    pub fn counter(&self, name: &str) -> u64 {
        self.store.counter_value(name).unwrap_or_default()
    }

    /// Waits until a counter has a value.
    pub fn wait_for(&self, name: &str, expected: u64) {
        wait_until(name, || self.counter(name) == expected);
    }
}

/// Waits until `done`, ten seconds at most.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within ten seconds: {what}");
}

/// What is read until the end; a reset ends it too.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}, after {} bytes", all.len()),
    }
    all
}

/// What one read gives.
pub(crate) fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut some = vec![0; 4096];
    let length = stream.read(&mut some).unwrap();
    some.truncate(length);
    some
}
