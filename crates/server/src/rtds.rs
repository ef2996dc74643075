//! RTDS: a runtime layer from a control plane or a file (`rtds_layer`).

use crate::runtime_loader::{RuntimeLoader, entries};
use nuncio_extension::{InitTarget, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::envoy::service::runtime::v3::Runtime;
use nuncio_xds::{
    ConfigSource, InitialFetch, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::RefCell;
use std::rc::Rc;

/// A layer's subscription.
pub struct RuntimeDiscovery {
    runtime: Rc<RefCell<RuntimeLoader>>,
    /// The layer's place among the layers.
    layer: usize,
    /// The resource's name.
    name: String,
    fetch: InitialFetch,
}

impl RuntimeDiscovery {
    /// A subscription that begins with its target.
    ///
    /// # Errors
    /// A file that can't be watched.
    pub fn new(
        env: &Rc<ServerEnv>,
        runtime: &Rc<RefCell<RuntimeLoader>>,
        layer: usize,
        name: &str,
        source: &ConfigSource,
    ) -> Result<Rc<Self>, String> {
        let discovery = Rc::new(Self {
            runtime: Rc::clone(runtime),
            layer,
            name: name.to_owned(),
            fetch: InitialFetch::new(format!("RTDS {name}")),
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = discovery.clone();
        let request = SubscriptionRequest {
            source,
            kind: ResourceType::Runtime,
            name: Some(name),
            scope: &env.store.scope("runtime"),
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
}

impl SubscriptionCallbacks for RuntimeDiscovery {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let removed = update.removed.map_or(0, <[_]>::len);
        let [resource] = update.resources else {
            return Err(format!(
                "Unexpected RTDS resource length, number of added resources {}, number of removed \
                 resources {removed}",
                update.resources.len()
            )
            .into());
        };
        if resource.name != self.name {
            return Err(format!(
                "Unexpected RTDS runtime (expecting {}): {}",
                self.name, resource.name
            )
            .into());
        }
        let proto = Runtime::decode(resource.body.value.as_slice());
        let proto = proto.map_err(|error| error.to_string())?;
        let entries = entries(&proto.layer.unwrap_or_default())?;
        self.runtime.borrow_mut().set_layer(self.layer, entries);
        self.fetch.ready();
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}
