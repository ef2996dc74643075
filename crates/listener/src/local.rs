//! A listener on one worker: from an accepted socket to a running connection.

use crate::accept::Acceptor;
use crate::active::Active;
use crate::connections::Connections;
use crate::handshake::Handshake;
use crate::incoming::Incoming;
use crate::inspect::inspect;
use crate::internal::Registration;
use crate::listener::{Admission, Listener, Refusal};
use crate::listener_filter::{Candidate, LocalListenerFilterFactory};
use crate::logs::Logs;
use crate::sockets::WorkerSocket;
use crate::spec::{FilterChainSpec, ListenerSpec};
use crate::stats::{ListenerStats, WorkerListenerStats};
use crate::worker_listeners::{HandedOver, WorkerListeners};
use nuncio_base::log::{Level, logger};
use nuncio_net::overload::{Overload, Shedding};
use nuncio_net::{
    Connection, ConnectionEvent, ConnectionSettings, DrainDecision, LocalNetworkFilterFactory,
    LocalTransportSocketFactory, NewConnection, Transport, next_connection_id,
};
use nuncio_stats::SharedCounter;
use nuncio_stream_info::{ConnectionInfo, FilterChainInfo, ListenerInfo};
use nuncio_worker::Worker;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a connection that was closed gracefully waits for its peer, where its filters say
/// nothing: Envoy's `delayed_close_timeout`.
const DELAYED_CLOSE: Duration = Duration::from_secs(1);

/// How often the log says that connections can't be accepted.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(1);

/// A filter chain on this worker.
pub(crate) struct LocalChain {
    pub spec: Arc<FilterChainSpec>,
    info: Rc<FilterChainInfo>,
    transport: Option<Rc<dyn LocalTransportSocketFactory>>,
    filters: Box<[Rc<dyn LocalNetworkFilterFactory>]>,
    drain: Rc<DrainDecision>,
    settings: ConnectionSettings,
    connections: Rc<Connections>,
}

impl LocalChain {
    fn new(worker: &Rc<Worker>, listener: &Listener, spec: &Arc<FilterChainSpec>) -> Rc<Self> {
        let transport = spec.transport_socket.as_ref();
        let filters = spec.filters.iter();
        Rc::new(Self {
            transport: transport.map(|factory| factory.localize(worker)),
            filters: filters.map(|factory| factory.localize(worker)).collect(),
            drain: Rc::new(listener.drain_decision(spec)),
            settings: ConnectionSettings {
                buffer_limit: listener.spec().per_connection_buffer_limit,
                delayed_close: DELAYED_CLOSE,
            },
            connections: Rc::default(),
            info: Rc::new(FilterChainInfo {
                name: Arc::clone(&spec.name),
                metadata: spec.metadata.clone(),
            }),
            spec: Arc::clone(spec),
        })
    }

    /// A connection has ended before its transport socket was ready.
    pub fn count_failed_handshake(&self, event: ConnectionEvent) {
        let filters = self.filters.iter();
        filters.for_each(|factory| factory.count_failed_handshake(event));
    }
}

/// What an update in place replaces.
pub(crate) struct LocalConfig {
    pub listener: Arc<Listener>,
    info: Rc<ListenerInfo>,
    pub logs: Logs,
    chains: Vec<Rc<LocalChain>>,
    pub listener_filters: Vec<Rc<dyn LocalListenerFilterFactory>>,
}

fn listener_info(spec: &ListenerSpec) -> Rc<ListenerInfo> {
    Rc::new(ListenerInfo {
        name: Arc::clone(&spec.name),
        network_namespace: None,
        bypasses_overload: spec.bypass_overload_manager,
        metadata: spec.metadata.clone(),
    })
}

/// A listener on one worker.
pub(crate) struct LocalListener {
    worker: Rc<Worker>,
    config: RefCell<Rc<LocalConfig>>,
    pub stats: ListenerStats,
    pub worker_stats: Option<WorkerListenerStats>,
    acceptors: Rc<Connections>,
    registration: Registration,
    inspected: Rc<Connections>,
    /// A stat that Envoy lacks: there only once it is needed, and then for good.
    accept_failures: OnceCell<SharedCounter>,
    next_complaint: Cell<Option<Instant>>,
    overload: Rc<Overload>,
    /// Chains that an update in place has left out.
    drained: RefCell<Vec<Rc<LocalChain>>>,
}

