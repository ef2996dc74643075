//! LDS: listeners from a control plane or a file (`dynamic_resources.lds_config`).

use crate::listener_manager::{ListenerManager, Origin};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_config::eds::refusal;
use nuncio_extension::{InitTarget, ParseCx, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::google::protobuf::Any;
use nuncio_xds::{
    ConfigSource, InitialFetch, Rejection, Resource, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::{Rc, Weak};
use std::time::SystemTime;

/// A listener that was refused, for `config_dump`; until the next update.
#[derive(Clone, Debug)]
pub struct RefusedListener {
    /// Its name.
    pub name: String,
    /// The configuration as it came.
    pub config: Any,
    /// When it was refused.
    pub at: SystemTime,
    /// Why it was refused.
    pub reason: String,
}

/// The listeners' subscription.
pub struct ListenerDiscovery {
    env: Weak<ServerEnv>,
    listeners: Rc<ListenerManager>,
    fetch: InitialFetch,
    version: RefCell<String>,
    refused: RefCell<Vec<RefusedListener>>,
}

impl ListenerDiscovery {
    /// A subscription that begins with its target.
    ///
    /// # Errors
    /// A file that can't be watched.
    pub fn new(
        env: &Rc<ServerEnv>,
        listeners: &Rc<ListenerManager>,
        source: &ConfigSource,
    ) -> Result<Rc<Self>, String> {
        let scope = env.store.scope("listener_manager.lds");
        let discovery = Rc::new(Self {
            env: Rc::downgrade(env),
            listeners: Rc::clone(listeners),
            fetch: InitialFetch::new("LDS"),
            version: RefCell::default(),
            refused: RefCell::default(),
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = discovery.clone();
        let request = SubscriptionRequest {
            source,
            kind: ResourceType::Listener,
            name: None,
            scope: &scope,
        };
        let subscriptions = Subscriptions::of(env);
        let subscription = subscriptions.subscribe(&request, Rc::downgrade(&callbacks))?;
        discovery.fetch.hold(subscription);
        Ok(discovery)
    }

    /// What is ready with the first update.
    pub fn target(&self) -> &Rc<InitTarget> {
        self.fetch.target()
    }

    /// The version of the last update of which anything was taken over.
    pub fn version(&self) -> String {
        self.version.borrow().clone()
    }

    /// The listeners of the last update that were refused.
    pub fn refused(&self) -> Vec<RefusedListener> {
        self.refused.borrow().clone()
    }

    /// Adds or changes a listener; whether anything changed.
    fn set(&self, env: &Rc<ServerEnv>, resource: &Resource) -> Result<bool, String> {
        let proto = Listener::decode(resource.body.value.as_slice());
        let proto = proto.map_err(|error| error.to_string())?;
        let mut cx = ParseCx::new(Rc::clone(env));
        let version = resource.version.clone();
        let origin = Origin::Dynamic { version };
        let outcome = self.listeners.add_or_update(&mut cx, proto, origin);
        match outcome {
            Ok(changed) if cx.is_clean() => Ok(changed),
            _ => Err(refusal::<Listener>(cx)),
        }
    }

    /// The names to remove: of those that came from here and are not among the resources.
    fn gone(&self, update: &Update<'_>) -> Vec<String> {
        if let Some(removed) = update.removed {
            return removed.to_vec();
        }
        let resources = update.resources.iter();
        let kept: HashSet<_> = resources.map(|resource| resource.name.as_str()).collect();
        let mut names = self.listeners.dynamic_names();
        names.retain(|name| !kept.contains(name.as_str()));
        names.dedup();
        names
    }

    fn refuse(&self, resource: &Resource, reason: String) {
        let name = &resource.name;
        log!(
            logger::UPSTREAM,
            Level::Warning,
            "lds: listener '{name}' config rejected: {reason}"
        );
        self.refused.borrow_mut().push(RefusedListener {
            name: name.clone(),
            config: resource.body.clone(),
            at: nuncio_base::time::wall(),
            reason,
        });
    }
}

impl SubscriptionCallbacks for ListenerDiscovery {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        self.refused.borrow_mut().clear();
        let mut changed = false;
        // First what goes, so that its address is free for what comes.
        for name in self.gone(update) {
            if self.listeners.remove(&name) {
                log!(
                    logger::UPSTREAM,
                    Level::Info,
                    "lds: remove listener '{name}'"
                );
                changed = true;
            }
        }
        let mut names = HashSet::new();
        for resource in update.resources {
            let name = &resource.name;
            let outcome = if names.insert(name.as_str()) {
                self.set(&env, resource)
            } else {
                Err(format!("duplicate listener {name} found"))
            };
            match outcome {
                Ok(true) => {
                    log!(
                        logger::UPSTREAM,
                        Level::Info,
                        "lds: add/update listener '{name}'"
                    );
                    changed = true;
                }
                Ok(false) => {}
                Err(reason) => self.refuse(resource, reason),
            }
        }
        if changed {
            update.version.clone_into(&mut self.version.borrow_mut());
        }
        self.fetch.ready();
        let refused = self.refused.borrow();
        if refused.is_empty() {
            return Ok(());
        }
        let reasons = refused.iter();
        let reasons = reasons.map(|refused| format!("{}: {}\n", refused.name, refused.reason));
        let reasons: String = reasons.collect();
        let named = refused.iter();
        Err(Rejection {
            reason: format!("Error adding/updating listener(s) {reasons}"),
            resources: named
                .map(|refused| (refused.name.clone(), refused.reason.clone()))
                .collect(),
        })
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}
