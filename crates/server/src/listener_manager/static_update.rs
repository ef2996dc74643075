//! The static listeners of a file that is read again.

use super::ListenerManager;
use super::entry::{Entry, Origin, Source};
use super::warming::{Pending, Prepared};
use nuncio_extension::InitTarget;
use nuncio_listener::ListenAddress;
use nuncio_proto::Packed;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Poll, Waker};

impl ListenerManager {
    /// The configurations of static listeners by name: of one that is warming, that which is to
    /// come.
    pub fn static_configs(&self) -> BTreeMap<String, Packed> {
        let active = self.active.borrow();
        let warming = self.warming.borrow();
        let active = active.iter().map(|entry| (entry.name(), &entry.source));
        let warming = warming.iter();
        let warming = warming.map(|it| (it.pending.name(), it.pending.source()));
        let all = active.chain(warming);
        all.filter(|(_, source)| source.origin == Origin::Static)
            .map(|(name, source)| (name.to_owned(), source.config.clone()))
            .collect()
    }

    /// Puts a listener in its place once it has what it needs, and `others` are ready.
    pub fn place(self: &Rc<Self>, mut prepared: Prepared, others: Option<&Rc<InitTarget>>) {
        others.into_iter().for_each(|it| prepared.targets.add(it));
        self.warm(prepared);
        self.show_counts();
    }

    /// What was to take the place of a static listener does not come.
    pub fn keep(&self, name: &str) {
        self.stop_warming(name);
        self.show_counts();
    }

    /// Removes a static listener from these addresses, where another has begun: it drains. What
    /// takes its place elsewhere, as a later file says, still comes.
    pub(super) fn make_room(self: &Rc<Self>, name: &str, addresses: &[ListenAddress]) {
        let is_there = |entry: &Entry| {
            entry.source.origin == Origin::Static && entry.shares_address(addresses)
        };
        let at = self.position(name);
        let Some(at) = at.filter(|at| is_there(&self.active.borrow()[*at])) else {
            return;
        };
        let warming = self.warming.borrow();
        let moves = warming.iter().any(|it| match &it.pending {
            Pending::Whole(entry) => entry.name() == name && !entry.shares_address(addresses),
            Pending::InPlace(..) => false,
        });
        drop(warming);
        if !moves {
            self.stop_warming(name);
        }
        self.remove_at(at);
    }

    /// Whether no static listener is warming.
    pub fn are_static_warmed(&self) -> bool {
        let warming = self.warming.borrow();
        let is_static = |source: &Source| source.origin == Origin::Static;
        !warming.iter().any(|it| is_static(it.pending.source()))
    }

    /// Resolves once no static listener is warming.
    pub async fn static_warmed(&self) {
        std::future::poll_fn(|task| {
            if self.are_static_warmed() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(super) fn wake_waiting(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// What `of` finds at the first static listener that is warming, the one of this name before
    /// all.
    pub(super) fn find_warming<T>(
        &self,
        name: &str,
        of: impl Fn(&Entry) -> Option<T>,
    ) -> Option<T> {
        let warming = self.warming.borrow();
        let found = |own: bool| {
            warming.iter().find_map(|it| match &it.pending {
                Pending::Whole(entry) if (entry.name() == name) == own => of(entry),
                Pending::Whole(_) | Pending::InPlace(..) => None,
            })
        };
        found(true).or_else(|| found(false))
    }
}
