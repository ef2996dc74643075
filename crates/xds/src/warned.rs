//! Fields of resources that nobody knows: logged and counted (`server.dynamic_unknown_fields`), as
//! in Envoy each once, however often its resource comes.

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_stats::Scope;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// How many are remembered; from then on others are counted whenever they come.
const MAX_SEEN: usize = 4096;

/// What was said already.
#[derive(Default)]
pub(crate) struct Warned {
    hasher: RandomState,
    seen: RefCell<HashSet<u64>>,
}

impl Warned {
    /// Says what was not said before.
    pub fn warn(&self, root: &Scope, warnings: &[String]) {
        let mut seen = self.seen.borrow_mut();
        for warning in warnings {
            let hash = self.hasher.hash_one(warning);
            if seen.contains(&hash) {
                continue;
            }
            if seen.len() < MAX_SEEN {
                seen.insert(hash);
            }
            log!(logger::CONFIG, Level::Warning, "{warning}");
            // The server keeps it.
            root.counter("server.dynamic_unknown_fields").inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_stats::{StatsConfig, Store};

    #[test]
    fn each_counts_once() {
        let store = Store::new(StatsConfig::default());
        let warned = Warned::default();
        let counter = store.root().counter("server.dynamic_unknown_fields");
        for (warnings, expected) in [(["a", "b"], 2), (["b", "a"], 2), (["c", "a"], 3)] {
            warned.warn(&store.root(), &warnings.map(str::to_owned));
            assert_eq!(counter.value(), expected, "{warnings:?}");
        }
    }
}
