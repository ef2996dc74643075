//! The cluster that this proxy itself belongs to: others are balanced by where its hosts are
//! (Envoy's "Zone aware routing").

use super::{Cluster, ClusterManager};
use nuncio_extension::server_env::NodeInfo;
use nuncio_upstream::discovery::LocalLocality;
use nuncio_upstream::priority::PrioritySet;
use std::rc::Rc;
use std::sync::Arc;

impl ClusterManager {
    /// Says who this proxy is; to be called before there are clusters.
    pub fn belonging(self: Rc<Self>, node: &NodeInfo) -> Rc<Self> {
        if let Some(locality) = &node.locality {
            let locality = LocalLocality(Arc::clone(locality));
            self.worker.services().add(Rc::new(locality));
        }
        if !node.local_cluster.is_empty() {
            let name = self.own.get_or_init(|| Arc::clone(&node.local_cluster));
            let name = Arc::clone(name);
            self.tell(move |clusters| clusters.belongs_to(&name));
        }
        self
    }

    /// Counts that all threads look at zones anew, as the hosts of the cluster `name` changed.
    pub(super) fn count_zones(&self, name: &Arc<str>) {
        let Some(own) = self.own.get() else {
            return;
        };
        let active = self.active.borrow();
        let Some(local) = active.get(own).map(|cluster| cluster.hosts()) else {
            return;
        };
        if own == name {
            let others = active.values().filter(|one| one.info.spec.name != *own);
            others.for_each(|cluster| self.count_zones_of(cluster, &local));
        } else if let Some(cluster) = active.get(name) {
            self.count_zones_of(cluster, &local);
        }
    }

    fn count_zones_of(&self, cluster: &Cluster, local: &PrioritySet) {
        let info = &cluster.info;
        if let Some(zones) = info.spec.lb.zones() {
            let members = &cluster.members;
            let (stats, flags) = (members.lb_stats(), self.worker.flags());
            zones.count((&cluster.hosts(), local), &flags, stats, members.threads());
        }
    }
}
