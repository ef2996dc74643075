//! The configuration file once more, while the server serves (`--reload-static-config`). Clusters
//! and listeners that changed come the way they do from a control plane: clusters warm beside those
//! they replace, listeners keep their sockets, chains that stay keep their connections, what goes
//! drains. A file with mistakes changes nothing. What else a bootstrap holds is there from the
//! start: that it changed is said.

mod changes;

use crate::bootstrap_loader;
use crate::cluster_manager::ClusterSource;
use crate::environment;
use crate::listener_manager::{ListenerManager, Origin};
use crate::server::Server;
use crate::static_resources::{self, StaticResources};
use bytes::Bytes;
use changes::{Changes, Resources};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::options::ReloadStatic;
use nuncio_base::time::{millis, since_epoch, wall};
use nuncio_config::eds::refusal;
use nuncio_extension::ParseCx;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::{Loaded, Message, Packed};
use nuncio_stats::{SharedCounter, SharedGauge, Store};
use nuncio_xds::{FileWatch, FileWatcher};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

/// `server.static_config.`
struct Stats {
    update_attempt: SharedCounter,
    update_success: SharedCounter,
    update_rejected: SharedCounter,
    update_time: SharedGauge,
}

/// Reloads, one at a time.
pub struct StaticReload {
    stats: Stats,
    running: Cell<bool>,
    /// Somebody asked while one was running.
    again: Cell<bool>,
    watch: RefCell<Option<FileWatch>>,
}

impl StaticReload {
    /// What reloads, where that is asked for.
    pub fn new(store: &Store, when: ReloadStatic) -> Option<Self> {
        if when == ReloadStatic::Never {
            return None;
        }
        let scope = store.scope("server.static_config");
        let update_time = scope.gauge("update_time");
        update_time.set(0);
        Some(Self {
            stats: Stats {
                update_attempt: scope.counter("update_attempt"),
                update_success: scope.counter("update_success"),
                update_rejected: scope.counter("update_rejected"),
                update_time,
            },
            running: Cell::new(false),
            again: Cell::new(false),
            watch: RefCell::default(),
        })
    }
}

/// Watches the file, where that is asked for.
///
/// # Errors
/// A directory that can't be watched.
pub fn watch(server: &Rc<Server>) -> Result<(), String> {
    let path = Path::new(&server.options.config_path);
    let wanted = server.options.reload_static == ReloadStatic::Change;
    let Some(reload) = server.reload.as_ref().filter(|_| wanted) else {
        return Ok(());
    };
    let watcher = FileWatcher::of(&server.worker).map_err(|error| error.to_string())?;
    let weak = Rc::downgrade(server);
    let changed = move || {
        if let Some(server) = weak.upgrade() {
            begin(&server);
        }
    };
    *reload.watch.borrow_mut() = Some(watcher.watch_file(path, changed)?);
    Ok(())
}

/// Reads the file and takes over what changed. Whoever asks meanwhile is served after it.
pub fn begin(server: &Rc<Server>) {
    let Some(reload) = &server.reload else {
        return;
    };
    if reload.running.replace(true) {
        return reload.again.set(true);
    }
    let own = Rc::clone(server);
    server.worker.spawn(async move {
        let Some(reload) = &own.reload else { return };
        loop {
            reload.again.set(false);
            own.reload_static(&reload.stats).await;
            if !reload.again.get() {
                break;
            }
        }
        reload.running.set(false);
    });
}

impl Server {
    async fn reload_static(self: &Rc<Self>, stats: &Stats) {
        stats.update_attempt.inc();
        let before = self.bootstrap.borrow().clone();
        let outcome = match self.read_again() {
            Ok(loaded) => self.take_over(&before, loaded).await,
            Err(errors) => Err(errors),
        };
        match outcome {
            Ok(()) => {
                stats.update_success.inc();
                stats.update_time.set(millis(since_epoch(wall())));
            }
            Err(errors) => {
                stats.update_rejected.inc();
                let name = bootstrap_loader::name(&self.options);
                log!(
                    logger::CONFIG,
                    Level::Error,
                    "'{name}' is not reloaded, what was there before goes on: {errors}"
                );
            }
        }
    }

    /// The file as it is now, checked as a whole.
    fn read_again(&self) -> Result<Loaded, String> {
        let loaded = bootstrap_loader::load(&self.options)?;
        let registry = self.env.registry;
        let preliminary = environment::preliminary(registry);
        let (mut parsed, _) = bootstrap_loader::take_apart(&loaded, &self.options, preliminary)?;
        let env = environment::validating(registry, &mut parsed);
        environment::access_logs(&env, &self.options);
        let context = environment::listener_context(&env, &self.options, &parsed);
        let manager = ListenerManager::new(&self.worker, context);
        let whole = (&loaded, &Bytes::from(loaded.bytes.clone()));
        static_resources::convert(whole, &env, &manager, &parsed)?;
        Ok(loaded)
    }

    async fn take_over(self: &Rc<Self>, before: &Bytes, loaded: Loaded) -> Result<(), String> {
        let malformed = |error: nuncio_proto::wire::Malformed| error.to_string();
        let old = StaticResources::of(before).map_err(malformed)?;
        let new = StaticResources::of(&loaded.bytes).map_err(malformed)?;
        let changes = Changes::between(&Resources::of(&old)?, &Resources::of(&new)?);
        changes.log(&bootstrap_loader::name(&self.options), &old.rest, &new.rest);
        self.env.set_primary_clusters(new.primary_clusters());
        for name in &changes.listeners.gone {
            self.listeners.remove_static(name);
        }
        let mut failed = Vec::new();
        for (name, bytes) in &changes.clusters.set {
            failed.extend(self.set_cluster(name, bytes).err());
        }
        // Routes lead to clusters that have their hosts.
        self.clusters.warmed().await;
        for (_, bytes) in &changes.listeners.set {
            failed.extend(self.set_listener(bytes).err());
        }
        for name in &changes.clusters.gone {
            if self.clusters.remove_static(name) {
                self.env.set_cluster(name, false);
            }
        }
        // What can't be changed stays, for the admin too.
        *self.bootstrap.borrow_mut() = new.with_rest(&old.rest).into();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("; ")),
        }
    }

    fn set_cluster(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let proto = Cluster::decode(bytes).map_err(|error| error.to_string())?;
        let converted = nuncio_config::cluster::cluster(&mut cx, proto);
        let targets = cx.take_init_targets();
        match converted {
            Ok(config) if cx.is_clean() => {
                self.env.set_cluster(name, true);
                let source = ClusterSource {
                    config: Packed::new::<Cluster>(Bytes::copy_from_slice(bytes)),
                    version_info: None,
                    last_updated: wall(),
                };
                self.clusters.set_static(config, source, targets);
                Ok(())
            }
            _ => Err(format!("cluster '{name}': {}", refusal::<Cluster>(cx))),
        }
    }

    fn set_listener(&self, bytes: &[u8]) -> Result<(), String> {
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let proto = Listener::decode(bytes).map_err(|error| error.to_string())?;
        let name = proto.name.clone();
        let packed = Packed::new::<Listener>(Bytes::copy_from_slice(bytes));
        let outcome = self
            .listeners
            .add_packed(&mut cx, proto, packed, Origin::Static);
        match outcome {
            Ok(_) if cx.is_clean() => Ok(()),
            _ => Err(format!("listener '{name}': {}", refusal::<Listener>(cx))),
        }
    }
}
