//! Retries at other priorities than those tried before (Envoy's `PreviousPrioritiesRetryPriority`).

use nuncio_upstream::{PriorityLoad, PrioritySet};
use std::borrow::Cow;

/// The priorities that a request was tried at.
#[derive(Debug, Default)]
pub(crate) struct PreviousPriorities {
    /// The hosts of the attempts, by their ids; forgotten when no priority is left.
    attempted: Vec<u64>,
    /// By a priority's place.
    excluded: Vec<bool>,
    load: Option<PriorityLoad>,
}

impl PreviousPriorities {
    /// There was an attempt at this host.
    pub fn attempted(&mut self, host: u64) {
        self.attempted.push(host);
    }

    /// The load for the next attempt. It changes after every `update_frequency` attempts.
    pub fn load<'a>(
        &mut self,
        hosts: &'a PrioritySet,
        update_frequency: u32,
    ) -> Cow<'a, PriorityLoad> {
        let count = self.attempted.len();
        let every = usize::try_from(update_frequency).unwrap_or(1).max(1);
        if count < every {
            return Cow::Borrowed(hosts.load());
        }
        if count.is_multiple_of(every) {
            self.load = self.recompute(hosts);
        }
        match &self.load {
            Some(load) => Cow::Owned(load.clone()),
            None => Cow::Borrowed(hosts.load()),
        }
    }

    fn recompute(&mut self, hosts: &PrioritySet) -> Option<PriorityLoad> {
        self.excluded.resize(hosts.sets().len(), false);
        for (set, excluded) in hosts.sets().iter().zip(&mut self.excluded) {
            let was_tried = |id| self.attempted.contains(&id);
            *excluded |= set.hosts().iter().any(|host| was_tried(host.id()));
        }
        hosts.load_without(&self.excluded).or_else(|| {
            // All were tried: it begins again.
            self.attempted.clear();
            self.excluded.fill(false);
            hosts.load_without(&self.excluded)
        })
    }
}