impl LocalListener {
    /// Begins to accept connections.
    pub fn start(
        worker: &Rc<Worker>,
        listener: Arc<Listener>,
        sockets: Vec<WorkerSocket>,
    ) -> io::Result<Rc<Self>> {
        let chains = listener.spec().filter_chains.chains().iter();
        let filters = listener.spec().listener_filters.iter();
        let config = LocalConfig {
            logs: Logs::new(worker, listener.spec()),
            info: listener_info(listener.spec()),
            chains: chains
                .map(|chain| LocalChain::new(worker, &listener, chain))
                .collect(),
            listener_filters: filters.map(|factory| factory.localize(worker)).collect(),
            listener: Arc::clone(&listener),
        };
        let worker_stats = listener.worker_stats(worker.id());
        let local = Rc::new(Self {
            worker: Rc::clone(worker),
            config: RefCell::new(Rc::new(config)),
            stats: listener.stats().local(),
            worker_stats: worker_stats.map(nuncio_stats::Group::local),
            acceptors: Rc::default(),
            registration: Registration::default(),
            inspected: Rc::default(),
            accept_failures: OnceCell::new(),
            next_complaint: Cell::new(None),
            overload: worker.services().get_or_default(),
            drained: RefCell::default(),
        });
        let acceptors: Vec<_> = sockets
            .into_iter()
            .map(|socket| Acceptor::new(&local, socket))
            .collect::<io::Result<_>>()?;
        for acceptor in acceptors {
            worker.spawn(local.acceptors.add(acceptor, ()));
        }
        local.registration.begin(&local);
        Ok(local)
    }

    /// New connections get the chains of `listener`; connections stay on theirs.
    pub fn update(&self, listener: Arc<Listener>) {
        let former = Rc::clone(&self.config.borrow());
        let mut left: Vec<Rc<LocalChain>> = former.chains.clone();
        let chain = |spec: &Arc<FilterChainSpec>| match left
            .iter()
            .position(|old| Arc::ptr_eq(&old.spec, spec))
        {
            Some(at) => left.swap_remove(at),
            None => LocalChain::new(&self.worker, &listener, spec),
        };
        let config = LocalConfig {
            chains: listener
                .spec()
                .filter_chains
                .chains()
                .iter()
                .map(chain)
                .collect(),
            listener_filters: former.listener_filters.clone(),
            logs: Logs::new(&self.worker, listener.spec()),
            info: listener_info(listener.spec()),
            listener,
        };
        *self.config.borrow_mut() = Rc::new(config);
        self.drained.borrow_mut().append(&mut left);
    }

    /// Accepts no more.
    pub fn stop_accepting(&self) {
        self.acceptors.close();
        self.registration.end(self);
    }

    /// Closes the connections on chains that updates have left out.
    pub fn close_chains(&self, chains: &[Arc<FilterChainSpec>]) {
        self.drained.borrow_mut().retain(|drained| {
            let closed = chains.iter().any(|spec| Arc::ptr_eq(spec, &drained.spec));
            if closed {
                drained.connections.close();
            }
            !closed
        });
    }

    /// Ends everything.
    pub fn close(&self) {
        self.stop_accepting();
        self.inspected.close();
        let (config, drained) = (self.config(), self.drained.take());
        for chain in config.chains.iter().chain(&drained) {
            chain.connections.close();
        }
    }

    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    pub fn config(&self) -> Rc<LocalConfig> {
        Rc::clone(&self.config.borrow())
    }

    pub fn accepts_per_turn(&self) -> Option<u32> {
        let config = self.config.borrow();
        config
            .listener
            .spec()
            .max_connections_to_accept_per_socket_event
    }

    /// Ready unless overload has stopped accepting.
    pub fn poll_accepting(&self, task: &mut Context<'_>) -> Poll<()> {
        if self.config.borrow().listener.spec().bypass_overload_manager {
            return Poll::Ready(());
        }
        self.overload.poll_accepting(task)
    }

    pub fn count_accepts(&self, accepted: u32) {
        self.stats
            .connections_accepted_per_socket_event()
            .record(u64::from(accepted));
    }

    /// The system had nothing left for a connection.
    pub fn on_exhausted(&self, error: &io::Error) {
        let config = self.config.borrow();
        let failures = || config.listener.accept_failures();
        self.accept_failures.get_or_init(failures).inc();
        let now = self.worker.now();
        if self.next_complaint.get().is_none_or(|next| next <= now) {
            self.next_complaint.set(Some(now + COMPLAINT_INTERVAL));
            nuncio_base::log!(
                logger::CONN_HANDLER,
                Level::Error,
                "listener '{}' cannot accept connections, they wait: {error}",
                config.listener.spec().name
            );
        }
    }

