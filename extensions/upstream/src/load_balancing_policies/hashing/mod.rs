//! What RING_HASH and MAGLEV have in common: a table for each priority, made on main, in which the
//! request's hash finds a host (Envoy's `ThreadAwareLoadBalancerBase`). A request without a hash
//! goes to a random place of the table.

mod bounded;
mod config;
mod mersenne;

pub(crate) use config::{HashSettings, settings};

use bounded::{BoundedLoad, Shares};
use nuncio_base::metadata::Value;
use nuncio_route::hash_policy::HashPolicy;
use nuncio_route::request_hash::request_hash;
use nuncio_upstream::host_set::HostLists;
use nuncio_upstream::lb::{Choice, LbCx, LbRequest};
use nuncio_upstream::{Host, HostSet, LoadBalancer, PrioritySet};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// Hosts by hash.
pub(crate) trait HashTable: Send + Sync + 'static {
    /// The host for a hash. `attempt` counts the hosts that were refused.
    fn choose(&self, hash: u64, attempt: u32) -> Option<&Arc<Host>>;
}

/// The tables of all priorities.
pub(crate) struct HashTables<T>(Vec<OneTable<T>>);

/// The table of a priority.
struct OneTable<T> {
    table: T,
    /// What it is made of, where loads are bounded.
    shares: Shares,
}

/// A host with its share of all weight.
pub(crate) type WeightedHost = (Arc<Host>, f64);

impl<T: HashTable> HashTables<T> {
    /// Makes a table of the hosts of each priority that get traffic.
    pub(crate) fn shared(
        hosts: &PrioritySet,
        settings: &HashSettings,
        make: impl Fn(Vec<WeightedHost>) -> T,
    ) -> Arc<dyn Any + Send + Sync> {
        let weighted = |(priority, set): (usize, &Arc<HostSet>)| {
            let of = |lists: &HostLists| match hosts.in_panic(priority) {
                true => Arc::clone(&lists.all),
                false => Arc::clone(&lists.healthy),
            };
            let mut weighted = Vec::new();
            if settings.by_locality && set.localities().iter().any(|one| one.weight > 0) {
                let all: u64 = set
                    .localities()
                    .iter()
                    .map(|one| u64::from(one.weight))
                    .sum();
                for locality in set.localities().iter().filter(|one| one.weight > 0) {
                    let share = f64::from(locality.weight) / all as f64;
                    add_weights(&mut weighted, &of(&locality.lists), share);
                }
            } else {
                add_weights(&mut weighted, &of(set.lists()), 1.0);
            }
            let bounded = settings.balance_factor.map(|_| Shares::new(&weighted));
            OneTable {
                table: make(weighted),
                shares: bounded.unwrap_or_default(),
            }
        };
        Arc::new(Self(
            hosts.sets().iter().enumerate().map(weighted).collect(),
        ))
    }
}

/// Shares `share` out among hosts by their weights.
fn add_weights(weighted: &mut Vec<WeightedHost>, hosts: &[Arc<Host>], share: f64) {
    let sum: u64 = hosts.iter().map(|host| u64::from(host.weight())).sum();
    let weight = |host: &Host| f64::from(host.weight()) * share / sum as f64;
    weighted.extend(hosts.iter().map(|host| (Arc::clone(host), weight(host))));
}

/// What a host is known by in tables: `hash_key` of its `envoy.lb` metadata, else its host name or
/// its address.
pub(crate) fn hash_key(host: &Host, use_hostname: bool) -> String {
    let metadata = host
        .metadata()
        .and_then(|metadata| metadata.get("envoy.lb"));
    if let Some(Value::Struct(fields)) = metadata
        && let Some(Value::Text(key)) = fields.get("hash_key")
        && !key.is_empty()
    {
        return key.to_string();
    }
    if use_hostname {
        host.hostname().to_string()
    } else {
        host.address().to_string()
    }
}

/// A worker's balancer over tables of the kind `T`.
pub(crate) struct HashBalancer<T> {
    /// The cluster's own policies, in the place of the route's.
    policies: Arc<[HashPolicy]>,
    bounded: Option<BoundedLoad>,
    table: std::marker::PhantomData<T>,
}

impl<T> HashBalancer<T> {
    pub(crate) fn new(settings: &HashSettings) -> Self {
        Self {
            policies: Arc::clone(&settings.policies),
            bounded: settings.balance_factor.map(BoundedLoad::new),
            table: std::marker::PhantomData,
        }
    }

    fn hash(&self, request: &dyn LbRequest) -> Option<u64> {
        if self.policies.is_empty() {
            return request.hash();
        }
        let (headers, info) = (request.headers()?, request.stream_info()?);
        request_hash(&self.policies, headers, info, &mut |_| {})
    }
}

impl<T: HashTable> LoadBalancer for HashBalancer<T> {
    fn choose(
        &mut self,
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        cx: &mut LbCx<'_>,
    ) -> Choice {
        let shared = hosts.lb_shared().map(|shared| &**shared as &dyn Any);
        let Some(tables) = shared.and_then(|shared| shared.downcast_ref::<HashTables<T>>()) else {
            return Choice::NoHost;
        };
        let hash = self.hash(request).unwrap_or_else(|| cx.random.bits());
        let (priority, _) = request.priority_load(hosts).choose(hash);
        if hosts.in_panic(priority) {
            cx.stats.lb_healthy_panic().inc();
        }
        let Some(OneTable { table, shares }) = tables.0.get(priority) else {
            return Choice::NoHost;
        };
        let mut chosen = None;
        for attempt in 0..=request.host_selection_retries() {
            chosen = table.choose(hash, attempt);
            if let (Some(bounded), Some(host)) = (&mut self.bounded, chosen) {
                let active = (cx.active_requests)();
                chosen = Some(bounded.choose(host, shares, active, hash));
            }
            if chosen.is_none_or(|host| !request.refuses(host)) {
                break;
            }
        }
        chosen.map_or(Choice::NoHost, |host| Choice::Host(Arc::clone(host)))
    }
}

impl<T> Debug for HashTables<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HashTables").field(&self.0.len()).finish()
    }
}
