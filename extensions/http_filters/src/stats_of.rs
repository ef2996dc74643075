//! What a filter counts on a worker, apart for each settings that routes have for it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

/// The stats of each settings in use. There are few, so that they are looked for one by one.
pub(crate) struct StatsOf<S, T>(RefCell<Vec<(Weak<S>, T)>>);

impl<S, T> Default for StatsOf<S, T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<S, T: Clone> StatsOf<S, T> {
    /// The stats of these settings, made when they are asked for first.
    pub fn get(&self, settings: &Arc<S>, make: impl FnOnce() -> T) -> T {
        let mut all = self.0.borrow_mut();
        let is_it = |(known, _): &&(Weak<S>, T)| known.as_ptr() == Arc::as_ptr(settings);
        if let Some((_, stats)) = all.iter().find(is_it) {
            return stats.clone();
        }
        // Those of former configurations go.
        all.retain(|(known, _)| known.strong_count() > 0);
        let stats = make();
        all.push((Arc::downgrade(settings), stats.clone()));
        stats
    }
}
