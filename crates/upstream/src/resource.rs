//! Circuit breakers: how much of a cluster may be in use at once, over all workers (Envoy's
//! "Circuit breaking").

use crate::local_cluster::ClusterCore;
use crate::stats::CircuitBreakerStats;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_stats::{Gauge, Group, Scope, SharedGauge};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// The routing priority of a request; each has limits and pools of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Priority {
    /// Usual requests.
    #[default]
    Default,
    /// Requests of routes with `priority: HIGH`.
    High,
}

impl Priority {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Default, Self::High];

    /// As in stat names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::High => "high",
        }
    }
}

/// How many retries may be in flight, relative to the requests in flight.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryBudget {
    /// Retries per active and pending requests, in percent.
    pub percent: f64,
    /// How many there may always be.
    pub min_retry_concurrency: u32,
}

/// The limits of one priority (`CircuitBreakers.Thresholds`).
#[derive(Clone, PartialEq, Debug)]
pub struct Thresholds {
    /// Connections; each pool may always have one.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: u32,
    /// Requests in flight.
    pub max_requests: u32,
    /// Retries in flight, where there is no budget.
    pub max_retries: u32,
    /// A budget that takes the place of `max_retries`.
    pub retry_budget: Option<RetryBudget>,
    /// Whether `remaining_*` gauges are kept.
    pub track_remaining: bool,
    /// Connections to one host.
    pub max_connections_per_host: u32,
    /// Pools of HTTP connections that are in use.
    pub max_connection_pools: Option<u32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
            track_remaining: false,
            max_connections_per_host: u32::MAX,
            max_connection_pools: None,
        }
    }
}

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// Connections.
    Connections,
    /// Requests that wait for a connection.
    PendingRequests,
    /// Requests in flight.
    Requests,
    /// Retries in flight.
    Retries,
    /// Pools of HTTP connections that are in use.
    ConnectionPools,
}

const RESOURCES: usize = 5;

impl Resource {
    const ALL: [Self; RESOURCES] = [
        Self::Connections,
        Self::PendingRequests,
        Self::Requests,
        Self::Retries,
        Self::ConnectionPools,
    ];

    /// As the limit is called in configurations and runtime flags.
    const fn limit_name(self) -> &'static str {
        match self {
            Self::Connections => "max_connections",
            Self::PendingRequests => "max_pending_requests",
            Self::Requests => "max_requests",
            Self::Retries => "max_retries",
            Self::ConnectionPools => "max_connection_pools",
        }
    }
}

/// The use of one priority's resources, shared by all threads.
pub struct ResourceManager {
    thresholds: Arc<[Thresholds; 2]>,
    priority: Priority,
    /// The limits that hold now: runtime flags may override the configured ones.
    limits: [AtomicU32; RESOURCES],
    budget: Option<LiveBudget>,
    used: [AtomicU32; RESOURCES],
    stats: Group<CircuitBreakerStats>,
    remaining: Option<Box<Remaining>>,
}

/// The gauges of `track_remaining`. Few clusters have them, so that they are not kept per worker.
struct Remaining {
    gauges: [SharedGauge; RESOURCES],
}

impl Remaining {
    fn new(scope: &Scope) -> Self {
        let names = ["cx", "pending", "rq", "retries", "cx_pools"];
        Self {
            gauges: names.map(|name| scope.gauge(&format!("remaining_{name}"))),
        }
    }
}

impl ResourceManager {
    /// Nothing is in use. `scope` is the cluster's.
    pub fn new(thresholds: Arc<[Thresholds; 2]>, priority: Priority, scope: &Scope) -> Self {
        let scope = scope.scope("circuit_breakers").scope(priority.as_str());
        let own = &thresholds[priority as usize];
        let remaining = own.track_remaining.then(|| Remaining::new(&scope));
        let manager = Self {
            limits: Resource::ALL.map(|resource| own.limit(resource).into()),
            budget: own.retry_budget.map(LiveBudget::new),
            thresholds,
            priority,
            used: Default::default(),
            stats: scope.group(),
            remaining: remaining.map(Box::new),
        };
        for resource in Resource::ALL {
            manager.show_remaining(resource);
        }
        manager
    }

    /// Shows how much of a resource is left, where that is tracked.
    fn show_remaining(&self, resource: Resource) {
        if let Some(remaining) = &self.remaining {
            let max: u64 = match resource {
                // Envoy's "no limit" is the largest number.
                Resource::ConnectionPools if self.thresholds().max_connection_pools.is_none() => {
                    u64::MAX
                }
                // A budget has no fixed remainder: Envoy shows 0.
                _ if !self.has_fixed_limit(resource) => 0,
                _ => self.max(resource).into(),
            };
            let left = max.saturating_sub(self.used(resource).into());
            remaining.gauges[resource as usize].set(left);
        }
    }

