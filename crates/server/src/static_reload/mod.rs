//! The configuration file once more, while the server serves (`--reload-static-config`). Clusters
//! and listeners that changed come the way they do from a control plane: clusters warm beside those
//! they replace, listeners keep their sockets, chains that stay keep their connections, what goes
//! drains. A file with mistakes changes nothing. What else a bootstrap holds is there from the
//! start: that it changed is said.
//!
//! Nothing waits for a reload: what it brings warms, and the next one goes by what there is then.

mod changes;
mod file_version;
mod take_over;

pub use file_version::FileVersion;

use crate::bootstrap_loader;
use crate::server::Server;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::options::ReloadStatic;
use nuncio_base::time::{millis, since_epoch, wall};
use nuncio_stats::{SharedCounter, SharedGauge, Store};
use nuncio_xds::{FileWatch, FileWatcher};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use take_over::Outcome;

/// `server.static_config.`
struct Stats {
    update_attempt: SharedCounter,
    update_success: SharedCounter,
    update_rejected: SharedCounter,
    update_time: SharedGauge,
}

/// What reads the file again.
pub struct StaticReload {
    stats: Stats,
    /// Whether the server has started, so that there is something to change.
    started: Cell<bool>,
    /// Somebody asked before that.
    asked: Cell<bool>,
    /// How many files were taken over, which tells the last one from those before it.
    number: Cell<u64>,
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
            started: Cell::new(false),
            asked: Cell::new(false),
            number: Cell::new(0),
            watch: RefCell::default(),
        })
    }
}

/// The server has started with the file in this version: it is watched, where that is asked for,
/// and read again if somebody asked meanwhile.
///
/// # Errors
/// A directory that can't be watched.
pub fn start(server: &Rc<Server>, version: &FileVersion) -> Result<(), String> {
    let Some(reload) = &server.reload else {
        return Ok(());
    };
    reload.started.set(true);
    let mut due = reload.asked.take();
    if server.options.reload_static == ReloadStatic::Change {
        watch(server, reload)?;
        due |= FileVersion::of(&server.options) != *version;
    }
    if due {
        begin(server);
    }
    Ok(())
}

fn watch(server: &Rc<Server>, reload: &StaticReload) -> Result<(), String> {
    let path = Path::new(&server.options.config_path);
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

/// Reads the file and takes over what changed; once the server has started, where it has not.
pub fn begin(server: &Rc<Server>) {
    let Some(reload) = &server.reload else {
        return;
    };
    if !reload.started.get() {
        reload.asked.set(true);
        log!(
            logger::CONFIG,
            Level::Info,
            "the configuration is read again once the server has started"
        );
        return;
    }
    let stats = &reload.stats;
    stats.update_attempt.inc();
    let name = bootstrap_loader::name(&server.options);
    match server.reload_static() {
        Outcome::Done => {
            stats.update_success.inc();
            stats.update_time.set(millis(since_epoch(wall())));
        }
        Outcome::Partly(failures) => {
            stats.update_rejected.inc();
            for failure in failures {
                log!(
                    logger::CONFIG,
                    Level::Error,
                    "'{name}' is reloaded but for {failure}; the next reload tries again"
                );
            }
        }
        Outcome::Refused(errors) => {
            stats.update_rejected.inc();
            log!(
                logger::CONFIG,
                Level::Error,
                "'{name}' is not reloaded, what was there before goes on: {errors}"
            );
        }
    }
}
