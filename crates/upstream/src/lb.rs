//! Load balancing: the trait that policies implement, and what they share (Envoy's
//! "Load balancing"). The policies are extensions.

pub mod aggregate;
pub(crate) mod ahead;
pub mod edf;
pub mod load_report;
pub mod slow_start;
pub mod source;
pub mod weighted;
pub mod zone;

use crate::host::Host;
use crate::lb::load_report::LoadReports;
use crate::local_cluster::LocalCluster;
use crate::priority::{PriorityLoad, PrioritySet};
use crate::stats::ClusterLbStats;
use nuncio_base::HeaderMap;
use nuncio_base::metadata::{Fields, MetadataKey};
use nuncio_base::random::Random;
use nuncio_stats::Scope;
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use zone::ZoneSettings;

/// A balancer's answer.
pub enum Choice {
    /// This host; it may be one that is not in the cluster's sets.
    Host(Arc<Host>),
    /// Which host is not known yet: resolves to an answer, `None` meaning that there is no host.
    Pending(Pin<Box<dyn Future<Output = Option<Arc<Host>>>>>),
    /// There is no host for this request.
    NoHost,
}

/// What a balancer may ask of the request (or connection) that it chooses a host for. Methods must
/// not choose hosts themselves.
pub trait LbRequest {
    /// The hash of the route's hash policy.
    fn hash(&self) -> Option<u64> {
        None
    }

    /// What is known of the request's stream.
    fn stream_info(&self) -> Option<&StreamInfo> {
        None
    }

    /// The request's headers.
    fn headers(&self) -> Option<&HeaderMap> {
        None
    }

    /// What is asked of the host's metadata (`metadata_match` of routes), by name.
    fn metadata_match(&self) -> Option<Cow<'_, Fields>> {
        None
    }

    /// A text that the balancer wants to be known of the request, in its dynamic metadata.
    fn note(&self, _key: &MetadataKey, _text: String) {}

    /// Whether a host won't do, for one that was tried before; then another is chosen, up to
    /// [`host_selection_retries`](Self::host_selection_retries) times.
    fn refuses(&self, _host: &Host) -> bool {
        false
    }

    /// How often another host is chosen when one is refused.
    fn host_selection_retries(&self) -> u32 {
        1
    }

    /// The load of the priorities for this request, where it is not the usual one.
    fn priority_load<'a>(&self, hosts: &'a PrioritySet) -> Cow<'a, PriorityLoad> {
        Cow::Borrowed(hosts.load())
    }
}

/// A request that asks for nothing in particular.
pub struct AnyRequest;
impl LbRequest for AnyRequest {}

/// What a balancer is given besides the hosts and the request.
pub struct LbCx<'a> {
    /// Random numbers.
    pub random: &'a mut Random,
    /// The cluster's stats.
    pub stats: &'a ClusterLbStats,
    /// How many requests are in flight to the cluster, over all workers.
    pub active_requests: &'a dyn Fn() -> u32,
}

/// One worker's balancer of one cluster.
pub trait LoadBalancer {
    /// Chooses a host. `hosts` differ from those of the last call where their version does.
    fn choose(&mut self, hosts: &PrioritySet, request: &dyn LbRequest, cx: &mut LbCx<'_>)
    -> Choice;

    /// Chooses a host for a request that has not come yet: it would get this host. `None`: that
    /// can't be said.
    fn choose_ahead(&mut self, _hosts: &PrioritySet, _cx: &mut LbCx<'_>) -> Option<Arc<Host>> {
        None
    }

    /// Called before [`choose`](Self::choose), while the worker's random numbers are not lent.
    fn prepare(&mut self) {}

    /// All hosts that it may choose, where these are not the cluster's own.
    fn hosts(&self) -> Option<&PrioritySet> {
        None
    }

    /// The cluster whose connections lead to a host, where it is another.
    fn owner(&self, _host: &Host) -> Option<&Rc<LocalCluster>> {
        None
    }
}

/// What a policy built on main, for all workers.
pub type Shared = Arc<dyn Any + Send + Sync>;

/// What main gives a policy to build with.
pub struct SharedCx<'a> {
    /// The cluster's scope, for what more is counted there.
    pub scope: &'a Scope,
    /// What was built last.
    pub before: Option<&'a Shared>,
    /// The cluster's stats, as main counts them.
    pub stats: &'a ClusterLbStats,
    /// How many threads balance: of what each of Envoy's counts, main counts as many times.
    pub threads: u64,
}

/// A load-balancing policy as configured.
pub trait LbSpec: Send + Sync + fmt::Debug {
    /// The policy's name, as `envoy.load_balancing_policies.round_robin`.
    fn name(&self) -> &'static str;

    /// What is built once, on main, for all workers, whenever the hosts change: a hash table.
    fn shared(&self, _hosts: &PrioritySet, _cx: &SharedCx<'_>) -> Option<Shared> {
        None
    }

    /// What was built last is of no more use.
    fn retire(&self, _shared: &Shared, _cx: &SharedCx<'_>) {}

    /// How zones count, where the policy is aware of them.
    fn zones(&self) -> Option<&ZoneSettings> {
        None
    }

    /// How reports of hosts' loads are read, where the policy goes by them.
    fn load_reports(&self) -> Option<Arc<dyn LoadReports>> {
        None
    }

    /// A worker's balancer.
    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer>;
}

/// Chooses until a host is not refused; the last one counts where all are.
pub fn choose_accepted(
    request: &dyn LbRequest,
    mut choose: impl FnMut() -> Option<Arc<Host>>,
) -> Choice {
    for _ in 0..request.host_selection_retries() {
        match choose() {
            Some(host) if request.refuses(&host) => {}
            Some(host) => return Choice::Host(host),
            None => return Choice::NoHost,
        }
    }
    choose().map_or(Choice::NoHost, Choice::Host)
}
