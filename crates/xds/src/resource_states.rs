//! How far each resource is that is asked for or came: for the admin (Envoy's "Client status
//! discovery service" has the words).

use crate::resource::ResourceType;
use crate::source_states::SourceStates;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::SystemTime;

/// How far a resource is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResourceState {
    /// What was accepted last, and when; none where nothing was.
    pub accepted: Option<(Rc<str>, SystemTime)>,
    /// What was refused since.
    pub refused: Option<Refusal>,
}

/// A resource that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its version.
    pub version: Rc<str>,
    /// Why.
    pub reason: Rc<str>,
    /// When.
    pub at: SystemTime,
}

impl ResourceState {
    /// Takes in what became of the same resource from another source.
    fn add(&mut self, other: &Self) {
        let later = |accepted: &Option<(_, SystemTime)>| accepted.as_ref().map(|(_, at)| *at);
        if later(&other.accepted) > later(&self.accepted) {
            self.accepted.clone_from(&other.accepted);
        }
        let at = |refused: &Option<Refusal>| refused.as_ref().map(|it| it.at);
        if at(&other.refused) > at(&self.refused) {
            self.refused.clone_from(&other.refused);
        }
    }
}

/// All resources, by where they come from; one for the process.
#[derive(Default)]
pub struct ResourceStates(RefCell<Vec<Weak<SourceStates>>>);

impl ResourceStates {
    /// Those of one type from one more source, which are known for as long as somebody holds them.
    pub(crate) fn of_source(&self, kind: ResourceType) -> Rc<SourceStates> {
        let states = Rc::new(SourceStates::new(kind));
        let mut all = self.0.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|source| source.strong_count() > 0);
        }
        all.push(Rc::downgrade(&states));
        states
    }

    /// All of them, by type and name.
    pub fn each(&self, mut visit: impl FnMut(ResourceType, &str, &ResourceState)) {
        let sources: Vec<_> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        let mut all: BTreeMap<(ResourceType, Box<str>), ResourceState> = BTreeMap::new();
        for source in &sources {
            source.each(|name, state| {
                all.entry((source.kind(), name.into()))
                    .or_default()
                    .add(state);
            });
        }
        for ((kind, name), state) in &all {
            visit(*kind, name, state);
        }
    }
}
