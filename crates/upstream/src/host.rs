//! One endpoint of a cluster: its address, weight, health and counts, shared by all threads.

use crate::health::{Health, HealthFlag, HealthStatus};
use crate::health_check::EndpointCheck;
use crate::host_monitor::HostMonitor;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
static FIRST_MARK: OnceLock<Instant> = OnceLock::new();

/// Where a host is (`envoy.config.core.v3.Locality`). Ordered as Envoy orders localities.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Locality {
    /// The region.
    pub region: String,
    /// The zone within the region.
    pub zone: String,
    /// What the zone is divided into.
    pub sub_zone: String,
}

/// A count that all threads write.
#[derive(Default, Debug)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds 1.
    pub fn inc(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Subtracts 1.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A host's counts over all workers, as `/clusters` prints them.
#[derive(Default, Debug)]
pub struct HostStats {
    /// Open connections.
    pub cx_active: Count,
    /// Connections that could not be made.
    pub cx_connect_fail: Count,
    /// Connections tried.
    pub cx_total: Count,
    /// Requests in flight: what LEAST_REQUEST compares.
    pub rq_active: Count,
    /// Requests that failed.
    pub rq_error: Count,
    /// Requests that wait for a connection.
    pub rq_pending_active: Count,
    /// Requests that succeeded.
    pub rq_success: Count,
    /// Requests that timed out.
    pub rq_timeout: Count,
    /// Requests sent.
    pub rq_total: Count,
}

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Where to connect to.
    pub address: Address,
    /// More addresses of the same host, to be tried when the first is slow or fails.
    pub additional_addresses: Vec<Address>,
    /// The configured or resolved name; empty if there is none.
    pub hostname: Arc<str>,
    /// Where it is.
    pub locality: Arc<Locality>,
    /// Metadata of the endpoint.
    pub metadata: Option<Arc<Metadata>>,
    /// Metadata of the locality.
    pub locality_metadata: Option<Arc<Metadata>>,
    /// Its weight, from 1.
    pub weight: u32,
    /// Its priority, 0 the highest.
    pub priority: u32,
    /// Flags of [`HealthFlag`] to begin with.
    pub health_flags: u32,
    /// What it says of its own health checks.
    pub check: Option<Arc<EndpointCheck>>,
    /// What headers of the PROXY protocol bring it besides: types and values.
    pub added_tlvs: Arc<[(u8, Vec<u8>)]>,
}

impl HostSpec {
    /// A healthy host of weight 1 at `address`.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            additional_addresses: Vec::new(),
            hostname: "".into(),
            locality: Arc::default(),
            metadata: None,
            locality_metadata: None,
            weight: 1,
            priority: 0,
            health_flags: 0,
            check: None,
            added_tlvs: Arc::default(),
        }
    }
}

/// Addresses that discovery replaces while the host stays the same (LOGICAL_DNS).
type Readdressed = RwLock<Option<Arc<[Address]>>>;

/// One endpoint.
pub struct Host {
    id: u64,
    spec: HostSpec,
    weight: AtomicU32,
    priority: AtomicU32,
    flags: AtomicU32,
    canary: bool,
    stats: HostStats,
    monitor: OnceLock<HostMonitor>,
    /// In milliseconds since hosts were first marked, from 1; 0: never.
    healthy_since: AtomicU64,
    readdressed: Option<Box<Readdressed>>,
}

impl Host {
    /// Makes a host.
    pub fn new(spec: HostSpec) -> Arc<Self> {
        Self::make(spec, None)
    }

    /// Makes a host whose addresses may be replaced by [`readdress`](Self::readdress).
    pub fn logical(spec: HostSpec) -> Arc<Self> {
        Self::make(spec, Some(Box::default()))
    }

