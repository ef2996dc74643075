//! Envoy's runtime: layers of key-value flags on main, merged into snapshots for all workers.

mod config;
mod disk;
mod entry;
mod guards;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::runtime_flags::{FlagValue, RuntimeFlags, RuntimeView};
use nuncio_stats::{Scope, SharedCounter, SharedGauge};
use nuncio_worker::WorkerHandle;
use nuncio_xds::ConfigSource;

pub use config::{entries, layers};
pub use disk::{DiskWatches, watch};
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
    /// Files.
    Disk(DiskLayer),
    /// A resource of this name.
    Rtds {
        /// The name.
        name: String,
        /// Where it comes from.
        source: ConfigSource,
    },
}

/// A directory of files, each of which is an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskLayer {
    /// The symbolic link that is swapped, or a directory above.
    pub root: PathBuf,
    /// The directory.
    pub path: PathBuf,
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
    disk: Option<DiskLayer>,
    /// Whether it is there: a disk layer's directory need not be.
    exists: bool,
    entries: BTreeMap<String, Entry>,
}

/// `runtime.*`
struct RuntimeStats {
    admin_overrides_active: SharedGauge,
    deprecated_feature_seen_since_process_start: SharedGauge,
    deprecated_feature_use: SharedCounter,
    load_error: SharedCounter,
    load_success: SharedCounter,
    num_keys: SharedGauge,
    num_layers: SharedGauge,
    override_dir_exists: SharedCounter,
    override_dir_not_exists: SharedCounter,
}

impl RuntimeStats {
    fn new(root: &Scope) -> Self {
        let scope = root.scope("runtime");
        Self {
            admin_overrides_active: scope.gauge("admin_overrides_active"),
            deprecated_feature_seen_since_process_start: scope
                .gauge("deprecated_feature_seen_since_process_start"),
            deprecated_feature_use: scope.counter("deprecated_feature_use"),
            load_error: scope.counter("load_error"),
            load_success: scope.counter("load_success"),
            num_keys: scope.gauge("num_keys"),
            num_layers: scope.gauge("num_layers"),
            override_dir_exists: scope.counter("override_dir_exists"),
            override_dir_not_exists: scope.counter("override_dir_not_exists"),
        }
    }
}

/// The layers and their newest snapshot; lives on main.
pub struct RuntimeLoader {
    layers: Vec<Layer>,
    flags: Arc<RuntimeFlags>,
    workers: Vec<WorkerHandle>,
    observers: Vec<Observer>,
    stats: RuntimeStats,
}

/// Told of each new snapshot, on main.
type Observer = Box<dyn Fn(&RuntimeFlags)>;

impl RuntimeLoader {
    /// Loads the layers, lowest first.
    pub fn new(layers: Vec<LayerSpec>, root: &Scope) -> Self {
        let layers = layers.into_iter().map(|layer| {
            let mut made = Layer {
                name: layer.name,
                admin: matches!(layer.kind, LayerKind::Admin),
                disk: None,
                exists: true,
                entries: BTreeMap::new(),
            };
            match layer.kind {
                LayerKind::Static(entries) => made.entries = entries,
                LayerKind::Disk(disk) => made.disk = Some(disk),
                LayerKind::Admin | LayerKind::Rtds { .. } => {}
            }
            warn_of_unknown_guards(&made.entries);
            made
        });
        let mut loader = Self {
            layers: layers.collect(),
            flags: Arc::default(),
            workers: Vec::new(),
            observers: Vec::new(),
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

    /// Tells of this snapshot, and of all later ones.
    pub fn observe(&mut self, observer: impl Fn(&RuntimeFlags) + 'static) {
        observer(&self.flags);
        self.observers.push(Box::new(observer));
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

    /// Reads disk layers again.
    pub fn reload(&mut self) {
        self.load();
        self.publish();
    }

    /// What has to be watched for disk layers.
    fn disk_roots(&self) -> Vec<PathBuf> {
        let layers = self.layers.iter();
        let disks = layers.filter_map(|layer| layer.disk.as_ref());
        disks.map(|disk| disk.root.clone()).collect()
    }

    /// The layers that are there.
    fn existing(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.exists)
    }

    /// What `/runtime` shows.
    pub fn view(&self) -> RuntimeView {
        let names = self.existing().map(|layer| layer.name.clone());
        let keys: BTreeSet<&String> = self.keys().collect();
        let texts = |key: &String| {
            let entries = self.existing().map(|layer| layer.entries.get(key));
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

    /// Reads disk layers; how many are there, and how many could not be read.
    fn load_disks(&mut self) -> (usize, usize) {
        let (mut exist, mut failed) = (0, 0);
        for layer in &mut self.layers {
            let Some(disk) = &layer.disk else {
                continue;
            };
            layer.exists = false;
            layer.entries.clear();
            match disk::read(disk) {
                Ok(Some(entries)) => {
                    warn_of_unknown_guards(&entries);
                    (layer.entries, layer.exists) = (entries, true);
                    exist += 1;
                }
                Ok(None) => {}
                Err(reason) => {
                    disk::log_failure(&layer.name, &reason);
                    failed += 1;
                }
            }
        }
        (exist, failed)
    }

    fn load(&mut self) {
        let (disks, failed) = self.load_disks();
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
        stats.num_layers.set(self.existing().count() as u64);
        stats.admin_overrides_active.set(u64::from(overridden));
        match failed {
            0 => stats.load_success.inc(),
            _ => stats.load_error.inc(),
        }
        // A second one is what overrides the first.
        match disks {
            0 | 1 => stats.override_dir_not_exists.inc(),
            _ => stats.override_dir_exists.inc(),
        }
    }

    fn publish(&self) {
        for worker in &self.workers {
            let flags = self.flags.clone();
            worker.post(move |worker| worker.set_flags(flags));
        }
        self.observers
            .iter()
            .for_each(|observer| observer(&self.flags));
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
