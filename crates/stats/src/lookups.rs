//! What was looked up by its name: for those who wonder why something looks up so much (Envoy's
//! `/stats/recentlookups`).

use std::sync::Arc;

/// How many names are tracked, as in Envoy.
const MOST: usize = 100;

/// Names that were looked up: those of single stats, and what the names of groups begin with.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    total: u64,
    /// How often each was, the last one last; none while nobody tracks them.
    recent: Option<Vec<(Arc<str>, u64)>>,
}

impl Lookups {
    pub(crate) fn note(&mut self, name: &Arc<str>) {
        self.total += 1;
        let Some(recent) = &mut self.recent else {
            return;
        };
        let known = recent.iter().position(|(known, _)| known == name);
        let before = known.map_or(0, |known| recent.remove(known).1);
        if recent.len() == MOST {
            recent.remove(0);
        }
        recent.push((Arc::clone(name), before + 1));
    }

    pub(crate) fn track(&mut self, track: bool) {
        match (track, &self.recent) {
            (true, None) => self.recent = Some(Vec::new()),
            (false, Some(_)) => self.recent = None,
            _ => {}
        }
    }

    pub(crate) fn clear(&mut self) {
        self.total = 0;
        self.recent.iter_mut().for_each(Vec::clear);
    }

    /// How many there were, tracked or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How often each of the last hundred names was looked up, the rarest first; none where that is
    /// not tracked.
    pub fn tracked(&self) -> Option<Vec<(u64, &str)>> {
        let recent = self.recent.as_ref()?.iter();
        let named = recent.map(|(name, count)| (*count, name.trim_end_matches('.')));
        let mut all: Vec<_> = named.collect();
        all.sort_unstable();
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn names_that_are_looked_up() {
        let store = Store::default();
        let scope = store.scope("cluster.c");
        scope.counter("before");
        let seen = |store: &Store| {
            let lookups = store.lookups();
            let tracked = lookups.tracked().map(|all| {
                let shown = all.iter().map(|(count, name)| format!("{count} {name}"));
                shown.collect::<Vec<_>>()
            });
            (lookups.total(), tracked)
        };
        assert_eq!(seen(&store), (1, None));
        store.track_lookups(true);
        for name in ["b", "a", "b"] {
            scope.counter(name);
        }
        let names = vec!["1 cluster.c.a".to_owned(), "2 cluster.c.b".to_owned()];
        assert_eq!(seen(&store), (4, Some(names)));
        (0..2 * MOST).for_each(|at| drop(scope.counter(&at.to_string())));
        let (total, tracked) = seen(&store);
        assert_eq!((total, tracked.unwrap().len()), (204, MOST));
        store.clear_lookups();
        assert_eq!(seen(&store), (0, Some(Vec::new())));
        store.track_lookups(false);
        assert_eq!(seen(&store), (0, None));
    }
}
