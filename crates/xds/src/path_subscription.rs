//! A subscription to a file (Envoy's `FilesystemSubscriptionImpl`).

use crate::collection;
use crate::config_source::PathSource;
use crate::file_watcher::{FileWatch, FileWatcher};
use crate::resource::ResourceType;
use crate::response::{self, FileError};
use crate::stats::SubscriptionStats;
use crate::subscriptions::{SubscriptionCallbacks, Subscriptions, Update, UpdateFailure};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A file that is read at the start and whenever it is replaced.
pub struct PathSubscription {
    owner: Rc<Subscriptions>,
    source: Arc<PathSource>,
    kind: ResourceType,
    stats: SubscriptionStats,
    callbacks: Weak<dyn SubscriptionCallbacks>,
    started: Cell<bool>,
    watch: OnceCell<FileWatch>,
}

impl PathSubscription {
    /// A subscription that begins to watch at once, and to read when it is started.
    pub fn new(
        owner: &Rc<Subscriptions>,
        source: &Arc<PathSource>,
        kind: ResourceType,
        stats: SubscriptionStats,
        callbacks: Weak<dyn SubscriptionCallbacks>,
    ) -> Result<Rc<Self>, String> {
        let subscription = Rc::new(Self {
            owner: Rc::clone(owner),
            source: Arc::clone(source),
            kind,
            stats,
            callbacks,
            started: Cell::new(false),
            watch: OnceCell::new(),
        });
        subscription.watch()?;
        Ok(subscription)
    }

    /// Where there is no main worker nothing will be started either.
    fn watch(self: &Rc<Self>) -> Result<(), String> {
        let env = self.owner.env();
        let Some(main) = env.as_ref().and_then(|env| env.main()) else {
            return Ok(());
        };
        let watcher = FileWatcher::of(main).map_err(|error| error.to_string())?;
        let own = Rc::downgrade(self);
        let refresh = move || {
            if let Some(own) = own.upgrade().filter(|own| own.started.get()) {
                own.refresh();
            }
        };
        let watch = match &self.source.watched_directory {
            None => watcher.watch_file(&self.source.path, refresh)?,
            Some(directory) => watcher.watch_directory(directory, refresh)?,
        };
        // It is set here alone.
        let _ = self.watch.set(watch);
        Ok(())
    }

    /// Reads the file for the first time.
    pub fn start(&self) {
        if !self.started.replace(true) {
            self.refresh();
        }
    }

    fn refresh(&self) {
        let Some(callbacks) = self.callbacks.upgrade() else {
            return;
        };
        self.stats.update_attempt.inc();
        let options = self.owner.options();
        let read = match self.source.is_collection {
            true => collection::read(&self.source.path, self.kind, &options),
            false => response::read(&self.source.path, self.kind, &options),
        };
        let outcome = read.and_then(|response| {
            let update = Update {
                resources: &response.resources,
                removed: None,
                version: &response.version,
            };
            let accepted = callbacks.on_update(&update);
            let now = nuncio_base::time::wall();
            self.owner.states().note(self.kind, &update, &accepted, now);
            accepted.map_err(FileError::Refused)?;
            Ok(response.version)
        });
        let reason = match outcome {
            Ok(version) => {
                self.stats.accepted(&version, nuncio_base::time::wall());
                return;
            }
            Err(FileError::Refused(reason)) => {
                self.stats.update_rejected.inc();
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "Filesystem config update rejected: {reason}"
                );
                reason
            }
            Err(FileError::Unreadable(reason)) => {
                self.stats.update_failure.inc();
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "Filesystem config update failure: {reason}"
                );
                reason
            }
        };
        callbacks.on_failure(&UpdateFailure::Rejected(reason));
    }
}
