//! Listeners that wait for what they need, their routes and secrets, before they take the place of
//! those of their name (Envoy's "Listener discovery service": warming).

use super::ListenerManager;
use super::entry::{Entry, ListenerState, ListenerStatus, Origin, Source};
use nuncio_extension::InitTargets;
use nuncio_listener::ListenerSpec;
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::listener::v3 as proto;
use std::rc::Rc;
use std::sync::Arc;

/// What is done once all that a listener needs is there.
pub(super) enum Pending {
    /// A listener of a new name, or in the place of another.
    Whole(Entry),
    /// Other filter chains for a listener that stays.
    InPlace(Source, ListenerSpec),
}

impl Pending {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Whole(entry) => entry.name(),
            Self::InPlace(_, spec) => &spec.name,
        }
    }

    pub(super) fn source(&self) -> &Source {
        match self {
            Self::Whole(entry) => &entry.source,
            Self::InPlace(source, _) => source,
        }
    }

    fn spec(&self) -> &ListenerSpec {
        match self {
            Self::Whole(entry) => entry.listener().spec(),
            Self::InPlace(_, spec) => spec,
        }
    }
}

/// What has its sockets, and is not in its place yet.
pub struct Prepared {
    pub(super) pending: Pending,
    pub(super) targets: InitTargets,
}

impl Prepared {
    /// The names of the listeners that go once it runs.
    pub fn replaced(&self) -> &[String] {
        match &self.pending {
            Pending::Whole(entry) => &entry.replaced,
            Pending::InPlace(..) => &[],
        }
    }
}

/// A listener that waits.
pub(super) struct Warming {
    targets: Rc<InitTargets>,
    pub(super) pending: Pending,
}

impl ListenerManager {
    /// What workers wait for before they start: of listeners that were added until then.
    pub fn init_targets(&self) -> InitTargets {
        self.init.borrow().clone()
    }

    /// Adds to what workers wait for before they start.
    pub fn add_init_targets(&self, targets: &InitTargets) {
        self.init.borrow_mut().extend(targets);
    }

    /// The names of all listeners that came from a control plane.
    pub fn dynamic_names(&self) -> Vec<String> {
        let of = |source: &Source, name: &str| {
            (source.origin != Origin::Static).then(|| name.to_owned())
        };
        let active = self.active.borrow();
        let warming = self.warming.borrow();
        let active = active.iter().map(|entry| (&entry.source, entry.name()));
        let warming = warming
            .iter()
            .map(|it| (it.pending.source(), it.pending.name()));
        let all = active.chain(warming);
        all.filter_map(|(source, name)| of(source, name)).collect()
    }

    /// Whether a listener of this very configuration is warming.
    pub(super) fn is_warming_as(&self, config: &proto::Listener) -> bool {
        let warming = self.warming.borrow();
        let same_name = warming.iter().find(|it| it.pending.name() == config.name);
        let before = same_name.map(|it| &it.pending.source().config);
        before.is_some_and(|before| *before == Packed::of(config))
    }

    /// Whether another listener, of those that count, with one of these addresses is warming.
    pub(super) fn is_warming_at(
        &self,
        spec: &ListenerSpec,
        counts: impl Fn(&Entry) -> bool,
    ) -> bool {
        let warming = self.warming.borrow();
        let mut others = warming.iter().filter(|it| it.pending.name() != &*spec.name);
        others.any(|it| match &it.pending {
            Pending::Whole(entry) => entry.shares_address(&spec.addresses) && counts(entry),
            Pending::InPlace(..) => false,
        })
    }

    /// Whether a listener of this name and such an origin is warming.
    pub(super) fn is_warming_of(&self, name: &str, which: impl Fn(&Origin) -> bool) -> bool {
        let warming = self.warming.borrow();
        let mut named = warming.iter().filter(|it| it.pending.name() == name);
        named.any(|it| which(&it.pending.source().origin))
    }

    /// Forgets a listener that is warming; whether there was one.
    pub(super) fn stop_warming(&self, name: &str) -> bool {
        let mut warming = self.warming.borrow_mut();
        let before = warming.len();
        warming.retain(|it| it.pending.name() != name);
        let found = warming.len() < before;
        drop(warming);
        self.wake_waiting();
        found
    }

    pub(super) fn warming_listeners(&self) -> Vec<ListenerStatus> {
        let warming = self.warming.borrow();
        let status = |it: &Warming| match &it.pending {
            Pending::Whole(entry) => entry.status(ListenerState::Warming),
            Pending::InPlace(source, spec) => ListenerStatus {
                name: spec.name.to_string(),
                addresses: Vec::new(),
                config: source.config.clone(),
                origin: source.origin.clone(),
                last_updated: source.last_updated,
                state: ListenerState::Warming,
            },
        };
        warming.iter().map(status).collect()
    }

    /// What each listener that is warming waits for, by its name.
    pub fn unready_targets(&self) -> Vec<(String, Vec<String>)> {
        let warming = self.warming.borrow();
        let of = |it: &Warming| (it.pending.name().to_owned(), it.targets.unready());
        warming.iter().map(of).collect()
    }

    /// Puts a listener in its place once its targets are there. Before the workers start they are
    /// what the start waits for.
    pub(super) fn warm(self: &Rc<Self>, prepared: Prepared) {
        let Prepared { pending, targets } = prepared;
        self.stop_warming(pending.name());
        if !self.started.get() {
            self.init.borrow_mut().extend(&targets);
            return self.put(pending);
        }
        targets.initialize();
        if targets.are_ready() {
            return self.put(pending);
        }
        let targets = Rc::new(targets);
        let waited = Rc::clone(&targets);
        self.warming.borrow_mut().push(Warming { targets, pending });
        let this = Rc::clone(self);
        self.worker.spawn(async move {
            waited.wait().await;
            this.warmed(&waited);
        });
    }

    /// What a listener waited for is there; unless it was replaced or removed meanwhile.
    fn warmed(self: &Rc<Self>, targets: &Rc<InitTargets>) {
        let mut warming = self.warming.borrow_mut();
        let at = warming
            .iter()
            .position(|it| Rc::ptr_eq(&it.targets, targets));
        let Some(at) = at else {
            return;
        };
        let Warming { pending, .. } = warming.remove(at);
        drop(warming);
        self.wake_waiting();
        if !self.is_stopped_for(pending.spec().traffic_direction) {
            self.put(pending);
        }
        self.show_counts();
    }

    /// Puts a listener in its place: it runs, and the one before it drains.
    fn put(self: &Rc<Self>, pending: Pending) {
        let position = self.position(pending.name());
        match (pending, position) {
            (Pending::InPlace(source, spec), Some(at)) => self.update_in_place(at, source, spec),
            (Pending::InPlace(..), None) => {
                nuncio_base::bug!("filter chains for a listener that is gone");
            }
            (Pending::Whole(mut entry), position) => {
                if self.started.get() {
                    self.run_soon(&entry);
                }
                let replaced = std::mem::take(&mut entry.replaced);
                let listener = Arc::clone(entry.listener());
                let mut active = self.active.borrow_mut();
                let old = match position {
                    None => {
                        active.push(entry);
                        None
                    }
                    Some(at) => Some(active.replace(at, entry)),
                };
                drop(active);
                if let Some(old) = old.filter(|_| self.started.get()) {
                    self.drain(old);
                }
                for name in replaced {
                    self.make_room(&name, &listener.spec().addresses);
                }
            }
        }
    }
}
