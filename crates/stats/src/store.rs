//! The root of all stats: finds a stat by its name when handles are made, and reads them all.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::config::{StatsConfig, StatsMatcher};
use crate::key_hasher::KeyHasher;
use crate::lookups::Lookups;
use crate::output::Render;
use crate::primitive::PrimitiveStat;
use crate::query::StatsQuery;
use crate::scope::Scope;
use crate::source::{Kind, Reading, Source, Value};
use crate::tags::{TagExtractors, Tagged};

/// A stat as read.
pub struct Stat<'a> {
    /// The full name.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Whether it was ever written (`usedonly`).
    pub used: bool,
    /// The merged value.
    pub value: Value,
    pub(crate) extractors: &'a TagExtractors,
}

impl Stat<'_> {
    /// The tag-extracted name and the tags.
    pub fn tagged(&self) -> Tagged<'_> {
        self.extractors.extract(self.name)
    }
}

/// All stats of the process. Clones are the same store.
#[derive(Clone, Default)]
pub struct Store {
    core: Arc<StoreCore>,
}

impl Store {
    /// An empty store.
    pub fn new(config: StatsConfig) -> Self {
        Self {
            core: Arc::new(StoreCore {
                config,
                table: Mutex::default(),
            }),
        }
    }

    /// The scope named `name`; colons in it become underscores.
    pub fn scope(&self, name: &str) -> Scope {
        self.root().scope(name)
    }

    /// The scope without a prefix.
    pub fn root(&self) -> Scope {
        Scope::root(&self.core)
    }

    /// Merges what workers recorded in histograms; to be called at each stats flush
    /// (`stats_flush_interval`). Until then a recorded value is not shown, as in Envoy.
    pub fn merge_histograms(&self) {
        self.core
            .sources()
            .iter()
            .for_each(|source| source.merge_histograms());
    }

    /// Sets all counters to 0 (`/reset_counters`).
    pub fn reset_counters(&self) {
        self.core
            .sources()
            .iter()
            .for_each(|source| source.reset_counters());
    }

