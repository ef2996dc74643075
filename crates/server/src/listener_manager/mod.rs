//! The listeners of the process: takes additions, changes and removals, binds sockets, and has the
//! workers run what is configured (Envoy's `ListenerManager`). The static config is but the first
//! update.

mod active;
mod entry;
mod running;
mod stats;
mod warming;

#[cfg(test)]
mod tests;

pub use entry::{ListenerState, ListenerStatus, Origin};

use active::ActiveListeners;
use entry::{Entry, Source};
use nuncio_config::listener::ConvertedChain;
use nuncio_extension::{InitTargets, ParseCx, Parsed};
use nuncio_listener::{FilterChainSpec, Listener, ListenerContext, ListenerSpec, TrafficDirection};
use nuncio_net::DrainScope;
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::listener::v3 as proto;
use nuncio_stats::Group;
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use stats::ListenerManagerStats;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use warming::Warming;

/// The listener manager; lives on the main thread.
pub struct ListenerManager {
    worker: Rc<Worker>,
    context: ListenerContext,
    /// Keeps the stats shown.
    _group: Group<ListenerManagerStats>,
    stats: ListenerManagerStats,
    active: RefCell<ActiveListeners>,
    warming: RefCell<Vec<Warming>>,
    draining: RefCell<Vec<Entry>>,
    /// What workers wait for before they start.
    init: RefCell<InitTargets>,
    /// Whether workers run what is added.
    started: Cell<bool>,
    /// Which listeners were stopped for good.
    stopped: Cell<Option<DrainScope>>,
}

/// What happens to an entry that exists already.
enum Change {
    Same,
    /// Only filter chains differ.
    InPlace,
    Full,
}

impl ListenerManager {
    /// A manager without listeners. `worker` is main.
    pub fn new(worker: &Rc<Worker>, context: ListenerContext) -> Rc<Self> {
        let group = context.store.scope("listener_manager").group();
        let stats: ListenerManagerStats = group.local();
        stats.workers_started().set(0);
        Rc::new(Self {
            worker: Rc::clone(worker),
            context,
            stats,
            _group: group,
            active: RefCell::default(),
            warming: RefCell::default(),
            draining: RefCell::default(),
            init: RefCell::default(),
            started: Cell::new(false),
            stopped: Cell::new(None),
        })
    }

    /// Adds a listener, or changes the one of its name; whether anything changed. Until
    /// [`start_workers`](Self::start_workers) listeners are only noted; after it they are bound
    /// here, and run soon.
    ///
    /// # Errors
    /// What is wrong with its configuration; an address that is taken.
    pub fn add_or_update(
        self: &Rc<Self>,
        cx: &mut ParseCx,
        config: proto::Listener,
        origin: Origin,
    ) -> Parsed<bool> {
        let packed = Packed::of(&config);
        self.add_packed(cx, config, packed, origin)
    }

    /// As [`add_or_update`](Self::add_or_update), of a listener that is encoded already.
    ///
    /// # Errors
    /// As there.
    pub fn add_packed(
        self: &Rc<Self>,
        cx: &mut ParseCx,
        mut config: proto::Listener,
        packed: Packed,
        origin: Origin,
    ) -> Parsed<bool> {
        let source = Source {
            config: packed,
            origin,
            last_updated: self.worker.wall(),
        };
        if config.name.is_empty() {
            let uuid = self.worker.with_random(|random| random.uuid());
            config.name = String::from_utf8_lossy(&uuid).into_owned();
        }
        if self.is_warming_as(&config) {
            return Ok(false);
        }
        let position = self.position(&config.name);
        let (change, known) = match position {
            Some(at) => self.compare(at, &config, &source.origin),
            None => (Change::Full, Vec::new()),
        };
        if matches!(change, Change::Same) || self.is_stopped(&config) {
            return Ok(false);
        }
        let converted = nuncio_config::listener::listener(cx, config, &known)?;
        let targets = cx.take_init_targets();
        self.refuse_taken(cx, &converted.spec)?;
        let pending = self.prepare(cx, position, &change, source, converted.spec)?;
        self.warm(pending, targets);
        self.show_counts();
        Ok(true)
    }

