//! Envoy's runtime: layers of key-value flags on main, merged into snapshots for all workers.

mod config;
mod entry;
mod guards;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::runtime_flags::{FlagValue, RuntimeFlags, RuntimeView};
use nuncio_stats::{Scope, SharedCounter, SharedGauge};
use nuncio_worker::WorkerHandle;
use nuncio_xds::ConfigSource;

pub use config::{entries, layers};
pub use entry::Entry;
use entry::flatten;

/// A layer as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Its name, which `/runtime` shows.
    pub name: String,
    /// Where its entries come from.
    pub kind: LayerKind,
}

/// Where a layer's entries come from.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKind {
    /// The bootstrap.
    Static(BTreeMap<String, Entry>),
    /// `/runtime_modify`.
    Admin,
    /// A resource of this name.
    Rtds {
        /// The name.
        name: String,
        /// Where it comes from.
        source: ConfigSource,
    },
}

/// `/runtime_modify` without an admin layer.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAdminLayer;

impl std::fmt::Display for NoAdminLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("No admin layer specified")
    }
}

impl std::error::Error for NoAdminLayer {}

struct Layer {
    name: String,
    admin: bool,
    entries: BTreeMap<String, Entry>,
}

/// `runtime.*`
struct RuntimeStats {
    admin_overrides_active: SharedGauge,
    deprecated_feature_seen_since_process_start: SharedGauge,
    deprecated_feature_use: SharedCounter,
    load_success: SharedCounter,
    num_keys: SharedGauge,
    num_layers: SharedGauge,
    override_dir_not_exists: SharedCounter,
    /// What only disk layers would count; held so that it is shown.
    _of_disk_layers: [SharedCounter; 2],
}

impl RuntimeStats {
    fn new(root: &Scope) -> Self {
        let scope = root.scope("runtime");
        Self {
            admin_overrides_active: scope.gauge("admin_overrides_active"),
            deprecated_feature_seen_since_process_start: scope
                .gauge("deprecated_feature_seen_since_process_start"),
            deprecated_feature_use: scope.counter("deprecated_feature_use"),
            load_success: scope.counter("load_success"),
            num_keys: scope.gauge("num_keys"),
            num_layers: scope.gauge("num_layers"),
            override_dir_not_exists: scope.counter("override_dir_not_exists"),
            _of_disk_layers: ["load_error", "override_dir_exists"].map(|name| scope.counter(name)),
        }
    }
}

/// The layers and their newest snapshot; lives on main.
pub struct RuntimeLoader {
    layers: Vec<Layer>,
    flags: Arc<RuntimeFlags>,
    workers: Vec<WorkerHandle>,
    stats: RuntimeStats,
}

impl RuntimeLoader {
    /// Loads the layers, lowest first.
    pub fn new(layers: Vec<LayerSpec>, root: &Scope) -> Self {
        let layers = layers.into_iter().map(|layer| {
            let (admin, entries) = match layer.kind {
                LayerKind::Static(entries) => (false, entries),
                LayerKind::Admin => (true, BTreeMap::new()),
                LayerKind::Rtds { .. } => (false, BTreeMap::new()),
            };
            warn_of_unknown_guards(&entries);
            Layer {
                name: layer.name,
                admin,
                entries,
            }
        });
        let mut loader = Self {
            layers: layers.collect(),
            flags: Arc::default(),
            workers: Vec::new(),
            stats: RuntimeStats::new(root),
        };
        // Envoy loads when it makes the loader and again when the cluster manager is there.
        loader.load();
        loader.load();
        loader
    }

    /// Gives the snapshot, and all later ones, to these workers, main among them.
    pub fn publish_to(&mut self, workers: Vec<WorkerHandle>) {
        self.workers = workers;
        self.publish();
    }

    /// The newest snapshot.
    pub fn flags(&self) -> &Arc<RuntimeFlags> {
        &self.flags
    }

    /// Sets entries of the admin layer; an empty text removes one.
    ///
    /// # Errors
    /// When there is no admin layer.
    pub fn modify(&mut self, changes: &[(String, String)]) -> Result<(), NoAdminLayer> {
        let mut layers = self.layers.iter_mut();
        let layer = layers.find(|layer| layer.admin).ok_or(NoAdminLayer)?;
        for (key, text) in changes {
            if text.is_empty() {
                layer.entries.remove(key);
            } else {
                let entry = Entry::from_text(text);
                warn_of_unknown_guard(key, &entry);
                layer.entries.insert(key.clone(), entry);
            }
        }
        self.load();
        self.publish();
        Ok(())
    }

    /// Replaces the entries of the layer at a place.
    pub fn set_layer(&mut self, at: usize, entries: BTreeMap<String, Entry>) {
        warn_of_unknown_guards(&entries);
        if let Some(layer) = self.layers.get_mut(at) {
            layer.entries = entries;
        }
        self.load();
        self.publish();
    }

    /// What `/runtime` shows.
    pub fn view(&self) -> RuntimeView {
        let names = self.layers.iter().map(|layer| layer.name.clone());
        let keys: BTreeSet<&String> = self.keys().collect();
        let texts = |key: &String| {
            let entries = self.layers.iter().map(|layer| layer.entries.get(key));
            entries
                .map(|entry| entry.map_or_else(String::new, |entry| entry.text.clone()))
                .collect()
        };
        RuntimeView {
            layers: names.collect(),
            entries: keys
                .into_iter()
                .map(|key| (key.clone(), texts(key)))
                .collect(),
        }
    }

    /// Counts that the configuration uses a deprecated feature.
    pub fn count_deprecated_feature(&self) {
        self.stats.deprecated_feature_use.inc();
        self.stats.deprecated_feature_seen_since_process_start.inc();
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        self.layers.iter().flat_map(|layer| layer.entries.keys())
    }

    fn load(&mut self) {
        let layers: Vec<Vec<(String, FlagValue)>> = self
            .layers
            .iter()
            .map(|layer| {
                let entries = layer.entries.iter();
                entries
                    .map(|(key, entry)| (key.clone(), entry.value.clone()))
                    .collect()
            })
            .collect();
        self.flags = Arc::new(RuntimeFlags::merged(layers.iter().map(Vec::as_slice)));
        let keys: BTreeSet<&String> = self.keys().collect();
        let overridden = self
            .layers
            .iter()
            .any(|layer| layer.admin && !layer.entries.is_empty());
        let stats = &self.stats;
        stats.num_keys.set(keys.len() as u64);
        stats.num_layers.set(self.layers.len() as u64);
        stats.admin_overrides_active.set(u64::from(overridden));
        stats.load_success.inc();
        stats.override_dir_not_exists.inc();
    }

    fn publish(&self) {
        for worker in &self.workers {
            let flags = self.flags.clone();
            worker.post(move |worker| worker.set_flags(flags));
        }
    }
}

fn warn_of_unknown_guards(entries: &BTreeMap<String, Entry>) {
    for (key, entry) in entries {
        warn_of_unknown_guard(key, entry);
    }
}

/// A text under a guard's name switches nothing in Envoy either, and is let pass in silence.
fn warn_of_unknown_guard(key: &str, entry: &Entry) {
    if guards::is_unknown_guard(key) && !matches!(entry.value, FlagValue::Text(_)) {
        log!(
            logger::RUNTIME,
            Level::Warning,
            "Using a removed guard {key}. In future version of Envoy this will be treated as \
             invalid configuration"
        );
    }
}
