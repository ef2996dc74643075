//! One subscription of a stream: all resources of a type, or one of them by its name.

use super::GrpcMux;
use crate::rejection::Rejection;
use crate::resource::{Resource, ResourceType, is_in};
use crate::source_states::SourceStates;
use crate::stats::SubscriptionStats;
use crate::subscriptions::{SubscriptionCallbacks, Update, UpdateFailure};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time::wall;
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// What the stream knows of a subscription.
pub struct WatchState {
    kind: ResourceType,
    name: Option<String>,
    stats: SubscriptionStats,
    states: Rc<SourceStates>,
    callbacks: Weak<dyn SubscriptionCallbacks>,
    begun: Cell<bool>,
    /// Something came, if only a refusal.
    answered: Cell<bool>,
}

impl WatchState {
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// The name that is asked for.
    pub fn name(&self) -> Option<&str> {
        let name = self.name.as_deref();
        name.filter(|_| !self.kind.is_by_namespace())
    }

    /// Whether it wants all resources, whatever their names.
    pub fn wants_all(&self) -> bool {
        self.name.is_none()
    }

    /// Whether it wants a resource of this name, where it wants none but such.
    pub fn wants(&self, name: &str) -> bool {
        match &self.name {
            Some(namespace) if self.kind.is_by_namespace() => is_in(namespace, name),
            Some(own) => own == name,
            None => false,
        }
    }

    /// Hands over what of a response concerns it, unless it has ended meanwhile.
    pub fn offer(&self, update: &Update<'_>) -> Result<(), Rejection> {
        if !self.begun.get() {
            return Ok(());
        }
        if !self.kind.is_by_namespace() {
            return self.take(update);
        }
        let own = update.resources.iter();
        let own: Vec<_> = own.filter(|it| self.wants(&it.name)).cloned().collect();
        let removed = update.removed.unwrap_or_default().iter();
        let removed: Vec<_> = removed.filter(|name| self.wants(name)).cloned().collect();
        self.take(&Update {
            resources: &own,
            removed: Some(&removed),
            version: update.version,
        })
    }

    fn take(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(callbacks) = self.callbacks.upgrade() else {
            return Ok(());
        };
        let outcome = callbacks.on_update(update);
        self.states.note(self.name(), update, &outcome, wall());
        outcome?;
        self.answered.set(true);
        self.stats.update_attempt.inc();
        self.stats.accepted(update.version, wall());
        Ok(())
    }

    /// What came was refused, or nothing came.
    pub fn failed(&self, failure: &UpdateFailure) {
        self.stats.update_attempt.inc();
        match failure {
            UpdateFailure::Rejected(_) => {
                self.answered.set(true);
                self.stats.update_rejected.inc();
            }
            UpdateFailure::Connection => {
                self.stats.update_failure.inc();
                // The stream is tried again, until the first fetch takes too long.
                return;
            }
            UpdateFailure::TimedOut => self.stats.init_fetch_timeout.inc(),
        }
        if let Some(callbacks) = self.callbacks.upgrade() {
            callbacks.on_failure(failure);
        }
    }
}

/// A subscription over a stream, until it is dropped.
pub struct Watch {
    mux: Rc<GrpcMux>,
    state: Rc<WatchState>,
    timeout: Duration,
}

impl Watch {
    /// A subscription that begins when it is started; its first answer may take `timeout`, zero for
    /// any time.
    pub fn new(
        mux: &Rc<GrpcMux>,
        kind: ResourceType,
        name: Option<&str>,
        stats: SubscriptionStats,
        callbacks: Weak<dyn SubscriptionCallbacks>,
        timeout: Duration,
    ) -> Self {
        let state = Rc::new(WatchState {
            kind,
            name: name.map(str::to_owned),
            stats,
            states: mux.states(kind),
            callbacks,
            begun: Cell::new(false),
            answered: Cell::new(false),
        });
        Self {
            mux: Rc::clone(mux),
            state,
            timeout,
        }
    }

    /// Begins.
    pub fn start(&self, main: &Rc<Worker>) {
        if self.state.begun.replace(true) {
            return;
        }
        self.state.stats.update_attempt.inc();
        if let Some(name) = self.state.name() {
            self.state.states.ask(name);
        }
        let known = self.mux.known(&self.state);
        self.mux.begin(&self.state);
        self.mux.run();
        if let Some(known) = known {
            self.begin_with(&known);
        }
        if self.timeout.is_zero() {
            return;
        }
        let state = Rc::downgrade(&self.state);
        let (worker, until) = (Rc::clone(main), main.now() + self.timeout);
        main.spawn(async move {
            sleep_until(&worker, until).await;
            if let Some(state) = state.upgrade().filter(|state| !state.answered.get()) {
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "gRPC config: initial fetch timed out for {}",
                    state.kind.type_url()
                );
                state.failed(&UpdateFailure::TimedOut);
            }
        });
    }
}

impl Watch {
    /// Takes over what others were given.
    fn begin_with(&self, known: &[Resource]) {
        let update = Update {
            resources: known,
            removed: None,
            version: known.first().map_or("", |resource| &resource.version),
        };
        if let Err(rejection) = self.state.take(&update) {
            self.state
                .failed(&UpdateFailure::Rejected(rejection.reason));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.state.begun.replace(false) {
            self.mux.end(&self.state);
            if let Some(name) = self.state.name() {
                self.state.states.unask(name);
            }
        }
    }
}