    /// Shows every stat, in no particular order: for sinks.
    pub fn each(&self, visit: &mut dyn FnMut(Stat<'_>)) {
        let StatsConfig { matcher, tags, .. } = &self.core.config;
        let mut name = String::new();
        let mut found = Vec::new();
        for source in self.core.sources() {
            found.clear();
            source.each(&mut |index, kind, _| found.push((index, kind)));
            for (index, kind) in &found {
                name.clear();
                name.push_str(source.prefix());
                source.push_name(*index, &mut name);
                if matcher.accepts(&name) {
                    let Reading { used, value } = source.read(*index);
                    visit(Stat {
                        name: &name,
                        kind: *kind,
                        used,
                        value,
                        extractors: tags,
                    });
                }
            }
        }
    }

    /// The answer to `/stats` or `/stats/prometheus`, piece by piece; `others` are shown with the
    /// store's own.
    pub fn render(&self, query: StatsQuery, others: Vec<PrimitiveStat>) -> Render {
        Render::new(self.core.clone(), query, others)
    }

    /// What was looked up since the start or since it was forgotten.
    pub fn lookups(&self) -> Lookups {
        self.core.lock().lookups.clone()
    }

    /// Begins to track the names that are looked up, or ends that.
    pub fn track_lookups(&self, track: bool) {
        self.core.lock().lookups.track(track);
    }

    /// Forgets what was looked up.
    pub fn clear_lookups(&self) {
        self.core.lock().lookups.clear();
    }

    /// A counter's value, found by its full name: for tests and rare questions.
    pub fn counter_value(&self, name: &str) -> Option<u64> {
        match self.core.find(Kind::Counter, name)? {
            Value::Counter(value) => Some(value),
            _ => None,
        }
    }

    /// A gauge's value, found by its full name: for tests and rare questions.
    pub fn gauge_value(&self, name: &str) -> Option<u64> {
        match self.core.find(Kind::Gauge, name)? {
            Value::Gauge(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What makes two requests for a handle the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    what: What,
    /// The scope's prefix, or a single stat's full name.
    pub(crate) prefix: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum What {
    Group(TypeId),
    ResponseCodes,
    Single(Kind),
}

impl Key {
    pub(crate) fn group(group: TypeId, prefix: &Arc<str>) -> Key {
        Key {
            what: What::Group(group),
            prefix: prefix.clone(),
        }
    }

    /// Where the store looks for it.
    fn place(&self) -> u64 {
        let mut hasher = KeyHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn response_codes(prefix: &Arc<str>) -> Key {
        Key {
            what: What::ResponseCodes,
            prefix: prefix.clone(),
        }
    }

    pub(crate) fn single(kind: Kind, name: &Arc<str>) -> Key {
        Key {
            what: What::Single(kind),
            prefix: name.clone(),
        }
    }
}

/// What handles keep alive.
#[derive(Default)]
pub struct StoreCore {
    pub(crate) config: StatsConfig,
    // Locked when handles are made, when the last one of a source goes, and by readers.
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sources: Sources,
    lookups: Lookups,
}

/// By the hash of their keys, which stand in the sources: there are six of them for each cluster.
/// Should two keys ever have one hash the later source takes the next number.
type Sources = HashMap<u64, Weak<dyn Source>, BuildHasherDefault<KeyHasher>>;

impl StoreCore {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The living source of this key, or a new one. One whose names are all rejected is known
    /// to its owners only.
    pub(crate) fn get_or_insert<T: Source>(&self, key: &Key, make: impl FnOnce() -> T) -> Arc<T> {
        // Dropped after the lock: a source that goes takes it.
        let mut others: Vec<Arc<dyn Source>> = Vec::new();
        let mut table = self.lock();
        table.lookups.note(&key.prefix);
        let sources = &mut table.sources;
        let mut place = key.place();
        while let Some(source) = sources.get(&place).and_then(Weak::upgrade) {
            if source.key() == key {
                let source: Arc<dyn Any + Send + Sync> = source;
                return source
                    .downcast()
                    .expect("a key names the type of its source");
            }
            others.push(source);
            place = place.wrapping_add(1);
        }
        let made = Arc::new(make());
        if self.accepts_any(&*made) {
            let weak = Arc::downgrade(&made);
            sources.insert(place, weak);
        }
        made
    }

    fn accepts_any(&self, source: &dyn Source) -> bool {
        match self.config.matcher {
            StatsMatcher::AcceptAll => true,
            StatsMatcher::RejectAll => false,
            _ => {
                // What makes its stats when they are first written has none to ask about yet.
                let (mut accepted, mut asked) = (false, false);
                source.each(&mut |_, _, rest| {
                    asked = true;
                    let name = || format!("{}{rest}", source.prefix());
                    accepted = accepted || self.config.matcher.accepts(&name());
                });
                accepted || !asked
            }
        }
    }

    /// A source is being dropped: its entry goes, unless a successor has taken it.
    pub(crate) fn forget(&self, key: &Key) {
        let sources = &mut self.lock().sources;
        let mut place = key.place();
        while let Some(source) = sources.get(&place) {
            if source.strong_count() == 0 {
                sources.remove(&place);
                return;
            }
            place = place.wrapping_add(1);
        }
    }

    /// All living sources. Handles, so that the lock is not held while they are read.
    pub(crate) fn sources(&self) -> Vec<Arc<dyn Source>> {
        let table = self.lock();
        table.sources.values().filter_map(Weak::upgrade).collect()
    }

    fn find(&self, kind: Kind, name: &str) -> Option<Value> {
        if !self.config.matcher.accepts(name) {
            return None;
        }
        self.sources().iter().find_map(|source| {
            let rest = name.strip_prefix(source.prefix())?;
            let mut found = None;
            source.each(&mut |index, its_kind, its_name| {
                if its_kind == kind && its_name == rest {
                    found = Some(index);
                }
            });
            Some(source.read(found?).value)
        })
    }
}
