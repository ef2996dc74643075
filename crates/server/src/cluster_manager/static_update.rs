//! The static clusters of a file that is read again.

use super::{Cluster, ClusterManager};
use nuncio_proto::Packed;
use std::collections::BTreeMap;
use std::rc::Rc;

fn is_static(cluster: &Rc<Cluster>) -> bool {
    cluster.source.version_info.is_none()
}

impl ClusterManager {
    /// The configurations of static clusters by name: of one that is warming, that which is to
    /// come.
    pub fn static_configs(&self) -> BTreeMap<String, Packed> {
        let (active, warming) = (self.active.borrow(), self.warming.borrow());
        let all = active.iter().chain(warming.iter());
        all.filter(|(_, cluster)| is_static(cluster))
            .map(|(name, cluster)| (name.to_string(), cluster.source.config.clone()))
            .collect()
    }

    /// Removes a static cluster; whether there was one.
    pub fn remove_static(&self, name: &str) -> bool {
        self.newest(name).as_ref().is_some_and(is_static) && self.remove_any(name)
    }

    /// The names of the static clusters that are warming.
    pub fn static_warming(&self) -> Vec<String> {
        let warming = self.warming.borrow();
        let of_file = warming.iter().filter(|(_, cluster)| is_static(cluster));
        of_file.map(|(name, _)| name.to_string()).collect()
    }

    /// Resolves once no static cluster is warming.
    pub async fn static_warmed(&self) {
        self.until(|| self.static_warming().is_empty()).await;
    }
}