    /// Removes a listener that did not come from the static config: it drains. Whether there was
    /// one.
    pub fn remove(self: &Rc<Self>, name: &str) -> bool {
        self.remove_of(name, |origin| *origin != Origin::Static)
    }

    /// Removes a listener of the static config: it drains. Whether there was one.
    pub fn remove_static(self: &Rc<Self>, name: &str) -> bool {
        self.remove_of(name, |origin| *origin == Origin::Static)
    }

    fn remove_of(self: &Rc<Self>, name: &str, which: impl Fn(&Origin) -> bool) -> bool {
        let was_warming = self.stop_warming(name);
        let at = self.position(name).filter(|at| {
            let active = self.active.borrow();
            which(&active[*at].source.origin)
        });
        if at.is_none() && !was_warming {
            return false;
        }
        self.stats.listener_removed().inc();
        if let Some(at) = at {
            let entry = self.active.borrow_mut().remove(at);
            self.drain(entry);
        }
        self.show_counts();
        true
    }

    /// Binds the sockets of all listeners: at the start, before anything runs.
    ///
    /// # Errors
    /// The first address that can't be had.
    pub fn bind(&self) -> Result<(), String> {
        let mut active = self.active.borrow_mut();
        active
            .iter_mut()
            .try_for_each(|entry| self.bind_entry(entry))
    }

    /// Has the workers run all listeners. Resolves once they do.
    pub async fn start_workers(self: &Rc<Self>) {
        self.started.set(true);
        let ready = self.listen_all();
        self.show_counts();
        self.run(ready).await;
        self.stats.workers_started().set(1);
    }

    /// Stops accepting connections for good (`/drain_listeners`); those that are open go on.
    pub fn stop_listeners(self: &Rc<Self>, scope: DrainScope) {
        self.stopped.set(self.stopped.get().max(Some(scope)));
        for entry in self.active.borrow_mut().iter_mut() {
            let inbound = entry.listener().spec().traffic_direction == TrafficDirection::Inbound;
            if entry.is_stopped() || (scope == DrainScope::InboundOnly && !inbound) {
                continue;
            }
            entry.listener().stop_accepting();
            let sockets = entry.stop();
            let this = Rc::clone(self);
            self.worker.spawn(async move {
                // Mailboxes keep their order: once they answer this, they have stopped.
                for worker in &this.context.workers {
                    worker.ask(|_| ()).await;
                }
                drop(sockets);
                this.stats.listener_stopped().inc();
            });
        }
    }

    /// What the admin shows of all listeners, draining ones last.
    pub fn listeners(&self) -> Vec<ListenerStatus> {
        let active = self.active.borrow();
        let draining = self.draining.borrow();
        let of = |entries: &[Entry], state: ListenerState| -> Vec<ListenerStatus> {
            entries.iter().map(|entry| entry.status(state)).collect()
        };
        let mut all = of(&active, ListenerState::Active);
        all.extend(self.warming_listeners());
        all.extend(of(&draining, ListenerState::Draining));
        all
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.active.borrow().position(name)
    }

    /// What differs from the listener at `at`, and its chains as they were configured.
    fn compare(
        &self,
        at: usize,
        config: &proto::Listener,
        origin: &Origin,
    ) -> (Change, Vec<ConvertedChain>) {
        let active = self.active.borrow();
        let reloaded = *origin == Origin::Static && self.started.get();
        if active[at].source.origin == Origin::Static && !reloaded {
            // As in Envoy a static listener stays; of two of one name the first stands.
            return (Change::Same, Vec::new());
        }
        let Ok(mut before) = active[at].source.config.decode::<proto::Listener>() else {
            return (Change::Full, Vec::new());
        };
        before.name.clone_from(&config.name);
        if before == *config {
            return (Change::Same, Vec::new());
        }
        let chains = before
            .filter_chains
            .iter()
            .chain(&before.default_filter_chain);
        let specs = active[at].listener().spec().filter_chains.chains();
        let known = chains.cloned().zip(specs.iter().cloned()).collect();
        let without_chains = |mut config: proto::Listener| {
            config.filter_chains.clear();
            config.default_filter_chain = None;
            config
        };
        if without_chains(before) == without_chains(config.clone()) {
            (Change::InPlace, known)
        } else {
            // The chains' filters may have been told of what has changed.
            (Change::Full, Vec::new())
        }
    }

