//! Who wants which resources from where.

use crate::config_source::ConfigSource;
use crate::path_subscription::PathSubscription;
use crate::resource::{Resource, ResourceType};
use crate::stats::SubscriptionStats;
use nuncio_extension::ServerEnv;
use nuncio_proto::UnknownFields;
use nuncio_proto::load::Options;
use nuncio_stats::Scope;
use std::cell::Cell;
use std::rc::{Rc, Weak};

/// What came.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The resources that are new or may have changed.
    pub resources: &'a [Resource],
    /// The names of those that are gone; `None`: all that is not among the resources.
    pub removed: Option<&'a [String]>,
    /// The version of the update.
    pub version: &'a str,
}

/// Why nothing came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpdateFailure {
    /// What came was refused, with the reason.
    Rejected(String),
}

/// Told what came. Lives on main; who subscribes holds it, the subscription does not.
pub trait SubscriptionCallbacks {
    /// Takes an update over as a whole.
    ///
    /// # Errors
    /// Why it is refused, in Envoy's words; what was there before goes on.
    fn on_update(&self, update: &Update<'_>) -> Result<(), String>;

    /// Nothing came, or what came was refused.
    fn on_failure(&self, failure: &UpdateFailure);
}

/// What is subscribed to.
pub struct SubscriptionRequest<'a> {
    /// Where from.
    pub source: &'a ConfigSource,
    /// The type of the resources.
    pub kind: ResourceType,
    /// Below which stats are.
    pub scope: &'a Scope,
}

/// A subscription, until it is dropped.
pub struct Subscription(Rc<PathSubscription>);

impl Subscription {
    /// Begins. The first update may come before this returns.
    pub fn start(&self) {
        self.0.start();
    }
}

/// Makes subscriptions; one for the process.
pub struct Subscriptions {
    env: Weak<ServerEnv>,
    unknown: Cell<UnknownFields>,
}

impl Subscriptions {
    /// The process's subscriptions.
    pub fn of(env: &Rc<ServerEnv>) -> Rc<Self> {
        env.shared(|| Self {
            env: Rc::downgrade(env),
            unknown: Cell::new(UnknownFields::Warn),
        })
    }

    /// Says what fields are that a resource's message does not have.
    pub fn set_unknown_fields(&self, unknown: UnknownFields) {
        self.unknown.set(unknown);
    }

    /// How resources are loaded.
    pub(crate) fn options(&self) -> Options {
        Options {
            unknown: self.unknown.get(),
            ..Options::default()
        }
    }

    /// The environment; none when the server is gone.
    pub(crate) fn env(&self) -> Option<Rc<ServerEnv>> {
        self.env.upgrade()
    }

    /// Makes a subscription, which begins when it is started.
    ///
    /// # Errors
    /// A file that can't be watched.
    pub fn subscribe(
        self: &Rc<Self>,
        request: &SubscriptionRequest<'_>,
        callbacks: Weak<dyn SubscriptionCallbacks>,
    ) -> Result<Subscription, String> {
        let stats = SubscriptionStats::new(request.scope);
        match request.source {
            ConfigSource::Path(source) => {
                let kind = request.kind;
                PathSubscription::new(self, source, kind, stats, callbacks).map(Subscription)
            }
        }
    }
}
