//! Watches what the process may run short of, and tells workers to do less (Envoy's
//! `arch_overview/operations/overload_manager`).

use crate::memory::{self, GiveBack};
use crate::server::Server;
use nuncio_config::overload::{ActionKind, Overload as Spec, Resource, Trigger};
use nuncio_listener::GlobalConnections;
use nuncio_net::overload::{Overload, Shedding};
use nuncio_stats::{SharedCounter, SharedGauge};
use nuncio_worker::timer::sleep_until;
use nuncio_worker::{Worker, WorkerHandle};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Looking at resources more often than this would itself be a load.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The overload manager.
pub struct OverloadManager {
    worker: Rc<Worker>,
    workers: Vec<WorkerHandle>,
    connections: Arc<GlobalConnections>,
    give_back: GiveBack,
    refresh_interval: Duration,
    monitors: Vec<Monitor>,
    actions: Vec<Action>,
}

/// A resource, and its stats: `overload.<name>.*`.
struct Monitor {
    resource: Resource,
    pressure: SharedGauge,
    /// Looking always succeeds here, and is never put off.
    _unmoved: Vec<SharedCounter>,
}

/// An action, its state, and its stats: `overload.<name>.*`.
struct Action {
    kind: ActionKind,
    triggers: Vec<(usize, Trigger)>,
    share: f64,
    active: SharedGauge,
    scale_percent: SharedGauge,
    shrinking: Option<Shrinking>,
}

struct Shrinking {
    interval: Duration,
    next: Instant,
    count: SharedCounter,
}

impl OverloadManager {
    /// With nothing overloaded.
    pub fn new(spec: &Spec, server: &Server, give_back: GiveBack) -> Self {
        let (store, worker) = (&server.env.store, &server.worker);
        let monitors = spec.monitors.iter().map(|monitor| {
            let scope = store.scope(&format!("overload.{}", monitor.name));
            let mut unmoved = vec![scope.counter("failed_updates")];
            if matches!(monitor.resource, Resource::Heap(_)) {
                unmoved.push(scope.counter("skipped_updates"));
            }
            Monitor {
                resource: monitor.resource,
                pressure: scope.gauge("pressure"),
                _unmoved: unmoved,
            }
        });
        let now = worker.now();
        let actions = spec.actions.iter().map(|action| {
            let scope = store.scope(&format!("overload.{}", action.name));
            let shrinking = match action.kind {
                ActionKind::Shed(_) => None,
                ActionKind::ShrinkHeap(interval) => Some(Shrinking {
                    interval,
                    next: now + interval,
                    count: scope.counter("shrink_count"),
                }),
            };
            Action {
                kind: action.kind,
                triggers: action.triggers.clone(),
                share: 0.0,
                active: scope.gauge("active"),
                scale_percent: scope.gauge("scale_percent"),
                shrinking,
            }
        });
        Self {
            worker: Rc::clone(worker),
            workers: server.env.workers.clone(),
            connections: Arc::clone(&server.connections),
            give_back,
            refresh_interval: spec.refresh_interval.max(SHORTEST_INTERVAL),
            monitors: monitors.collect(),
            actions: actions.collect(),
        }
    }

    /// Looks at resources for as long as the process serves; not at all where there are none.
    pub async fn run(mut self) {
        if self.monitors.is_empty() {
            return std::future::pending().await;
        }
        loop {
            self.refresh(memory::read().resident);
            let next = self.worker.now() + self.refresh_interval;
            sleep_until(&self.worker, next).await;
        }
    }

    fn refresh(&mut self, heap: u64) {
        let open = self.connections.open();
        let pressures: Vec<f64> = self.monitors.iter().map(|it| it.look(open, heap)).collect();
        let now = self.worker.now();
        for action in &mut self.actions {
            let shares = action.triggers.iter();
            let share = shares
                .map(|(monitor, trigger)| trigger.share(pressures[*monitor]))
                .fold(0.0, f64::max);
            action.change(share, &self.workers);
            if let Some(shrinking) = action.shrinking.as_mut().filter(|it| it.next <= now) {
                shrinking.next = now + shrinking.interval;
                if share >= 1.0 {
                    shrinking.count.inc();
                    let shrink_heap = self.give_back.heap;
                    shrink_heap();
                    for worker in &self.workers {
                        worker.post(move |_| shrink_heap());
                    }
                }
            }
        }
    }
}

impl Monitor {
    /// The pressure: 1 where there is no more left.
    fn look(&self, connections: u64, heap: u64) -> f64 {
        let (used, max) = match self.resource {
            Resource::Connections(max) => (connections, max),
            Resource::Heap(max) => (heap, max),
        };
        let pressure = used as f64 / max.max(1) as f64;
        self.pressure.set((pressure * 100.0) as u64);
        pressure
    }
}

impl Action {
    fn change(&mut self, share: f64, workers: &[WorkerHandle]) {
        let before = std::mem::replace(&mut self.share, share);
        if before.to_bits() == share.to_bits() {
            return;
        }
        self.active.set(u64::from(share >= 1.0));
        self.scale_percent.set((share * 100.0) as u64);
        if let ActionKind::Shed(what) = self.kind {
            for worker in workers {
                worker.post(move |worker| tell(worker, what, share));
            }
        }
    }
}

fn tell(worker: &Worker, what: Shedding, share: f64) {
    let overload: Rc<Overload> = worker.services().get_or_default();
    overload.set(what, share);
}