    /// The limits.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds[self.priority as usize]
    }

    /// How much of a resource is in use.
    pub fn used(&self, resource: Resource) -> u32 {
        self.used[resource as usize].load(Relaxed)
    }

    /// The limit of a resource now.
    pub fn max(&self, resource: Resource) -> u32 {
        match &self.budget {
            Some(budget) if resource == Resource::Retries => {
                let active = self.used(Resource::Requests) + self.used(Resource::PendingRequests);
                budget.max(active)
            }
            _ => self.limits[resource as usize].load(Relaxed),
        }
    }

    /// Takes over what runtime flags say of the limits (`PREFIX.max_connections` and so on). Main
    /// does that, with a handle of its own.
    pub fn apply_runtime(&self, local: &LocalResources, flags: &RuntimeFlags, prefix: &str) {
        for resource in Resource::ALL {
            let configured = self.thresholds().limit(resource).into();
            let key = format!("{prefix}.{}", resource.limit_name());
            let new = u32::try_from(flags.integer(&key, configured)).unwrap_or(u32::MAX);
            let old = self.limits[resource as usize].swap(new, Relaxed);
            if new == old {
                continue;
            }
            // The gauge is counted up and down where the limit is crossed: here it crosses.
            let used = self.used(resource);
            let is_open = used >= crossing(new);
            if self.has_fixed_limit(resource) && (used >= crossing(old)) != is_open {
                match is_open {
                    true => local.open(resource).inc(),
                    false => local.open(resource).dec(),
                }
            }
            self.show_remaining(resource);
        }
        if let (Some(live), Some(budget)) = (&self.budget, self.thresholds().retry_budget) {
            let key = |name: &str| format!("{prefix}.retry_budget.{name}");
            let percent = flags.number(&key("budget_percent"), budget.percent);
            let least = budget.min_retry_concurrency.into();
            let least = flags.integer(&key("min_retry_concurrency"), least);
            live.percent.store(percent.to_bits(), Relaxed);
            let least = u32::try_from(least).unwrap_or(u32::MAX);
            live.min_retry_concurrency.store(least, Relaxed);
        }
    }
}

/// A retry budget as it holds now.
struct LiveBudget {
    /// The bits of a number.
    percent: AtomicU64,
    min_retry_concurrency: AtomicU32,
}

impl LiveBudget {
    fn new(budget: RetryBudget) -> Self {
        Self {
            percent: budget.percent.to_bits().into(),
            min_retry_concurrency: budget.min_retry_concurrency.into(),
        }
    }

    /// How many retries there may be beside so many active requests.
    fn max(&self, active: u32) -> u32 {
        let percent = f64::from_bits(self.percent.load(Relaxed));
        let allowed = percent / 100.0 * f64::from(active);
        (allowed as u32).max(self.min_retry_concurrency.load(Relaxed))
    }
}

impl Thresholds {
    /// The configured limit of a resource, but for a budget.
    fn limit(&self, resource: Resource) -> u32 {
        match resource {
            Resource::Connections => self.max_connections,
            Resource::PendingRequests => self.max_pending_requests,
            Resource::Requests => self.max_requests,
            Resource::Retries => self.max_retries,
            Resource::ConnectionPools => self.max_connection_pools.unwrap_or(u32::MAX),
        }
    }
}

/// A worker's handle to a [`ResourceManager`], with its gauges.
pub struct LocalResources {
    stats: CircuitBreakerStats,
}

impl LocalResources {
    /// A handle for the calling worker.
    pub fn new(manager: &ResourceManager) -> Self {
        Self {
            stats: manager.stats.local(),
        }
    }

    /// Takes one of `resource` unless its limit is reached.
    pub(crate) fn try_take(&self, manager: &ResourceManager, resource: Resource) -> bool {
        let max = manager.max(resource);
        let used = &manager.used[resource as usize];
        let taken = used.fetch_update(Relaxed, Relaxed, |used| (used < max).then_some(used + 1));
        match taken {
            Ok(before) => {
                self.after_take(manager, resource, before, max);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes one of `resource` whatever the limit.
    pub(crate) fn take(&self, manager: &ResourceManager, resource: Resource) {
        let before = manager.used[resource as usize].fetch_add(1, Relaxed);
        self.after_take(manager, resource, before, manager.max(resource));
    }

    fn after_take(&self, manager: &ResourceManager, resource: Resource, before: u32, max: u32) {
        // The worker that crosses the limit counts it, so that the workers' sum is 0 or 1.
        if before.checked_add(1) == Some(crossing(max)) && manager.has_fixed_limit(resource) {
            self.open(resource).inc();
        }
        manager.show_remaining(resource);
    }

    /// Gives one back.
    pub(crate) fn give(&self, manager: &ResourceManager, resource: Resource) {
        let before = manager.used[resource as usize].fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "{resource:?} given back more often than taken");
        if before == crossing(manager.max(resource)) && manager.has_fixed_limit(resource) {
            self.open(resource).dec();
        }
        manager.show_remaining(resource);
    }

    fn open(&self, resource: Resource) -> Gauge<'_> {
        match resource {
            Resource::Connections => self.stats.cx_open(),
            Resource::PendingRequests => self.stats.rq_pending_open(),
            Resource::Requests => self.stats.rq_open(),
            Resource::Retries => self.stats.rq_retry_open(),
            Resource::ConnectionPools => self.stats.cx_pool_open(),
        }
    }
}

/// How many in use open a circuit breaker: where none is allowed, one that is had all the same.
fn crossing(max: u32) -> u32 {
    max.max(1)
}

impl ResourceManager {
    /// A retry budget moves with the traffic: no gauge follows it.
    fn has_fixed_limit(&self, resource: Resource) -> bool {
        resource != Resource::Retries || self.budget.is_none()
    }
}

/// The right to one retry in flight; given back when dropped.
pub struct RetryPermit {
    core: Rc<ClusterCore>,
    priority: Priority,
}

impl RetryPermit {
    pub(crate) fn try_new(core: &Rc<ClusterCore>, priority: Priority) -> Option<Self> {
        core.try_take(priority, Resource::Retries).then(|| Self {
            core: Rc::clone(core),
            priority,
        })
    }
}

impl Drop for RetryPermit {
    fn drop(&mut self) {
        self.core.give(self.priority, Resource::Retries);
    }
}

#[cfg(test)]
mod tests;
