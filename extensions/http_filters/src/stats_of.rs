//! What a filter counts on a worker, apart for each settings that routes have for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The stats of each settings in use, by where those are: a place that is held is nobody else's.
pub(crate) struct StatsOf<S, T>(RefCell<Known<S, T>>);

struct Known<S, T> {
    by_place: HashMap<*const S, (Weak<S>, T)>,
    /// At how many those of former configurations are looked for.
    sweep_at: usize,
}

/// Below as many nothing is looked for.
const FEW: usize = 16;

impl<S, T> Default for StatsOf<S, T> {
    fn default() -> Self {
        Self(RefCell::new(Known {
            by_place: HashMap::new(),
            sweep_at: FEW,
        }))
    }
}

impl<S, T: Clone> StatsOf<S, T> {
    /// The stats of these settings, made when they are asked for first.
    pub fn get(&self, settings: &Arc<S>, make: impl FnOnce() -> T) -> T {
        let mut known = self.0.borrow_mut();
        if let Some((_, stats)) = known.by_place.get(&Arc::as_ptr(settings)) {
            return stats.clone();
        }
        if known.by_place.len() >= known.sweep_at {
            let by_place = &mut known.by_place;
            by_place.retain(|_, (settings, _)| settings.strong_count() > 0);
            known.sweep_at = FEW.max(2 * known.by_place.len());
        }
        let stats = make();
        let value = (Arc::downgrade(settings), stats.clone());
        known.by_place.insert(Arc::as_ptr(settings), value);
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_each_and_forgotten_in_time() {
        let stats = StatsOf::<usize, usize>::default();
        let kept: Vec<_> = (0..100).map(Arc::new).collect();
        for _ in 0..2 {
            for settings in &kept {
                // Another one's, made anew each time.
                stats.get(&Arc::new(1000), || 1000);
                assert_eq!(stats.get(settings, || **settings), **settings);
                assert_eq!(stats.get(settings, || panic!("known")), **settings);
            }
        }
        assert!(stats.0.borrow().by_place.len() <= 2 * kept.len());
        drop(kept);
        for _ in 0..2 * 100 {
            stats.get(&Arc::new(0), || 0);
        }
        assert!(stats.0.borrow().by_place.len() <= 2 * FEW);
    }
}
