//! Runtime flags that change what clusters are configured with: circuit breakers, maintenance mode.

use super::{Cluster, ClusterManager};
use crate::runtime_loader::RuntimeLoader;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_upstream::Priority;
use nuncio_upstream::resource::LocalResources;
use std::rc::Rc;

/// Flags of clusters begin with these.
const PREFIXES: [&str; 2] = ["circuit_breakers.", "upstream.maintenance_mode."];

impl ClusterManager {
    /// Takes over the flags, and each change of them.
    pub fn follow_runtime(self: &Rc<Self>, runtime: &mut RuntimeLoader) {
        let manager = Rc::downgrade(self);
        runtime.observe(move |flags| {
            if let Some(manager) = manager.upgrade() {
                manager.apply_runtime(flags);
            }
        });
    }

    fn apply_runtime(&self, flags: &RuntimeFlags) {
        let says = PREFIXES.iter().any(|prefix| flags.has_prefix(prefix));
        let new = says.then(|| flags.clone());
        let old = std::mem::replace(&mut *self.flags.borrow_mut(), new);
        if !says && old.is_none() {
            return;
        }
        for clusters in [&self.active, &self.warming] {
            for cluster in clusters.borrow().values() {
                apply(cluster, flags);
            }
        }
    }

    /// A cluster is new.
    pub(super) fn apply_runtime_to(&self, cluster: &Cluster) {
        if let Some(flags) = &*self.flags.borrow() {
            apply(cluster, flags);
        }
    }
}

fn apply(cluster: &Cluster, flags: &RuntimeFlags) {
    let info = &cluster.info;
    let make = || Priority::ALL.map(|priority| LocalResources::new(info.resources(priority)));
    info.apply_runtime(cluster.resources.get_or_init(make), flags);
}
