//! A listener at run time: what main makes of a spec, shared by the workers that run it.

use crate::balance::ExactBalance;
use crate::limits::{GlobalConnections, try_add};
use crate::sockets::WorkerSocket;
use crate::spec::{ConnectionBalance, DrainType, FilterChainSpec, ListenerSpec, TrafficDirection};
use crate::stats::{ExtensionConfigStats, ListenerStats, WorkerListenerStats};
use crate::worker_listeners::WorkerListeners;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_net::{DrainDecision, DrainSettings, ListenerDrain, ServerDrain};
use nuncio_stats::{Group, Scope, SharedCounter, Store};
use nuncio_worker::{Worker, WorkerHandle, WorkerId};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Names listeners on workers; a listener's successor has a number of its own, unless it was
/// updated in place.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What all listeners have in common.
#[derive(Clone)]
pub struct ListenerContext {
    /// Where stats go.
    pub store: Store,
    /// The workers that accept connections.
    pub workers: Vec<WorkerHandle>,
    /// All connections of the process.
    pub connections: Arc<GlobalConnections>,
    /// The server's drain.
    pub drain: Arc<ServerDrain>,
    /// How a listener of its own drains.
    pub drain_settings: DrainSettings,
}

/// What outlives updates in place.
pub(crate) struct ListenerState {
    number: u64,
    open: AtomicU64,
    global: Arc<GlobalConnections>,
    balance: Option<ExactBalance>,
    limit_key: String,
}

/// A listener that workers run.
pub struct Listener {
    spec: ListenerSpec,
    state: Arc<ListenerState>,
    context: ListenerContext,
    drain: Arc<ListenerDrain>,
    scope: Scope,
    stats: Group<ListenerStats>,
    worker_stats: Vec<(WorkerId, Group<WorkerListenerStats>)>,
    extension_stats: Option<Group<ExtensionConfigStats>>,
}

/// A place among the connections that are allowed; given back when dropped, on whichever worker.
pub(crate) struct Admission {
    state: Arc<ListenerState>,
    worker: WorkerId,
    /// Counted among all connections of the process.
    global: bool,
    /// Counted where connections are balanced.
    balanced: bool,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The process has as many as it may have.
    Global,
    /// The listener has.
    Listener,
}

impl Listener {
    /// A listener that isn't running yet. `discovers_extensions` is false for the admin's, which
    /// has no stats for it.
    pub fn new(
        spec: ListenerSpec,
        context: &ListenerContext,
        discovers_extensions: bool,
    ) -> Arc<Self> {
        let balance = (spec.connection_balance == ConnectionBalance::Exact)
            .then(|| ExactBalance::new(context.workers.clone()));
        let state = ListenerState {
            number: NEXT.fetch_add(1, Relaxed),
            open: AtomicU64::new(0),
            global: Arc::clone(&context.connections),
            balance,
            limit_key: format!(
                "envoy.resource_limits.listener.{}.connection_limit",
                spec.name
            ),
        };
        let drain = Arc::new(ListenerDrain::new(context.drain_settings));
        Self::with_state(spec, context, Arc::new(state), drain, discovers_extensions)
    }

    /// The same listener with other filter chains: its sockets, its counts and the connections on
    /// chains that both have stay as they are.
    pub fn with_filter_chains(&self, spec: ListenerSpec) -> Arc<Self> {
        Self::with_state(
            spec,
            &self.context,
            Arc::clone(&self.state),
            Arc::clone(&self.drain),
            self.extension_stats.is_some(),
        )
    }

    fn with_state(
        spec: ListenerSpec,
        context: &ListenerContext,
        state: Arc<ListenerState>,
        drain: Arc<ListenerDrain>,
        discovers_extensions: bool,
    ) -> Arc<Self> {
        let name = format!("listener.{}", spec.stat_name());
        let scope = context.store.scope(&name);
        let of_worker = |worker: &WorkerHandle| {
            let id = worker.id();
            (id, scope.scope(&id.name()).group())
        };
        Arc::new(Self {
            stats: scope.group(),
            worker_stats: context.workers.iter().map(of_worker).collect(),
            extension_stats: discovers_extensions.then(|| scope.group()),
            scope,
            state,
            drain,
            context: context.clone(),
            spec,
        })
    }

    /// Its configuration.
    pub fn spec(&self) -> &ListenerSpec {
        &self.spec
    }

    /// The scope of its stats: `listener.<address>.`.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How many connections it has on all workers.
    pub fn open_connections(&self) -> u64 {
        self.state.open.load(Relaxed)
    }

    /// Its drain: begins when the listener is removed or replaced.
    pub fn drain(&self) -> &Arc<ListenerDrain> {
        &self.drain
    }

