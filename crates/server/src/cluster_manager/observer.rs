//! What the manager is told of each cluster's hosts.

use super::ClusterManager;
use nuncio_upstream::Host;
use nuncio_upstream::discovery::members::MembersObserver;
use nuncio_upstream::outlier::OutlierEvent;
use nuncio_upstream::priority::{HostsChange, PrioritySet};
use std::rc::Weak;
use std::sync::Arc;

/// Passes on what a cluster's members tell.
pub(super) struct Observer {
    pub manager: Weak<ClusterManager>,
    pub name: Arc<str>,
    pub number: u64,
}

impl MembersObserver for Observer {
    fn on_change(&self, hosts: &Arc<PrioritySet>, change: HostsChange) {
        if let Some(manager) = self.manager.upgrade() {
            manager.update(&self.name, self.number, hosts, change);
        }
    }

    fn on_host_failure(&self, host: &Arc<Host>) {
        if let Some(manager) = self.manager.upgrade() {
            manager.host_failed(&self.name, self.number, host.id());
        }
    }

    fn on_outlier(&self, event: &OutlierEvent) {
        let manager = self.manager.upgrade();
        if let Some(manager) = manager
            && let Some(log) = manager.outlier_log.get()
        {
            log.log(&manager.worker, event);
        }
    }

    fn on_ready(&self) {
        if let Some(manager) = self.manager.upgrade() {
            manager.has_hosts(&self.name, self.number);
        }
    }
}
