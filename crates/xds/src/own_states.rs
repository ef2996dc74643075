//! How far the resources are of a subscription that has a source of its own.

use crate::rejection::Rejection;
use crate::resource::ResourceType;
use crate::response::RefusedResponse;
use crate::source_states::SourceStates;
use crate::subscriptions::{Subscriptions, Update};
use nuncio_base::time::wall;
use std::rc::Rc;

/// The states, for as long as the subscription lives.
pub struct OwnStates {
    states: Rc<SourceStates>,
    /// The name that is asked for; none for all.
    name: Option<String>,
}

impl OwnStates {
    /// Nothing is asked for yet.
    pub fn new(owner: &Subscriptions, kind: ResourceType, name: Option<&str>) -> Self {
        let name = name.filter(|_| !kind.is_by_namespace());
        Self {
            states: owner.states().of_source(kind),
            name: name.map(str::to_owned),
        }
    }

    /// The subscription begins.
    pub fn begin(&self) {
        if let Some(name) = &self.name {
            self.states.ask(name);
        }
    }

    /// What came was accepted or refused.
    pub fn note(&self, update: &Update<'_>, outcome: &Result<(), Rejection>) {
        let asked = self.name.as_deref();
        self.states.note(asked, update, outcome, wall());
    }

    /// What came was refused before anybody was given it.
    pub fn refuse(&self, refused: &RefusedResponse) {
        let (rejection, now) = (&refused.rejection, wall());
        let Some(asked) = &self.name else {
            return self.states.refuse(&refused.named, rejection, |_| true, now);
        };
        let others_only = !refused.named.iter().any(|(name, _)| name == asked);
        if others_only {
            let named = [(asked.clone(), refused.version.clone())];
            let whole = rejection.reason.clone().into();
            return self.states.refuse(&named, &whole, |_| true, now);
        }
        let is_asked = |name: &str| name == asked;
        self.states.refuse(&refused.named, rejection, is_asked, now);
    }
}
