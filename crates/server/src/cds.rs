//! CDS: clusters from a control plane or a file (`dynamic_resources.cds_config`).

use crate::cluster_manager::{ClusterManager, ClusterSource};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time::{millis, since_epoch, wall};
use nuncio_config::eds::refusal;
use nuncio_extension::{InitTarget, ParseCx, ServerEnv};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::{Message, Packed};
use nuncio_stats::{SharedCounter, SharedGauge};
use nuncio_xds::{
    ConfigSource, InitialFetch, Rejection, Resource, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::{Rc, Weak};

/// The clusters' subscription.
pub struct ClusterDiscovery {
    env: Weak<ServerEnv>,
    clusters: Rc<ClusterManager>,
    config_reload: SharedCounter,
    config_reload_time_ms: SharedGauge,
    fetch: InitialFetch,
    version: RefCell<String>,
}

impl ClusterDiscovery {
    /// A subscription that begins with its target.
    ///
    /// # Errors
    /// A file that can't be watched.
    pub fn new(
        env: &Rc<ServerEnv>,
        clusters: &Rc<ClusterManager>,
        source: &ConfigSource,
    ) -> Result<Rc<Self>, String> {
        let scope = env.store.scope("cluster_manager.cds");
        let discovery = Rc::new(Self {
            env: Rc::downgrade(env),
            clusters: Rc::clone(clusters),
            config_reload: scope.counter("config_reload"),
            config_reload_time_ms: scope.gauge("config_reload_time_ms"),
            fetch: InitialFetch::new("CDS"),
            version: RefCell::default(),
        });
        discovery.config_reload_time_ms.set(0);
        let callbacks: Rc<dyn SubscriptionCallbacks> = discovery.clone();
        let request = SubscriptionRequest {
            source,
            kind: ResourceType::Cluster,
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

    /// Adds or changes a cluster; whether anything changed.
    fn set(&self, env: &Rc<ServerEnv>, resource: &Resource) -> Result<bool, String> {
        if self.clusters.stays(&resource.name, &resource.body.value) {
            return Ok(false);
        }
        let proto = Cluster::decode(resource.body.value.as_slice());
        let proto = proto.map_err(|error| error.to_string())?;
        let mut cx = ParseCx::new(Rc::clone(env));
        let converted = nuncio_config::cluster::cluster(&mut cx, proto);
        let targets = cx.take_init_targets();
        let mut config = match converted {
            Ok(config) if cx.is_clean() => config,
            _ => {
                self.clusters.count_refused(&resource.name);
                return Err(refusal::<Cluster>(cx));
            }
        };
        config.spec.added_via_api = true;
        env.set_cluster(&resource.name, true);
        let source = ClusterSource {
            config: Packed::new::<Cluster>(resource.body.value.clone()),
            version_info: Some(resource.version.clone()),
            last_updated: wall(),
        };
        self.clusters.set(config, source, targets);
        Ok(true)
    }

    fn remove(&self, env: &ServerEnv, name: &str) -> bool {
        let removed = self.clusters.remove(name);
        if removed {
            env.set_cluster(name, false);
            log!(
                logger::UPSTREAM,
                Level::Debug,
                "cds: remove cluster '{name}'"
            );
        }
        removed
    }

    /// The names to remove: of those that came from here and are not among the resources.
    fn gone(&self, update: &Update<'_>) -> Vec<String> {
        if let Some(removed) = update.removed {
            return removed.to_vec();
        }
        let resources = update.resources.iter();
        let kept: HashSet<_> = resources.map(|resource| resource.name.as_str()).collect();
        let mut names = self.clusters.dynamic_names();
        names.retain(|name| !kept.contains(name.as_str()));
        names
    }
}

impl SubscriptionCallbacks for ClusterDiscovery {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        let gone = self.gone(update);
        let count = update.resources.len();
        log!(
            logger::UPSTREAM,
            Level::Info,
            "cds: response indicates {count} added/updated cluster(s), {} removed cluster(s); \
             applying changes",
            gone.len()
        );
        let (mut changed, mut skipped) = (0, 0);
        let mut refused = Vec::new();
        let mut names = HashSet::new();
        for resource in update.resources {
            let name = &resource.name;
            let outcome = if names.insert(name.as_str()) {
                self.set(&env, resource)
            } else {
                Err(format!("duplicate cluster {name} found"))
            };
            match outcome {
                Ok(true) => changed += 1,
                Ok(false) => skipped += 1,
                Err(reason) => {
                    log!(
                        logger::UPSTREAM,
                        Level::Warning,
                        "cds: cluster '{name}' config rejected: {reason}"
                    );
                    refused.push((name.clone(), reason));
                }
            }
        }
        let removed = gone.iter().filter(|name| self.remove(&env, name)).count();
        log!(
            logger::UPSTREAM,
            Level::Info,
            "cds: added/updated {changed} cluster(s) (skipped {skipped} unmodified cluster(s)); \
             removed {removed} cluster(s)"
        );
        if changed + removed > 0 {
            update.version.clone_into(&mut self.version.borrow_mut());
        }
        self.fetch.ready();
        if !refused.is_empty() {
            let reasons = refused.iter();
            let reasons = reasons.map(|(name, reason)| format!("{name}: {reason}"));
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            return Err(Rejection {
                reason: format!("Error adding/updating cluster(s) {reasons}"),
                resources: refused,
            });
        }
        // Counted is what brought something, and was taken over as a whole.
        if changed > 0 {
            self.config_reload.inc();
            let now = millis(since_epoch(wall()));
            self.config_reload_time_ms.set(now);
        }
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}
