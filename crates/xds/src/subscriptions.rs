//! Who wants which resources from where.

use crate::config_source::{ApiSource, ConfigSource};
use crate::mux::{GrpcMux, Watch};
use crate::path_subscription::PathSubscription;
use crate::rejection::Rejection;
use crate::resource::{Resource, ResourceType};
use crate::resource_states::ResourceStates;
use crate::rest::RestSubscription;
use crate::stats::SubscriptionStats;
use crate::warned::Warned;
use nuncio_extension::ServerEnv;
use nuncio_proto::UnknownFields;
use nuncio_proto::envoy::config::core::v3::Node;
use nuncio_proto::load::Options;
use nuncio_stats::Scope;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Why nothing can be subscribed to over a stream that is not configured.
pub const NO_ADS: &str = "ADS must be configured to support an ADS config source";

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
    /// The stream ended; it is opened again.
    Connection,
    /// Nothing came for too long.
    TimedOut,
}

/// Told what came. Lives on main; who subscribes holds it, the subscription does not.
pub trait SubscriptionCallbacks {
    /// Takes an update over as a whole.
    ///
    /// # Errors
    /// Why it is refused, in Envoy's words; what was there before goes on.
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection>;

    /// Nothing came, or what came was refused.
    fn on_failure(&self, failure: &UpdateFailure);
}

/// What is subscribed to.
pub struct SubscriptionRequest<'a> {
    /// Where from.
    pub source: &'a ConfigSource,
    /// The type of the resources.
    pub kind: ResourceType,
    /// The name of the one that is wanted, or of the route table whose virtual hosts are; none for
    /// all.
    pub name: Option<&'a str>,
    /// Below which stats are.
    pub scope: &'a Scope,
}

/// A subscription, until it is dropped.
pub struct Subscription(Kind);

enum Kind {
    Path(Rc<PathSubscription>),
    Rest(Rc<RestSubscription>),
    Stream(Watch, Weak<ServerEnv>),
    /// Nothing is going to run.
    Never,
}

impl Subscription {
    /// Begins. The first update may come before this returns.
    pub fn start(&self) {
        match &self.0 {
            Kind::Path(subscription) => subscription.start(),
            Kind::Rest(subscription) => subscription.start(),
            Kind::Stream(watch, env) => {
                let env = env.upgrade();
                if let Some(main) = env.as_ref().and_then(|env| env.main()) {
                    watch.start(main);
                }
            }
            Kind::Never => {}
        }
    }
}

/// Makes subscriptions; one for the process.
pub struct Subscriptions {
    env: Weak<ServerEnv>,
    unknown: Cell<UnknownFields>,
    node: RefCell<Node>,
    ads: RefCell<Option<Rc<GrpcMux>>>,
    /// Whether anything came since somebody asked.
    updated: Cell<bool>,
    states: ResourceStates,
    warned: Warned,
}

impl Subscriptions {
    /// The process's subscriptions.
    pub fn of(env: &Rc<ServerEnv>) -> Rc<Self> {
        env.shared(|| Self {
            env: Rc::downgrade(env),
            unknown: Cell::new(UnknownFields::Warn),
            node: RefCell::default(),
            ads: RefCell::default(),
            updated: Cell::new(false),
            states: ResourceStates::default(),
            warned: Warned::default(),
        })
    }

    /// Says what fields are that a resource's message does not have.
    pub fn set_unknown_fields(&self, unknown: UnknownFields) {
        self.unknown.set(unknown);
    }

    /// Says who asks.
    pub fn set_node(&self, node: Node) {
        *self.node.borrow_mut() = node;
    }

    /// Who asks.
    pub fn node(&self) -> Node {
        self.node.borrow().clone()
    }

    /// How far each resource is.
    pub fn states(&self) -> &ResourceStates {
        &self.states
    }

    /// Says where the stream for all types leads.
    pub fn set_ads(self: &Rc<Self>, env: &ServerEnv, source: &Arc<ApiSource>) {
        let mux = GrpcMux::new(self, source, None, &env.scope());
        *self.ads.borrow_mut() = Some(mux);
    }

    /// Whether the stream for all types brings resources one by one; none where there is no such
    /// stream.
    pub fn ads_is_delta(&self) -> Option<bool> {
        self.ads.borrow().as_ref().map(|ads| ads.is_delta())
    }

    /// Whether a server is going to run that has no stream for all types.
    pub fn lacks_ads(&self) -> bool {
        let runs = self.env().is_some_and(|env| env.main().is_some());
        runs && self.ads.borrow().is_none()
    }

    /// Whether anything came since this was asked last.
    pub fn take_updated(&self) -> bool {
        self.updated.take()
    }

    /// How resources are loaded that have come.
    pub(crate) fn options(&self) -> Options {
        self.updated.set(true);
        Options {
            unknown: self.unknown.get(),
            ..Options::default()
        }
    }

    /// Logs and counts what was found in resources.
    pub(crate) fn warn(&self, warnings: &[String]) {
        if let Some(env) = self.env().filter(|_| !warnings.is_empty()) {
            self.warned.warn(&env.scope(), warnings);
        }
    }

    /// The environment; none when the server is gone.
    pub(crate) fn env(&self) -> Option<Rc<ServerEnv>> {
        self.env.upgrade()
    }

    /// Makes a subscription, which begins when it is started.
    ///
    /// # Errors
    /// A file that can't be watched; the stream for all types where there is none.
    pub fn subscribe(
        self: &Rc<Self>,
        request: &SubscriptionRequest<'_>,
        callbacks: Weak<dyn SubscriptionCallbacks>,
    ) -> Result<Subscription, String> {
        let stats = SubscriptionStats::new(request.scope);
        let (kind, name) = (request.kind, request.name);
        let (mux, timeout) = match request.source {
            ConfigSource::Path(source) => {
                let made = PathSubscription::new(self, source, (kind, name), stats, callbacks)?;
                return Ok(Subscription(Kind::Path(made)));
            }
            ConfigSource::Rest(source, timeout) => {
                let source = (source, *timeout);
                let made = RestSubscription::new(self, source, (kind, name), stats, callbacks);
                return Ok(Subscription(Kind::Rest(made)));
            }
            ConfigSource::Ads(timeout) => (self.ads.borrow().clone(), *timeout),
            ConfigSource::Api(source, timeout) => {
                let mux = GrpcMux::new(self, source, Some(kind), request.scope);
                (Some(mux), *timeout)
            }
        };
        let Some(mux) = mux else {
            if self.lacks_ads() {
                return Err(NO_ADS.to_owned());
            }
            return Ok(Subscription(Kind::Never));
        };
        let watch = Watch::new(&mux, kind, name, stats, callbacks, timeout);
        Ok(Subscription(Kind::Stream(watch, self.env.clone())))
    }
}
