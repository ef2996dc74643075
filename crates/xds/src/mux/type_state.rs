//! What is subscribed to of one type over one stream, and by whom. Subscribers are found by the
//! name that they want, so that a response costs what it brings, however many there are.

use super::interest::Interest;
use super::ttl::Ttls;
use super::watch::WatchState;
use crate::resource::{Resource, ResourceType};
use crate::response::{LoadedResponse, StreamResponse};
use std::collections::{HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::time::Instant;

/// One type.
pub struct TypeState {
    pub interest: Interest,
    /// Until when resources stay.
    pub ttls: Ttls,
    /// Who wants all resources.
    of_all: Vec<Weak<WatchState>>,
    /// Who wants one of them.
    by_name: HashMap<String, Vec<Weak<WatchState>>>,
    /// What was accepted last of those that are wanted by name: who asks for one again, a cluster
    /// that replaces another, is not answered by the control plane, for which nothing changed.
    known: HashMap<String, Resource>,
    /// Whether any response was accepted.
    accepted: bool,
    /// Names that nobody wants any more: what is known of them is forgotten once the control plane
    /// is told.
    left: Vec<String>,
}

/// What of a response concerns a subscription.
#[derive(Clone, Copy, Debug)]
pub enum Share {
    /// All of it.
    All,
    /// The resource at this place.
    Resource(usize),
    /// The removed name at this place.
    Removed(usize),
}

impl TypeState {
    /// Nobody subscribes yet.
    pub fn new(kind: ResourceType, delta: bool) -> Self {
        Self {
            interest: Interest::new(kind, delta),
            ttls: Ttls::default(),
            of_all: Vec::new(),
            by_name: HashMap::new(),
            known: HashMap::new(),
            accepted: false,
            left: Vec::new(),
        }
    }

    /// A subscription begins.
    pub fn begin(&mut self, watch: &Rc<WatchState>) {
        let Some(name) = watch.name() else {
            self.of_all.push(Rc::downgrade(watch));
            return self.interest.want_all(true);
        };
        self.interest.want(name);
        match self.by_name.get_mut(name) {
            Some(of_name) => of_name.push(Rc::downgrade(watch)),
            None => drop(
                self.by_name
                    .insert(name.to_owned(), vec![Rc::downgrade(watch)]),
            ),
        }
    }

    /// A subscription has ended.
    pub fn end(&mut self, watch: &Rc<WatchState>) {
        let others = |one: &Weak<WatchState>| one.as_ptr() != Rc::as_ptr(watch);
        let Some(name) = watch.name() else {
            self.of_all.retain(others);
            return self.interest.want_all(!self.of_all.is_empty());
        };
        let Some(of_name) = self.by_name.get_mut(name) else {
            return;
        };
        of_name.retain(others);
        if of_name.is_empty() {
            self.by_name.remove(name);
            self.interest.unwant(name);
            self.left.push(name.to_owned());
        }
    }

    /// All subscriptions.
    pub fn live(&self) -> Vec<Rc<WatchState>> {
        let all = self.of_all.iter().chain(self.by_name.values().flatten());
        all.filter_map(Weak::upgrade).collect()
    }

    /// Whether somebody wants a resource of this name.
    pub fn wants(&self, name: &str) -> bool {
        let mut all = self.of_all.iter().filter_map(Weak::upgrade);
        self.interest.wants(name) || all.any(|watch| watch.wants_all() || watch.wants(name))
    }

    /// Whom a response concerns: who wants all first, the others in its order.
    pub fn concerned(
        &self,
        resources: &[Resource],
        removed: &[String],
    ) -> Vec<(Rc<WatchState>, Share)> {
        let all = self.of_all.iter().filter_map(Weak::upgrade);
        let mut concerned: Vec<_> = all.map(|watch| (watch, Share::All)).collect();
        if self.by_name.is_empty() {
            return concerned;
        }
        let mut seen = HashSet::new();
        let mut add = |name, share| {
            if let Some(of_name) = self.by_name.get(name)
                && seen.insert(name)
            {
                let live = of_name.iter().filter_map(Weak::upgrade);
                concerned.extend(live.map(|watch| (watch, share)));
            }
        };
        for (at, resource) in resources.iter().enumerate() {
            add(&resource.name, Share::Resource(at));
        }
        for (at, name) in removed.iter().enumerate() {
            add(name, Share::Removed(at));
        }
        concerned
    }

    /// What was accepted last of what others have asked for before, if anything was.
    pub fn known(&self, watch: &WatchState) -> Option<Vec<Resource>> {
        if let Some(name) = watch.name() {
            return self.known.get(name).map(|it| vec![it.clone()]);
        }
        let wants = |name: &str| watch.wants_all() || watch.wants(name);
        let known = self.known.values().filter(|it| wants(&it.name));
        let known: Vec<_> = known.cloned().collect();
        let nothing_else = self.accepted && watch.wants_all() && self.keeps_all();
        (nothing_else || !known.is_empty()).then_some(known)
    }

    /// Whether what nobody asks for by its name is kept: of the types that are wanted as a whole
    /// only this one has more than one subscriber.
    fn keeps_all(&self) -> bool {
        self.interest.kind() == ResourceType::ScopedRoute
    }

    /// Whether all that comes is kept. A control plane goes on to send it when nobody wants it for
    /// a while.
    fn is_kept_whole(&self) -> bool {
        self.keeps_all() || self.interest.is_by_namespace()
    }

    /// A stream is open. What nobody wants now is not heard of over it until somebody does, and
    /// then comes as a whole.
    pub fn on_open(&mut self) {
        self.interest.on_open();
        if self.is_kept_whole() && self.of_all.is_empty() {
            self.known.clear();
            self.accepted = false;
        }
    }

    /// A response was accepted: what is wanted of it is noted.
    pub fn accept(&mut self, response: &StreamResponse, mut loaded: LoadedResponse, now: Instant) {
        if self.of_all.is_empty() && !self.is_kept_whole() {
            let wanted = |name: &str| self.interest.wants(name);
            loaded.resources.retain(|it| wanted(&it.name));
            loaded.ttls.retain(|(name, _)| wanted(name));
        }
        let removed = response.removed.as_deref().unwrap_or_default();
        let versions = loaded.resources.iter();
        let versions = versions.map(|it| (it.name.as_str(), it.version.as_str()));
        self.interest.note_versions(versions, removed);
        self.interest.accept(&response.version, &response.nonce);
        self.note_ttls(&loaded.ttls, removed, now);
        self.accepted = true;
        if self.keeps_all() && response.removed.is_none() && loaded.heartbeats == 0 {
            self.known.clear();
        }
        self.keep(loaded.resources, removed);
    }

    /// Keeps what is wanted by name of what was accepted.
    pub fn keep(&mut self, resources: Vec<Resource>, removed: &[String]) {
        for name in removed {
            self.known.remove(name);
        }
        for resource in resources {
            if self.is_kept_whole() || self.interest.wants(&resource.name) {
                self.known.insert(resource.name.clone(), resource);
            }
        }
    }

    /// The control plane is being told what is wanted.
    pub fn forget(&mut self) {
        for name in self.left.drain(..) {
            if !self.interest.wants(&name) {
                self.known.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response;
    use nuncio_base::time::monotonic;
    use nuncio_proto::Message;
    use nuncio_proto::envoy::service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse,
    };
    use std::time::Duration;

    fn resource(name: &str) -> Resource {
        Resource {
            name: name.to_owned(),
            version: "1".to_owned(),
            body: Default::default(),
        }
    }

    fn loaded(names: &[&str]) -> LoadedResponse {
        LoadedResponse {
            resources: names.iter().map(|name| resource(name)).collect(),
            ..Default::default()
        }
    }

    fn versions_of(state: &mut TypeState) -> Vec<String> {
        let request = state.interest.next_request(|| None).unwrap();
        let request = DeltaDiscoveryRequest::decode(&*request).unwrap();
        let mut names: Vec<_> = request.initial_resource_versions.into_keys().collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_wants_for_a_while() {
        for kind in [ResourceType::ScopedRoute, ResourceType::VirtualHost] {
            let mut state = TypeState::new(kind, true);
            let empty = DeltaDiscoveryResponse::default().encode_to_vec();
            let response = response::decode(&empty, true).unwrap();
            state.interest.want_all(true);
            assert!(versions_of(&mut state).is_empty());
            state.accept(&response, loaded(&["a/a"]), monotonic());
            state.interest.want_all(false);
            state.accept(&response, loaded(&["a/b"]), monotonic());
            // The control plane thinks that it has told both.
            assert_eq!(state.known.len(), 2);
            state.interest.want_all(true);
            state.interest.on_open();
            assert_eq!(versions_of(&mut state), ["a/a", "a/b"]);
            // Another stream that is told nothing begins anew when it is.
            state.interest.want_all(false);
            state.on_open();
            assert!(state.known.is_empty() && !state.accepted);
            state.interest.want_all(true);
            assert!(versions_of(&mut state).is_empty());
        }
    }

    #[test]
    fn of_names_that_nobody_asked_for_nothing_is_kept() {
        let mut state = TypeState::new(ResourceType::Endpoint, true);
        state.interest.want("wanted");
        let empty = DeltaDiscoveryResponse::default().encode_to_vec();
        let response = response::decode(&empty, true).unwrap();
        let mut loaded = loaded(&["wanted", "other"]);
        let hour = Duration::from_secs(3600);
        loaded.ttls.push(("other".to_owned(), Some(hour)));
        state.accept(&response, loaded, monotonic());
        assert_eq!(state.ttls.next(), None);
        assert_eq!(state.known.len(), 1);
        state.interest.on_open();
        assert_eq!(versions_of(&mut state), ["wanted"]);
    }
}
