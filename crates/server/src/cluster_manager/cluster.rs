//! One cluster as the manager keeps it.

use super::update_merge::UpdateMerge;
use nuncio_extension::InitTargets;
use nuncio_proto::Packed;
use nuncio_upstream::cluster::ClusterInfo;
use nuncio_upstream::discovery::{Discovery, Members};
use nuncio_upstream::priority::PrioritySet;
use nuncio_upstream::resource::LocalResources;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

/// Where a cluster's configuration came from, for `config_dump`.
#[derive(Clone, Debug)]
pub struct ClusterSource {
    /// The `envoy.config.cluster.v3.Cluster` as it came.
    pub config: Packed,
    /// The control plane's version; none for static clusters, which stay as they are.
    pub version_info: Option<String>,
    /// When it came.
    pub last_updated: SystemTime,
}

/// A cluster on main.
pub struct Cluster {
    pub(super) number: u64,
    pub(super) info: Arc<ClusterInfo>,
    pub(super) discovery: Arc<dyn Discovery>,
    pub(super) members: Rc<Members>,
    pub(super) merge: UpdateMerge,
    pub(super) source: ClusterSource,
    /// What it needs besides its hosts.
    pub(super) targets: InitTargets,
    /// Main's handles to the circuit breakers.
    pub(super) resources: OnceCell<[LocalResources; 2]>,
}

impl Cluster {
    /// The configuration, circuit breakers and stats.
    pub fn info(&self) -> &Arc<ClusterInfo> {
        &self.info
    }

    /// The hosts now.
    pub fn hosts(&self) -> Arc<PrioritySet> {
        self.members.current()
    }

    /// The hosts, for what changes them: health checks.
    pub fn members(&self) -> &Rc<Members> {
        &self.members
    }

    /// The name by which a control plane knows the hosts, where the configuration gives one.
    pub fn service_name(&self) -> Option<&str> {
        self.discovery.service_name()
    }

    /// Where the configuration came from.
    pub fn source(&self) -> &ClusterSource {
        &self.source
    }
}
