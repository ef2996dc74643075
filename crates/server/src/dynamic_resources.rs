//! What `dynamic_resources` asks for: the subscriptions for clusters and listeners.

use crate::cds::ClusterDiscovery;
use crate::cluster_manager::ClusterManager;
use crate::lds::ListenerDiscovery;
use crate::listener_manager::ListenerManager;
use crate::rtds::RuntimeDiscovery;
use crate::runtime_loader;
use crate::runtime_loader::{DiskWatches, LayerKind, LayerSpec, RuntimeLoader};
use nuncio_config::dynamic_resources::DynamicSources;
use nuncio_extension::{InitTargets, ServerEnv};
use nuncio_xds::{ConfigSource, Subscriptions};
use std::cell::RefCell;
use std::rc::Rc;

/// A runtime layer's place, the name of its resource, and where that comes from.
pub type RuntimeSource = (usize, String, ConfigSource);

/// The runtime layers that come from elsewhere.
pub fn runtime_layers(layers: &[LayerSpec]) -> Vec<RuntimeSource> {
    let layers = layers.iter().enumerate();
    let subscribed = layers.filter_map(|(at, layer)| match &layer.kind {
        LayerKind::Rtds { name, source } => Some((at, name.clone(), source.clone())),
        LayerKind::Static(_) | LayerKind::Admin | LayerKind::Disk(_) => None,
    });
    subscribed.collect()
}

/// The subscriptions, where they are configured.
#[derive(Default)]
pub struct DynamicResources {
    /// Clusters.
    pub cds: Option<Rc<ClusterDiscovery>>,
    /// Listeners.
    pub lds: Option<Rc<ListenerDiscovery>>,
    /// Runtime layers.
    rtds: Vec<Rc<RuntimeDiscovery>>,
    /// What disk layers watch.
    disks: DiskWatches,
}

impl DynamicResources {
    /// Makes the subscriptions; nothing begins.
    ///
    /// # Errors
    /// A file that can't be watched.
    pub fn new(
        env: &Rc<ServerEnv>,
        sources: &DynamicSources,
        clusters: &Rc<ClusterManager>,
        listeners: &Rc<ListenerManager>,
    ) -> Result<Self, String> {
        if let Some(ads) = &sources.ads {
            Subscriptions::of(env).set_ads(env, ads);
        }
        let cds = sources.cds.as_ref();
        let lds = sources.lds.as_ref();
        let resources = Self {
            cds: cds
                .map(|source| ClusterDiscovery::new(env, clusters, source))
                .transpose()?,
            lds: lds
                .map(|source| ListenerDiscovery::new(env, listeners, source))
                .transpose()?,
            rtds: Vec::new(),
            disks: Vec::new(),
        };
        if let Some(lds) = &resources.lds {
            let mut targets = InitTargets::default();
            targets.add(lds.target());
            listeners.add_init_targets(&targets);
        }
        Ok(resources)
    }

    /// Adds the subscriptions of runtime layers, and what disk layers watch.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_runtime(
        mut self,
        env: &Rc<ServerEnv>,
        runtime: &Rc<RefCell<RuntimeLoader>>,
        layers: &[RuntimeSource],
    ) -> Result<Self, String> {
        for (at, name, source) in layers {
            let layer = RuntimeDiscovery::new(env, runtime, *at, name, source)?;
            self.rtds.push(layer);
        }
        if let Some(main) = env.main() {
            self.disks = runtime_loader::watch(runtime, main)?;
        }
        Ok(self)
    }

    /// Resolves once the clusters that the control plane has are there and warm, or it does not
    /// answer.
    pub async fn clusters_ready(&self, clusters: &ClusterManager) {
        for layer in &self.rtds {
            layer.target().initialize();
            layer.target().wait().await;
        }
        if let Some(cds) = &self.cds {
            cds.target().initialize();
            cds.target().wait().await;
        }
        clusters.warmed().await;
    }

    /// Resolves once listeners are there, and what they need.
    pub async fn listeners_ready(&self, listeners: &ListenerManager) {
        loop {
            // What is waited for may add to it.
            let targets = listeners.init_targets();
            targets.initialize();
            targets.wait().await;
            if listeners.init_targets().are_ready() {
                return;
            }
        }
    }
}
