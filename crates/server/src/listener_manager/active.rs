//! The active listeners, in the order in which they came, found by name and by address.

use super::entry::Entry;
use nuncio_base::address::Address;
use nuncio_listener::ListenerSpec;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The active listeners. Of one that is in the list name and addresses don't change.
#[derive(Default)]
pub(super) struct ActiveListeners {
    entries: Vec<Entry>,
    by_name: HashMap<Arc<str>, usize>,
    /// How many listen there.
    addresses: HashMap<Address, usize>,
}

impl ActiveListeners {
    /// The place of the listener of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Whether another listener, of those that count, has one of the addresses of `spec`.
    pub fn have_address_of(&self, spec: &ListenerSpec, counts: impl Fn(&Entry) -> bool) -> bool {
        let known = |address: &Address| self.addresses.contains_key(address);
        let has_one = |entry: &Entry| entry.shares_address(&spec.addresses);
        spec.addresses.iter().any(|at| known(&at.address))
            && self
                .entries
                .iter()
                .any(|entry| entry.name() != &*spec.name && has_one(entry) && counts(entry))
    }

    /// Adds a listener of a new name.
    pub fn push(&mut self, entry: Entry) {
        self.note(&entry, self.entries.len());
        self.entries.push(entry);
    }

    /// Puts a listener of the same name in the place of another, which is given back.
    pub fn replace(&mut self, at: usize, entry: Entry) -> Entry {
        self.forget(at);
        self.note(&entry, at);
        std::mem::replace(&mut self.entries[at], entry)
    }

    /// Takes a listener out.
    pub fn remove(&mut self, at: usize) -> Entry {
        self.forget(at);
        for (place, entry) in self.entries.iter().enumerate().skip(at + 1) {
            if let Some(known) = self.by_name.get_mut(entry.name()) {
                *known = place - 1;
            }
        }
        self.entries.remove(at)
    }

    fn note(&mut self, entry: &Entry, at: usize) {
        let spec = entry.listener().spec();
        self.by_name.insert(Arc::clone(&spec.name), at);
        for at in &spec.addresses {
            *self.addresses.entry(at.address.clone()).or_default() += 1;
        }
    }

    fn forget(&mut self, at: usize) {
        let spec = self.entries[at].listener().spec();
        self.by_name.remove(&spec.name);
        for at in &spec.addresses {
            if let Some(count) = self.addresses.get_mut(&at.address) {
                *count -= 1;
                if *count == 0 {
                    self.addresses.remove(&at.address);
                }
            }
        }
    }
}

impl Deref for ActiveListeners {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.entries
    }
}

impl DerefMut for ActiveListeners {
    fn deref_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }
}
