//! The listeners of the process: takes additions, changes and removals, binds sockets, and has the
//! workers run what is configured (Envoy's `ListenerManager`). The static config is but the first
//! update.

mod active;
mod entry;
mod running;
mod static_update;
mod stats;
mod update;
mod warming;

#[cfg(test)]
mod tests;

pub use entry::{ListenerState, ListenerStatus, Origin};
pub use update::Converted;
pub use warming::Prepared;

use active::ActiveListeners;
use entry::{Entry, Source};
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
use std::task::Waker;
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
    /// Who waits until static listeners have warmed.
    waiting: RefCell<Vec<Waker>>,
    draining: RefCell<Vec<Entry>>,
    /// What workers wait for before they start.
    init: RefCell<InitTargets>,
    /// Whether workers run what is added.
    started: Cell<bool>,
    /// Which listeners were stopped for good.
    stopped: Cell<Option<DrainScope>>,
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
            waiting: RefCell::default(),
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
        config: proto::Listener,
        packed: Packed,
        origin: Origin,
    ) -> Parsed<bool> {
        if self.is_warming_as(&config) {
            return Ok(false);
        }
        let Some(converted) = self.convert(cx, config, packed, origin)? else {
            return Ok(false);
        };
        let prepared = self.prepare(converted, &[]);
        self.warm(prepared.map_err(|error| cx.error(error))?);
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
        let was_warming = self.is_warming_of(name, &which) && self.stop_warming(name);
        let at = self.position(name).filter(|at| {
            let active = self.active.borrow();
            which(&active[*at].source.origin)
        });
        match at {
            Some(at) => self.remove_at(at),
            None if was_warming => self.stats.listener_removed().inc(),
            None => return false,
        }
        self.show_counts();
        true
    }

    fn remove_at(self: &Rc<Self>, at: usize) {
        self.stats.listener_removed().inc();
        let entry = self.active.borrow_mut().remove(at);
        self.drain(entry);
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
                this.workers_know().await;
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

    /// Gives a listener other filter chains; what is on chains that it keeps does not notice.
    fn update_in_place(self: &Rc<Self>, at: usize, mut source: Source, spec: ListenerSpec) {
        let mut active = self.active.borrow_mut();
        let old = &active[at];
        if source.origin != Origin::Static {
            // As in Envoy it keeps the version in which it came.
            source.origin = old.source.origin.clone();
        }
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
    /// after the drain time. Until workers have stopped to listen its sockets are there for who
    /// takes its address.
    fn drain(self: &Rc<Self>, entry: Entry) {
        let listener = Arc::clone(entry.listener());
        listener.stop_accepting();
        listener.drain().start(self.worker.now());
        self.draining.borrow_mut().push(entry);
        let this = Rc::clone(self);
        let until = self.worker.now() + self.context.drain_settings.time;
        self.worker.spawn(async move {
            let same = |entry: &Entry| Arc::ptr_eq(entry.listener(), &listener);
            this.workers_know().await;
            if let Some(entry) = this.draining.borrow_mut().iter_mut().find(|it| same(it)) {
                entry.stop();
            }
            sleep_until(&this.worker, until).await;
            listener.remove();
            this.draining.borrow_mut().retain(|entry| !same(entry));
            this.show_counts();
        });
    }

    /// Resolves once workers have done what they were told: mailboxes keep their order.
    async fn workers_know(&self) {
        for worker in &self.context.workers {
            worker.ask(|_| ()).await;
        }
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