    fn make(spec: HostSpec, readdressed: Option<Box<Readdressed>>) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Relaxed),
            weight: AtomicU32::new(spec.weight.max(1)),
            priority: AtomicU32::new(spec.priority),
            flags: AtomicU32::new(spec.health_flags),
            canary: is_canary(spec.metadata.as_deref()),
            stats: HostStats::default(),
            monitor: OnceLock::new(),
            healthy_since: AtomicU64::new(0),
            readdressed,
            spec,
        })
    }

    /// A number unique in this process, by which workers find their pools.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it is, or was last found.
    pub fn address(&self) -> Address {
        self.replaced()
            .and_then(|addresses| addresses.first().cloned())
            .unwrap_or_else(|| self.spec.address.clone())
    }

    /// All its addresses, in the order in which they are tried.
    pub fn addresses(&self) -> Arc<[Address]> {
        self.replaced().unwrap_or_else(|| {
            std::iter::once(&self.spec.address)
                .chain(&self.spec.additional_addresses)
                .cloned()
                .collect()
        })
    }

    /// Where its health is checked.
    pub fn check_address(&self) -> Address {
        let address = self.address();
        match &self.spec.check {
            Some(check) => check.target(address),
            None => address,
        }
    }

    /// What it says of its own health checks.
    pub fn check(&self) -> Option<&EndpointCheck> {
        self.spec.check.as_deref()
    }

    /// What headers of the PROXY protocol bring it besides: types and values.
    pub fn added_tlvs(&self) -> &[(u8, Vec<u8>)] {
        &self.spec.added_tlvs
    }

    /// What is told of its answers, where its cluster wants to know.
    pub fn monitor(&self) -> Option<&HostMonitor> {
        self.monitor.get()
    }

    /// Has it watched; the first watcher counts.
    pub(crate) fn set_monitor(&self, monitor: impl FnOnce() -> HostMonitor) {
        self.monitor.get_or_init(monitor);
    }

    /// Since when it has been healthy: since it came, or since its health checks passed. Not known
    /// before its first check.
    pub fn healthy_since(&self) -> Option<Instant> {
        let millis = self.healthy_since.load(Relaxed).checked_sub(1)?;
        Some(*FIRST_MARK.get()? + Duration::from_millis(millis))
    }

    /// It has become healthy.
    pub(crate) fn mark_healthy(&self, now: Instant) {
        let first = *FIRST_MARK.get_or_init(|| now);
        let millis = now.saturating_duration_since(first).as_millis() as u64;
        self.healthy_since.store(millis + 1, Relaxed);
    }

    fn replaced(&self) -> Option<Arc<[Address]>> {
        let readdressed = self.readdressed.as_ref()?;
        readdressed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the addresses: new connections go there, open ones stay.
    pub fn readdress(&self, addresses: Arc<[Address]>) {
        if let Some(readdressed) = &self.readdressed {
            *readdressed.write().unwrap_or_else(PoisonError::into_inner) = Some(addresses);
        }
    }

    /// The configured or resolved name; empty if there is none.
    pub fn hostname(&self) -> &Arc<str> {
        &self.spec.hostname
    }

    /// Where it is.
    pub fn locality(&self) -> &Arc<Locality> {
        &self.spec.locality
    }

    /// Metadata of the endpoint.
    pub fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.spec.metadata.as_ref()
    }

    /// Metadata of the locality.
    pub fn locality_metadata(&self) -> Option<&Arc<Metadata>> {
        self.spec.locality_metadata.as_ref()
    }

    /// Whether its metadata calls it a canary (`envoy.lb`: `canary`).
    pub fn canary(&self) -> bool {
        self.canary
    }

    /// Its weight, at least 1.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Changes the weight; balancers see it when the hosts are published anew.
    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight.max(1), Relaxed);
    }

    /// Its priority, 0 the highest.
    pub fn priority(&self) -> u32 {
        self.priority.load(Relaxed)
    }

    /// Moves it to another priority.
    pub fn set_priority(&self, priority: u32) {
        self.priority.store(priority, Relaxed);
    }

    /// Its counts.
    pub fn stats(&self) -> &HostStats {
        &self.stats
    }

    /// Sets or clears a health flag; whether that changed something.
    pub fn set_flag(&self, flag: HealthFlag, on: bool) -> bool {
        let bit = flag as u32;
        let old = if on {
            self.flags.fetch_or(bit, Relaxed)
        } else {
            self.flags.fetch_and(!bit, Relaxed)
        };
        (old & bit != 0) != on
    }

    /// Whether a health flag is set.
    pub fn has_flag(&self, flag: HealthFlag) -> bool {
        self.flags.load(Relaxed) & flag as u32 != 0
    }

    /// The flags that are set, in the order of `/clusters`; none means healthy.
    pub fn flags(&self) -> impl Iterator<Item = HealthFlag> + use<> {
        let flags = self.flags.load(Relaxed);
        HealthFlag::ALL
            .into_iter()
            .filter(move |flag| flags & *flag as u32 != 0)
    }

    /// Its status, as filters that want a certain host look at it.
    pub fn health_status(&self) -> HealthStatus {
        HealthStatus::of(self.flags.load(Relaxed))
    }

    /// Takes over the flags `mask` from what discovery found.
    pub fn renew_flags(&self, mask: u32, flags: u32) {
        let renew = |old: u32| Some(old & !mask | flags & mask);
        // Never refuses.
        let _ = self.flags.fetch_update(Relaxed, Relaxed, renew);
    }

    /// Its health.
    pub fn health(&self) -> Health {
        Health::of(self.flags.load(Relaxed))
    }

    /// Whether it does not count when the share of healthy hosts is computed.
    pub fn excluded(&self) -> bool {
        Health::is_excluded(self.flags.load(Relaxed))
    }
}

fn is_canary(metadata: Option<&Metadata>) -> bool {
    use nuncio_base::metadata::Value;
    metadata
        .and_then(|metadata| metadata.get("envoy.lb")?.at(["canary"]))
        .is_some_and(|canary| *canary == Value::Bool(true))
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({}, {:?})", self.address(), self.health())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_make_health() {
        use HealthFlag::*;
        let cases: &[(&[HealthFlag], Health, bool)] = &[
            (&[], Health::Healthy, false),
            (&[FailedEdsHealth], Health::Unhealthy, false),
            (&[DegradedActiveHc], Health::Degraded, false),
            (
                &[DegradedActiveHc, FailedActiveHc],
                Health::Unhealthy,
                false,
            ),
            (&[PendingActiveHc, FailedActiveHc], Health::Unhealthy, true),
            (
                &[EdsStatusDraining, FailedEdsHealth],
                Health::Unhealthy,
                true,
            ),
        ];
        for (flags, health, excluded) in cases {
            let host = Host::new(HostSpec::new(Address::Pipe("/x".into())));
            for flag in *flags {
                assert!(host.set_flag(*flag, true));
                assert!(!host.set_flag(*flag, true));
            }
            assert_eq!(
                (host.health(), host.excluded()),
                (*health, *excluded),
                "{flags:?}"
            );
            assert_eq!(host.flags().count(), flags.len());
        }
    }

    #[test]
    fn a_logical_host_moves() {
        let (old, new) = (Address::Pipe("/old".into()), Address::Pipe("/new".into()));
        let host = Host::logical(HostSpec::new(old.clone()));
        assert_eq!((host.address(), host.addresses().len()), (old, 1));
        host.readdress([new.clone()].into());
        assert_eq!(host.address(), new);
    }
}