    /// Lets a connection in that a socket gave, or hands it to another worker.
    pub fn on_accept(self: &Rc<Self>, incoming: Incoming) {
        let listener = Arc::clone(&self.config.borrow().listener);
        if !listener.spec().bypass_overload_manager
            && self.overload.sheds(Shedding::Connections, &self.worker)
        {
            return self.stats.downstream_cx_overload_reject().inc();
        }
        let (admission, target) = match listener.admit(self.worker.id(), &self.worker.flags()) {
            Ok(admitted) => admitted,
            Err(Refusal::Global) => return self.stats.downstream_global_cx_overflow().inc(),
            Err(Refusal::Listener) => return self.stats.downstream_cx_overflow().inc(),
        };
        let Some(target) = target else {
            return self.begin(incoming, admission);
        };
        // A socket that can't be taken off this worker is closed.
        if let Ok(socket) = incoming.socket.detach() {
            let handed = HandedOver {
                socket,
                local_address: incoming.local_address,
                remote_address: incoming.remote_address,
                network_namespace: incoming.network_namespace,
            };
            let number = listener.number();
            target.post(move |worker| {
                WorkerListeners::of(worker).take_over(number, handed, admission);
            });
        }
    }

    /// A connection begins on this worker.
    pub fn begin(self: &Rc<Self>, incoming: Incoming, admission: Admission) {
        let config = self.config();
        let time = (self.worker.now(), self.worker.wall());
        let (local, remote) = (incoming.local_address, incoming.remote_address);
        let mut info = ConnectionInfo::new(next_connection_id(), local, remote, time);
        info.listener = Some(match incoming.network_namespace {
            None => Rc::clone(&config.info),
            // As few addresses are in other namespaces, what is common is common to the rest.
            network_namespace => Rc::new(ListenerInfo {
                network_namespace,
                ..ListenerInfo::clone(&config.info)
            }),
        });
        info.filter_state = RefCell::new(incoming.filter_state);
        info.metadata = RefCell::new(incoming.metadata);
        let was_handed_over = incoming.restored.is_some();
        if let Some((local, remote)) = incoming.restored {
            info.restore(local, remote);
        }
        let candidate = Candidate {
            socket: incoming.socket,
            info,
            transport_protocol: "".into(),
        };
        if config.listener_filters.is_empty() {
            return self.choose_chain(&config, candidate, admission);
        }
        let inspection = inspect(
            Rc::clone(self),
            config,
            candidate,
            admission,
            was_handed_over,
        );
        self.worker
            .spawn(self.inspected.add(Box::pin(inspection), ()));
    }

    /// Starts the connection on the filter chain that it matches.
    pub fn choose_chain(
        self: &Rc<Self>,
        config: &LocalConfig,
        mut candidate: Candidate,
        admission: Admission,
    ) {
        let chains = &config.listener.spec().filter_chains;
        let chain = chains
            .find(&candidate.info, &candidate.transport_protocol)
            .and_then(|index| config.chains.get(index));
        let Some(chain) = chain else {
            self.stats.no_filter_chain_match().inc();
            return config.logs.no_chain(&self.worker, candidate.info);
        };
        candidate.info.filter_chain = Some(Rc::clone(&chain.info));
        let active = Active::new(self, admission, &candidate.info, &config.logs);
        let transport = match &chain.transport {
            None => Transport::Raw(candidate.socket),
            Some(factory) => factory.create(candidate.socket, &candidate.info),
        };
        match transport {
            Transport::Raw(_) => self.run(chain, transport, candidate.info, active),
            Transport::Layered(_) => {
                let parts = (transport, candidate.info, active);
                let handshake = Handshake::new(Rc::clone(self), Rc::clone(chain), parts);
                self.worker.spawn(chain.connections.add(handshake, ()));
            }
        }
    }

    /// Runs the connection on its filters.
    pub fn run(
        self: &Rc<Self>,
        chain: &Rc<LocalChain>,
        transport: Transport,
        info: ConnectionInfo,
        mut active: Active,
    ) {
        let info = Rc::new(info);
        active.begin(&info);
        if chain.filters.is_empty() {
            // As in Envoy: nobody would ever answer.
            return;
        }
        let connection = NewConnection {
            worker: &self.worker,
            info: &info,
            drain: &chain.drain,
        };
        let filters = chain.filters.iter();
        let filters = filters.map(|factory| factory.create(&connection)).collect();
        let worker = Rc::clone(&self.worker);
        let connection = Connection::new(transport, filters, worker, info, &chain.settings, None);
        self.worker.spawn(chain.connections.add(connection, active));
    }
}
