//! A cluster of clusters: their priorities stand one behind the other, and the host is chosen by
//! the cluster that the chosen priority belongs to (Envoy's "Aggregate Cluster").

use super::{Choice, LbCx, LbRequest, LbSpec, LoadBalancer};
use crate::discovery::{Discovery, Members};
use crate::host::Host;
use crate::local_cluster::LocalCluster;
use crate::manager::ClusterManager;
use crate::priority::{Availability, PriorityLoad, PrioritySet};
use nuncio_base::HeaderMap;
use nuncio_base::metadata::Fields;
use nuncio_base::metadata::MetadataKey;
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The clusters, the first of them preferred.
#[derive(Clone, Debug)]
pub struct AggregateSpec {
    /// Their names; those that there are not are passed over.
    pub clusters: Vec<Arc<str>>,
    /// Below this share of healthy hosts, in percent, all hosts of a priority get traffic.
    pub panic_threshold: u32,
}

impl LbSpec for AggregateSpec {
    fn name(&self) -> &'static str {
        "envoy.load_balancing_policies.cluster_provided"
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(AggregateBalancer {
            spec: self.clone(),
            clusters: ClusterManager::of(worker),
            generation: 0,
            members: Vec::new(),
            places: Vec::new(),
            together: PrioritySet::new(Vec::new(), self.panic_threshold),
            owners: HashMap::new(),
        })
    }
}

impl Discovery for AggregateSpec {
    fn name(&self) -> &'static str {
        "AGGREGATE"
    }

    fn start(&self, members: &Rc<Members>) {
        members.ready();
    }
}

/// A cluster, and the version of its hosts when it was last looked at.
struct Member {
    cluster: Rc<LocalCluster>,
    version: u64,
}

/// The balancer of one worker.
struct AggregateBalancer {
    spec: AggregateSpec,
    clusters: Rc<ClusterManager>,
    generation: u64,
    members: Vec<Member>,
    /// Of each priority of `together`: which member, and which of its priorities.
    places: Vec<(usize, usize)>,
    together: PrioritySet,
    /// Which member a host belongs to.
    owners: HashMap<u64, usize>,
}

impl AggregateBalancer {
    fn update(&mut self) {
        let generation = self.clusters.generation();
        let mut stale = self.generation != generation;
        if stale {
            self.generation = generation;
            let names = self.spec.clusters.iter();
            let found = names.filter_map(|name| self.clusters.get(name));
            self.members = found
                .map(|cluster| Member {
                    cluster,
                    version: 0,
                })
                .collect();
        }
        for member in &mut self.members {
            let version = member.cluster.hosts_version();
            stale |= std::mem::replace(&mut member.version, version) != version;
        }
        if stale {
            self.line_up();
        }
    }

    /// Puts the members' priorities one behind the other; empty ones are left out.
    fn line_up(&mut self) {
        self.places.clear();
        self.owners.clear();
        let mut sets = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let hosts = member.cluster.hosts();
            for (priority, set) in hosts.sets().iter().enumerate() {
                if set.hosts().is_empty() {
                    continue;
                }
                self.places.push((at, priority));
                let ids = set.hosts().iter().map(|host| (host.id(), at));
                self.owners.extend(ids);
                sets.push(Arc::clone(set));
            }
        }
        self.together = PrioritySet::new(sets, self.spec.panic_threshold);
    }
}

impl LoadBalancer for AggregateBalancer {
    fn prepare(&mut self) {
        self.update();
        self.members
            .iter()
            .for_each(|member| member.cluster.prepare());
    }

    fn choose(
        &mut self,
        _hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let load = request.priority_load(&self.together);
        let (chosen, availability) = load.choose(cx.random.bits());
        let Some((at, priority)) = self.places.get(chosen).copied() else {
            return Choice::NoHost;
        };
        let request = OnePriority {
            request,
            priority,
            availability,
        };
        let cluster = &self.members[at].cluster;
        cluster.choose_for(&request, cx.random)
    }

    fn hosts(&self) -> Option<&PrioritySet> {
        Some(&self.together)
    }

    fn owner(&self, host: &Host) -> Option<&Rc<LocalCluster>> {
        let at = *self.owners.get(&host.id())?;
        self.members.get(at).map(|member| &member.cluster)
    }
}

/// A request that goes to one priority.
struct OnePriority<'a> {
    request: &'a dyn LbRequest,
    priority: usize,
    availability: Availability,
}

impl LbRequest for OnePriority<'_> {
    fn hash(&self) -> Option<u64> {
        self.request.hash()
    }

    fn stream_info(&self) -> Option<&StreamInfo> {
        self.request.stream_info()
    }

    fn headers(&self) -> Option<&HeaderMap> {
        self.request.headers()
    }

    fn metadata_match(&self) -> Option<Cow<'_, Fields>> {
        self.request.metadata_match()
    }

    fn note(&self, key: &MetadataKey, text: String) {
        self.request.note(key, text);
    }

    fn refuses(&self, host: &Host) -> bool {
        self.request.refuses(host)
    }

    fn host_selection_retries(&self) -> u32 {
        self.request.host_selection_retries()
    }

    fn priority_load<'a>(&self, hosts: &'a PrioritySet) -> Cow<'a, PriorityLoad> {
        let mut load = PriorityLoad {
            healthy: vec![0; hosts.sets().len()],
            degraded: vec![0; hosts.sets().len()],
        };
        let shares = match self.availability {
            Availability::Healthy => &mut load.healthy,
            Availability::Degraded => &mut load.degraded,
        };
        match shares.get_mut(self.priority) {
            Some(share) => *share = 100,
            // The hosts have changed meanwhile.
            None => return Cow::Borrowed(hosts.load()),
        }
        Cow::Owned(load)
    }
}
