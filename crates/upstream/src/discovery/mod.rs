//! Where a cluster's hosts come from. Runs on main; what it finds goes to the workers as snapshots
//! (Envoy's "Service discovery").

mod dns;
pub mod dns_resolver;
pub(crate) mod found_hosts;
pub mod members;
mod members_index;
mod members_lb;
mod members_outliers;
mod refresh;
mod stabilized;
mod static_hosts;

pub use dns::DnsHosts;
pub use dns_resolver::ResolverSettings;
pub use found_hosts::FoundHosts;
pub use members::Members;
pub(crate) use members_index::MembersHandle;
pub use members_lb::Threads;
pub use refresh::DnsRefresh;
pub use static_hosts::StaticHosts;

use crate::cluster::ClusterSpec;
use crate::host::{HostSpec, Locality};
use crate::host_set::Provisioning;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Where this proxy is; a service of main.
pub struct LocalLocality(pub Arc<Locality>);

/// A way to find a cluster's hosts, as configured.
pub trait Discovery: Send + Sync {
    /// As `config_dump` and logs name it: `STATIC`, `STRICT_DNS`.
    fn name(&self) -> &'static str;

    /// The name by which a control plane knows the hosts, where the configuration gives one.
    fn service_name(&self) -> Option<&str> {
        None
    }

    /// Begins to fill `members`, and calls [`Members::ready`] once the cluster can be used, if only
    /// without hosts. What runs on ends when `members` are dropped, so it holds them weakly.
    fn start(&self, members: &Rc<Members>);
}

/// A cluster as configured: what the data plane needs of it, and where its hosts come from.
pub struct ClusterConfig {
    /// What the data plane needs.
    pub spec: ClusterSpec,
    /// Where hosts come from.
    pub discovery: Arc<dyn Discovery>,
}

/// The endpoints of a cluster (`ClusterLoadAssignment`).
#[derive(Clone, Debug, Default)]
pub struct LoadAssignment {
    /// All endpoints, in the order of the config.
    pub endpoints: Vec<Endpoint>,
    /// The weights of localities, by priority.
    pub locality_weights: BTreeMap<u32, BTreeMap<Arc<Locality>, u32>>,
    /// How health is weighed.
    pub provisioning: Provisioning,
}

/// One endpoint (`LbEndpoint`).
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What its hosts are made of; where there is a name, the address is not meant.
    pub host: HostSpec,
    /// The name to resolve and its port, where the address is one.
    pub name: Option<(Arc<str>, u16)>,
}
