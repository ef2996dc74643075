//! How far the resources of one type from one source are: a stream, a file.

use crate::rejection::{Rejection, cut};
use crate::resource::ResourceType;
use crate::resource_states::{Refusal, ResourceState};
use crate::subscriptions::Update;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::SystemTime;

/// Of how many resources that nobody asked for by name, and that were never accepted, is known that
/// they were refused: a control plane may send ever new ones.
const MOST_REFUSED: usize = 1000;

/// The resources of a source.
pub struct SourceStates {
    kind: ResourceType,
    by_name: RefCell<BTreeMap<Box<str>, Entry>>,
}

#[derive(Default)]
struct Entry {
    /// How many ask for it by its name.
    asked: usize,
    state: ResourceState,
}

impl Entry {
    fn refuse(&mut self, version: &str, reason: &Rc<str>, at: SystemTime) {
        self.state.refused = Some(Refusal {
            version: version.into(),
            reason: Rc::clone(reason),
            at,
        });
    }

    /// Whether it is there for nothing but that it was refused.
    fn is_only_refused(&self) -> bool {
        self.asked == 0 && self.state.accepted.is_none()
    }
}

/// Why each resource is refused, if it is.
struct Reasons<'a> {
    all: Rc<str>,
    own: HashMap<&'a str, Rc<str>>,
}

impl<'a> Reasons<'a> {
    fn new(rejection: &'a Rejection) -> Self {
        let own = rejection.resources.iter();
        Self {
            all: cut(&rejection.reason).into(),
            own: own
                .map(|(name, reason)| (name.as_str(), cut(reason).into()))
                .collect(),
        }
    }

    fn of(&self, name: &str) -> Option<&Rc<str>> {
        match self.own.is_empty() {
            true => Some(&self.all),
            false => self.own.get(name),
        }
    }
}

impl SourceStates {
    pub(crate) fn new(kind: ResourceType) -> Self {
        Self {
            kind,
            by_name: RefCell::default(),
        }
    }

    pub(crate) fn kind(&self) -> ResourceType {
        self.kind
    }

    pub(crate) fn each(&self, mut visit: impl FnMut(&str, &ResourceState)) {
        for (name, entry) in &*self.by_name.borrow() {
            visit(name, &entry.state);
        }
    }

    /// Somebody asks for a resource by its name.
    pub(crate) fn ask(&self, name: &str) {
        let mut all = self.by_name.borrow_mut();
        all.entry(name.into()).or_default().asked += 1;
    }

    /// Somebody asks for it no more.
    pub(crate) fn unask(&self, name: &str) {
        let mut all = self.by_name.borrow_mut();
        if let Some(entry) = all.get_mut(name) {
            entry.asked = entry.asked.saturating_sub(1);
            if entry.asked == 0 {
                all.remove(name);
            }
        }
    }

    /// Nobody wants others any more than these, and those that are asked for by name.
    pub(crate) fn retain(&self, wanted: impl Fn(&str) -> bool) {
        let mut all = self.by_name.borrow_mut();
        all.retain(|name, entry| entry.asked > 0 || wanted(name));
    }

    /// What of an update a subscription accepted, or refused. It is for the name that it asked for,
    /// or for all.
    pub(crate) fn note(
        &self,
        asked: Option<&str>,
        update: &Update<'_>,
        outcome: &Result<(), Rejection>,
        now: SystemTime,
    ) {
        let reasons = outcome.as_ref().err().map(Reasons::new);
        self.forget_gone(asked, update, reasons.is_some());
        let mut all = self.by_name.borrow_mut();
        let mut last: Option<Rc<str>> = None;
        let wanted = |name: &str| asked.is_none_or(|asked| asked == name);
        let mut came = false;
        for resource in update.resources.iter().filter(|it| wanted(&it.name)) {
            came = true;
            let entry = all.entry(resource.name.as_str().into()).or_default();
            if let Some(reason) = reasons.as_ref().and_then(|them| them.of(&resource.name)) {
                entry.refuse(own_or(&resource.version, update.version), reason, now);
                continue;
            }
            let version = match last.take() {
                Some(version) if *version == *resource.version => version,
                _ => resource.version.as_str().into(),
            };
            last = Some(Rc::clone(&version));
            entry.state.accepted = Some((version, now));
            entry.state.refused = None;
        }
        if let (Some(asked), Some(reasons), false) = (asked, &reasons, came) {
            let entry = all.entry(asked.into()).or_default();
            entry.refuse(update.version, &reasons.all, now);
        }
        drop(all);
        if reasons.is_some() && asked.is_none() {
            self.bound();
        }
    }

    /// Forgets what an update takes away. What is asked for by its name stays in use where that is
    /// refused.
    fn forget_gone(&self, asked: Option<&str>, update: &Update<'_>, refused: bool) {
        let mut all = self.by_name.borrow_mut();
        match (update.removed, asked) {
            (Some(_), Some(_)) if refused => {}
            (Some(removed), _) => {
                for name in removed {
                    match all.get_mut(name.as_str()) {
                        Some(entry) if entry.asked > 0 => entry.state = ResourceState::default(),
                        Some(_) => drop(all.remove(name.as_str())),
                        None => {}
                    }
                }
            }
            // All there is comes with each update.
            (None, None) => {
                let names = update.resources.iter();
                let names: HashSet<_> = names.map(|it| it.name.as_str()).collect();
                all.retain(|name, entry| entry.asked > 0 || names.contains(&**name));
            }
            (None, Some(_)) => {}
        }
    }

    /// Resources were refused before anybody was given them; those that the rejection does not name
    /// are as they were.
    pub(crate) fn refuse(
        &self,
        named: &[(String, String)],
        rejection: &Rejection,
        wanted: impl Fn(&str) -> bool,
        now: SystemTime,
    ) {
        let reasons = Reasons::new(rejection);
        let mut all = self.by_name.borrow_mut();
        for (name, version) in named.iter().filter(|(name, _)| wanted(name)) {
            if let Some(reason) = reasons.of(name) {
                let entry = all.entry(name.as_str().into()).or_default();
                entry.refuse(version, reason, now);
            }
        }
        drop(all);
        self.bound();
    }

    /// Forgets those that were refused first of what was only ever refused, if there are too many.
    fn bound(&self) {
        let mut all = self.by_name.borrow_mut();
        let refused = all.values().filter(|entry| entry.is_only_refused());
        let times = refused.filter_map(|entry| entry.state.refused.as_ref());
        let mut times: Vec<_> = times.map(|refused| refused.at).collect();
        let Some(surplus) = times.len().checked_sub(MOST_REFUSED).filter(|it| *it > 0) else {
            return;
        };
        times.sort_unstable();
        let last = times[surplus - 1];
        // Of those that were refused at one time some may stay.
        let before = times.partition_point(|at| *at < last);
        let mut of_last = surplus - before;
        all.retain(|_, entry| {
            let Some(refused) = entry.state.refused.as_ref() else {
                return true;
            };
            if !entry.is_only_refused() || refused.at > last {
                return true;
            }
            let goes = refused.at < last || of_last > 0;
            of_last -= usize::from(goes && refused.at == last);
            !goes
        });
    }
}

fn own_or<'a>(own: &'a str, other: &'a str) -> &'a str {
    match own {
        "" => other,
        own => own,
    }
}

#[cfg(test)]
mod tests;