    /// Whether listeners like this one were stopped.
    fn is_stopped(&self, config: &proto::Listener) -> bool {
        use nuncio_proto::envoy::config::core::v3::TrafficDirection as Direction;
        self.is_stopped_for(match config.traffic_direction() {
            Direction::Inbound => TrafficDirection::Inbound,
            Direction::Outbound => TrafficDirection::Outbound,
            Direction::Unspecified => TrafficDirection::Unspecified,
        })
    }

    fn is_stopped_for(&self, direction: TrafficDirection) -> bool {
        match self.stopped.get() {
            None => false,
            Some(DrainScope::All) => true,
            Some(DrainScope::InboundOnly) => direction == TrafficDirection::Inbound,
        }
    }

    fn refuse_taken(&self, cx: &mut ParseCx, spec: &ListenerSpec) -> Parsed<()> {
        if !self.active.borrow().have_address_of(spec) && !self.is_warming_at(spec) {
            return Ok(());
        }
        let addresses = spec.addresses.iter();
        let addresses: Vec<_> = addresses.map(|at| at.address.to_string()).collect();
        Err(cx.error_at(
            "address",
            format!(
                "error adding listener: '{}' has duplicate address '{}' as existing listener, to \
                 check if the listener has duplicated addresses with other listeners or \
                 'enable_reuse_port' is set to 'false' for the listener",
                spec.name,
                addresses.join(",")
            ),
        ))
    }

    /// Gives a listener other filter chains; what is on chains that it keeps does not notice.
    fn update_in_place(self: &Rc<Self>, at: usize, mut source: Source, spec: ListenerSpec) {
        let mut active = self.active.borrow_mut();
        let old = &active[at];
        // As in Envoy it keeps the version in which it came.
        source.origin = old.source.origin.clone();
        let updated = old.listener().with_filter_chains(spec);
        let kept = updated.spec().filter_chains.chains();
        let before = old.listener().spec().filter_chains.chains().iter();
        let left: Vec<Arc<FilterChainSpec>> = before
            .filter(|chain| !kept.iter().any(|other| Arc::ptr_eq(chain, other)))
            .cloned()
            .collect();
        updated.update_in_place();
        let entry = Entry::new(source, Arc::clone(&updated), old.sockets());
        active.replace(at, entry);
        self.stats.listener_in_place_updated().inc();
        // As Envoy counts it: every worker has taken it over.
        let workers = self.context.workers.len() as u64;
        self.stats.listener_create_success().add(workers);
        self.drain_chains(updated, left);
    }

    fn drain_chains(self: &Rc<Self>, listener: Arc<Listener>, chains: Vec<Arc<FilterChainSpec>>) {
        if chains.is_empty() {
            return;
        }
        for chain in &chains {
            chain.draining.store(true, Ordering::Relaxed);
        }
        let count = chains.len() as u64;
        self.stats.total_filter_chains_draining().add(count);
        let this = Rc::clone(self);
        let until = self.worker.now() + self.context.drain_settings.time;
        self.worker.spawn(async move {
            sleep_until(&this.worker, until).await;
            listener.close_chains(&chains);
            this.stats.total_filter_chains_draining().sub(count);
        });
    }

    /// Lets a listener's connections end: it takes no more, asks them to close, and closes them
    /// after the drain time.
    fn drain(self: &Rc<Self>, mut entry: Entry) {
        let listener = Arc::clone(entry.listener());
        listener.stop_accepting();
        listener.drain().start(self.worker.now());
        entry.stop();
        self.draining.borrow_mut().push(entry);
        let this = Rc::clone(self);
        let until = self.worker.now() + self.context.drain_settings.time;
        self.worker.spawn(async move {
            sleep_until(&this.worker, until).await;
            listener.remove();
            let same = |entry: &Entry| Arc::ptr_eq(entry.listener(), &listener);
            this.draining.borrow_mut().retain(|entry| !same(entry));
            this.show_counts();
        });
    }

    fn show_counts(&self) {
        let active = self.active.borrow().len() as u64;
        let draining = self.draining.borrow().len() as u64;
        self.stats.total_listeners_active().set(active);
        self.stats.total_listeners_draining().set(draining);
        let warming = self.warming.borrow().len() as u64;
        self.stats.total_listeners_warming().set(warming);
    }
}
