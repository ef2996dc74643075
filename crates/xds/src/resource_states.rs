//! How far each resource is that is asked for or came: for the admin (Envoy's "Client status
//! discovery service" has the words).

use crate::resource::{Resource, ResourceType};
use crate::subscriptions::Update;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::SystemTime;

/// How far a resource is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResourceState {
    /// What was accepted last, and when; none where nothing was.
    pub accepted: Option<(Rc<str>, SystemTime)>,
    /// What was refused since.
    pub refused: Option<Box<Refusal>>,
}

/// A resource that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its version.
    pub version: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: SystemTime,
}

type ByName = BTreeMap<Box<str>, ResourceState>;

/// All resources; one for the process.
#[derive(Default)]
pub struct ResourceStates(RefCell<BTreeMap<ResourceType, ByName>>);

impl ResourceStates {
    /// A resource is asked for by its name.
    pub(crate) fn request(&self, kind: ResourceType, name: &str) {
        let mut all = self.0.borrow_mut();
        let of_kind = all.entry(kind).or_default();
        if !of_kind.contains_key(name) {
            of_kind.insert(name.into(), ResourceState::default());
        }
    }

    /// Nobody asks for a resource any more.
    pub(crate) fn forget(&self, kind: ResourceType, name: &str) {
        if let Some(of_kind) = self.0.borrow_mut().get_mut(&kind) {
            of_kind.remove(name);
        }
    }

    /// What of an update somebody accepted, or refused for a reason.
    pub(crate) fn note(
        &self,
        kind: ResourceType,
        update: &Update<'_>,
        outcome: &Result<(), String>,
        now: SystemTime,
    ) {
        if let Err(reason) = outcome {
            self.refuse(kind, update.resources, update.version, reason, now);
        }
        let mut all = self.0.borrow_mut();
        let of_kind = all.entry(kind).or_default();
        match update.removed {
            Some(removed) => removed.iter().for_each(|name| {
                of_kind.remove(name.as_str());
            }),
            // All there is of these comes with each update.
            None if matches!(kind, ResourceType::Cluster | ResourceType::Listener) => {
                let names = update.resources.iter();
                let names: HashSet<_> = names.map(|it| it.name.as_str()).collect();
                of_kind.retain(|name, _| names.contains(&**name));
            }
            None => {}
        }
        let mut last: Option<Rc<str>> = None;
        for resource in update.resources {
            let state = of_kind.entry(resource.name.as_str().into()).or_default();
            // Just refused, or accepted beside one that was.
            if outcome.is_err() && state.refused.as_ref().is_some_and(|it| it.at == now) {
                continue;
            }
            let version = match last.take() {
                Some(version) if *version == *resource.version => version,
                _ => resource.version.as_str().into(),
            };
            last = Some(Rc::clone(&version));
            state.accepted = Some((version, now));
            state.refused = None;
        }
    }

    /// Resources were refused: those that the reason names, or all where it names none.
    pub(crate) fn refuse(
        &self,
        kind: ResourceType,
        resources: &[Resource],
        version: &str,
        reason: &str,
        now: SystemTime,
    ) {
        let is_named = |name: &str| reason.contains(&format!("{name}: "));
        let any = resources.iter().any(|it| is_named(&it.name));
        let mut all = self.0.borrow_mut();
        let of_kind = all.entry(kind).or_default();
        for resource in resources {
            if any && !is_named(&resource.name) {
                continue;
            }
            let own = match resource.version.as_str() {
                "" => version,
                own => own,
            };
            let state = of_kind.entry(resource.name.as_str().into()).or_default();
            state.refused = Some(Box::new(Refusal {
                version: own.to_owned(),
                reason: reason.to_owned(),
                at: now,
            }));
        }
    }

    /// All of them, by type and name.
    pub fn each(&self, mut visit: impl FnMut(ResourceType, &str, &ResourceState)) {
        for (kind, of_kind) in &*self.0.borrow() {
            for (name, state) in of_kind {
                visit(*kind, name, state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_base::time::wall;

    fn resource(name: &str, version: &str) -> Resource {
        Resource {
            name: name.to_owned(),
            version: version.to_owned(),
            body: Default::default(),
        }
    }

    fn shown(states: &ResourceStates) -> Vec<String> {
        let mut all = Vec::new();
        states.each(|_, name, state| {
            let accepted = state.accepted.as_ref().map_or("-", |(version, _)| version);
            let refused = state.refused.as_ref().map_or("-", |it| &it.version);
            all.push(format!("{name} {accepted} {refused}"));
        });
        all
    }

    #[test]
    fn what_becomes_of_resources() {
        use ResourceType::{Cluster, Endpoint};
        let (states, now) = (ResourceStates::default(), wall());
        states.request(Endpoint, "e");
        assert_eq!(shown(&states), ["e - -"]);
        let [first, second, third] = ["1", "2", "3"].map(|version| [resource("e", version)]);
        let update = |resources| Update {
            resources,
            removed: None,
            version: "u",
        };
        states.note(Endpoint, &update(&first), &Ok(()), now);
        assert_eq!(shown(&states), ["e 1 -"]);
        states.note(Endpoint, &update(&second), &Err("no".to_owned()), now);
        assert_eq!(shown(&states), ["e 1 2"]);
        states.note(Endpoint, &update(&third), &Ok(()), now);
        assert_eq!(shown(&states), ["e 3 -"]);
        states.forget(Endpoint, "e");
        assert!(shown(&states).is_empty());
        // Of several, those that the reason names are refused.
        let clusters = [resource("a", "1"), resource("b", "1")];
        let reason = Err("Error adding/updating cluster(s) b: wrong".to_owned());
        states.note(Cluster, &update(&clusters), &reason, now);
        assert_eq!(shown(&states), ["a 1 -", "b - 1"]);
        states.note(Cluster, &update(&clusters[..1]), &Ok(()), now);
        assert_eq!(shown(&states), ["a 1 -"]);
        let gone = ["a".to_owned()];
        let removal = Update {
            removed: Some(&gone),
            ..update(&[])
        };
        states.note(Cluster, &removal, &Ok(()), now);
        assert!(shown(&states).is_empty());
    }
}