    /// Runs listeners on a worker: from now on the worker accepts connections from their sockets.
    /// Resolves once it does, with an answer for each.
    ///
    /// # Errors
    /// Where the worker has ended, or can't watch the sockets.
    pub async fn start_all(
        worker: &WorkerHandle,
        listeners: Vec<(Arc<Self>, Vec<WorkerSocket>)>,
    ) -> Vec<io::Result<()>> {
        let count = listeners.len();
        let started = worker.ask(move |worker| {
            let all = WorkerListeners::of(worker);
            let listeners = listeners.into_iter();
            listeners
                .map(|(listener, sockets)| all.add(worker, listener, sockets))
                .collect()
        });
        started.await.unwrap_or_else(|| {
            let ended = || Err(io::Error::other("the worker has ended"));
            std::iter::repeat_with(ended).take(count).collect()
        })
    }

    /// Replaces, on all workers, the listener that this one was made from by
    /// [`with_filter_chains`](Self::with_filter_chains). New connections get the new chains.
    pub fn update_in_place(self: &Arc<Self>) {
        for worker in &self.context.workers {
            let listener = Arc::clone(self);
            worker.post(move |worker| WorkerListeners::of(worker).update(listener));
        }
    }

    /// Accepts no more; connections go on. What waits in a socket's queue stays there for others
    /// that share the socket.
    pub fn stop_accepting(&self) {
        self.on_workers(|listeners, number| listeners.stop_accepting(number));
    }

    /// Closes the connections on these chains, which updates in place have left out.
    pub fn close_chains(&self, chains: &[Arc<FilterChainSpec>]) {
        let number = self.number();
        for worker in &self.context.workers {
            let chains = chains.to_vec();
            worker.post(move |worker| WorkerListeners::of(worker).close_chains(number, &chains));
        }
    }

    /// Ends it with all its connections.
    pub fn remove(&self) {
        self.on_workers(|listeners, number| listeners.remove(number));
    }

    fn on_workers(&self, run: fn(&WorkerListeners, u64)) {
        let number = self.number();
        for worker in &self.context.workers {
            worker.post(move |worker| run(&WorkerListeners::of(worker), number));
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.state.number
    }

    pub(crate) fn stats(&self) -> &Group<ListenerStats> {
        &self.stats
    }

    pub(crate) fn worker_stats(&self, worker: WorkerId) -> Option<&Group<WorkerListenerStats>> {
        let mut all = self.worker_stats.iter();
        all.find(|(id, _)| *id == worker).map(|(_, stats)| stats)
    }

    /// Connections that could not be accepted because the system had no file descriptor left. The
    /// stat is there as long as what this returns.
    pub(crate) fn accept_failures(&self) -> SharedCounter {
        self.scope.counter("downstream_cx_accept_failure")
    }

    pub(crate) fn drain_decision(&self, chain: &FilterChainSpec) -> DrainDecision {
        DrainDecision {
            chain: Arc::clone(&chain.draining),
            listener: Arc::clone(&self.drain),
            server: Arc::clone(&self.context.drain),
            inbound: self.spec.traffic_direction == TrafficDirection::Inbound,
            on_health_check_fail: self.spec.drain_type == DrainType::Default,
        }
    }

    /// Takes a place for a connection that `worker` accepted, and says whose it is to be: that
    /// worker's if nothing is said.
    pub(crate) fn admit(
        &self,
        worker: WorkerId,
        flags: &RuntimeFlags,
    ) -> Result<(Admission, Option<&WorkerHandle>), Refusal> {
        let state = &self.state;
        if !state
            .global
            .try_open(flags, self.spec.ignore_global_conn_limit)
        {
            return Err(Refusal::Global);
        }
        if !try_add(&state.open, state.limit(flags)) {
            state.global.close();
            return Err(Refusal::Listener);
        }
        let target = state.balance.as_ref().and_then(ExactBalance::pick);
        let admission = Admission {
            state: Arc::clone(state),
            worker: target.map_or(worker, WorkerHandle::id),
            global: true,
            balanced: true,
        };
        Ok((admission, target.filter(|target| target.id() != worker)))
    }

    /// Takes a place for a connection from inside the process: like Envoy's it does not count
    /// among those of the process, and stays on its worker.
    pub(crate) fn admit_internal(&self, worker: &Worker) -> Option<Admission> {
        let state = &self.state;
        try_add(&state.open, state.limit(&worker.flags())).then(|| Admission {
            state: Arc::clone(state),
            worker: worker.id(),
            global: false,
            balanced: false,
        })
    }
}

impl Listener {
    /// Takes a connection over from the listener that accepted it.
    pub(crate) fn take_over(&self, mut admission: Admission) -> Admission {
        self.state.open.fetch_add(1, Relaxed);
        let global = std::mem::take(&mut admission.global);
        let worker = admission.worker;
        // Of a listener that balances itself, only what it has accepted counts for that.
        let balanced = false;
        Admission {
            state: Arc::clone(&self.state),
            worker,
            global,
            balanced,
        }
    }
}

impl ListenerState {
    /// How many connections it may have.
    fn limit(&self, flags: &RuntimeFlags) -> u64 {
        match flags.is_empty() {
            true => u64::MAX,
            false => flags.integer(&self.limit_key, u64::MAX),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Relaxed);
        if self.global {
            self.state.global.close();
        }
        if let (true, Some(balance)) = (self.balanced, &self.state.balance) {
            balance.release(self.worker);
        }
    }
}
