//! A subscription to a file (Envoy's `FilesystemSubscriptionImpl`).

use crate::collection;
use crate::config_source::PathSource;
use crate::file_watcher::{FileWatch, FileWatcher};
use crate::own_states::OwnStates;
use crate::rejection::Rejection;
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
    states: OwnStates,
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
        (kind, name): (ResourceType, Option<&str>),
        stats: SubscriptionStats,
        callbacks: Weak<dyn SubscriptionCallbacks>,
    ) -> Result<Rc<Self>, String> {
        let subscription = Rc::new(Self {
            owner: Rc::clone(owner),
            source: Arc::clone(source),
            kind,
            states: OwnStates::new(owner, kind, name),
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
            self.states.begin();
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
        let outcome = read.map(|response| {
            self.owner.warn(&response.warnings);
            let update = Update {
                resources: &response.resources,
                removed: None,
                version: &response.version,
            };
            let outcome = callbacks.on_update(&update);
            self.states.note(&update, &outcome);
            (response.version, outcome)
        });
        let reason = match outcome {
            Ok((version, Ok(()))) => {
                self.stats.accepted(&version, nuncio_base::time::wall());
                return;
            }
            Ok((_, Err(rejection))) => self.reject(rejection),
            Err(FileError::Refused(refused)) => {
                self.states.refuse(&refused);
                self.reject(refused.rejection)
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

    fn reject(&self, Rejection { reason, .. }: Rejection) -> String {
        self.stats.update_rejected.inc();
        log!(
            logger::CONFIG,
            Level::Warning,
            "Filesystem config update rejected: {reason}"
        );
        reason
    }
}
