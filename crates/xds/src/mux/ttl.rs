//! Resources that go unless the control plane says in time that they stay (`Resource.ttl`).

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Until when the resources of a type stay, of those that don't stay for ever.
#[derive(Debug, Default)]
pub struct Ttls {
    until: HashMap<String, Instant>,
    order: BTreeSet<(Instant, String)>,
}

impl Ttls {
    /// A resource stays for so long from now on; `None`: for ever.
    pub fn set(&mut self, name: &str, ttl: Option<Duration>, now: Instant) {
        self.remove(name);
        // What would last longer than clocks do stays.
        if let Some(until) = ttl.and_then(|ttl| now.checked_add(ttl)) {
            self.until.insert(name.to_owned(), until);
            self.order.insert((until, name.to_owned()));
        }
    }

    /// A resource has gone.
    pub fn remove(&mut self, name: &str) {
        if let Some((name, until)) = self.until.remove_entry(name) {
            self.order.remove(&(until, name));
        }
    }

    /// When the next one goes.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|(until, _)| *until)
    }

    /// Takes those that go now.
    pub fn expired(&mut self, now: Instant) -> Vec<String> {
        let mut names = Vec::new();
        while self.next().is_some_and(|until| until <= now)
            && let Some((_, name)) = self.order.pop_first()
        {
            self.until.remove(&name);
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renewed_stays() {
        let start = nuncio_base::time::monotonic();
        let second = Duration::from_secs(1);
        let mut ttls = Ttls::default();
        ttls.set("a", Some(second), start);
        ttls.set("b", Some(2 * second), start);
        ttls.set("c", Some(second), start);
        ttls.set("d", Some(second), start);
        ttls.set("a", Some(second), start + second / 2);
        ttls.set("c", None, start);
        ttls.remove("d");
        assert!(ttls.expired(start + second).is_empty());
        assert_eq!(ttls.next(), Some(start + second / 2 + second));
        assert_eq!(ttls.expired(start + 3 * second), ["a", "b"]);
        assert_eq!(ttls.next(), None);
        ttls.set("a", Some(Duration::MAX), start);
        assert_eq!(ttls.next(), None);
    }
}
