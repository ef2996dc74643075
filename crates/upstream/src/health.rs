//! The health of a host: what is known of it, and what that means.

/// What makes a host unhealthy, degraded or excluded; the order is that of `/clusters`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum HealthFlag {
    /// Active health checks failed.
    FailedActiveHc = 0x1,
    /// Ejected by outlier detection.
    FailedOutlierCheck = 0x2,
    /// The control plane, or the static config, calls it unhealthy.
    FailedEdsHealth = 0x4,
    /// Active health checks call it degraded.
    DegradedActiveHc = 0x8,
    /// The control plane, or the static config, calls it degraded.
    DegradedEdsHealth = 0x10,
    /// No longer in the cluster, but still healthy: it goes once its health checks fail.
    PendingDynamicRemoval = 0x20,
    /// No active health check has finished yet.
    PendingActiveHc = 0x40,
    /// The host itself asked to be left out (`x-envoy-immediate-health-check-fail`).
    ExcludedViaImmediateHcFail = 0x80,
    /// The last active health check timed out.
    ActiveHcTimeout = 0x100,
    /// The control plane, or the static config, drains it.
    EdsStatusDraining = 0x200,
}

impl HealthFlag {
    /// Every flag, in the order of `/clusters`.
    pub const ALL: [Self; 10] = [
        Self::FailedActiveHc,
        Self::FailedOutlierCheck,
        Self::FailedEdsHealth,
        Self::DegradedActiveHc,
        Self::DegradedEdsHealth,
        Self::PendingDynamicRemoval,
        Self::PendingActiveHc,
        Self::ExcludedViaImmediateHcFail,
        Self::ActiveHcTimeout,
        Self::EdsStatusDraining,
    ];

    /// As `/clusters` prints it, after a slash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailedActiveHc => "failed_active_hc",
            Self::FailedOutlierCheck => "failed_outlier_check",
            Self::FailedEdsHealth => "failed_eds_health",
            Self::DegradedActiveHc => "degraded_active_hc",
            Self::DegradedEdsHealth => "degraded_eds_health",
            Self::PendingDynamicRemoval => "pending_dynamic_removal",
            Self::PendingActiveHc => "pending_active_hc",
            Self::ExcludedViaImmediateHcFail => "excluded_via_immediate_hc_fail",
            Self::ActiveHcTimeout => "active_hc_timeout",
            Self::EdsStatusDraining => "eds_status_draining",
        }
    }
}

/// What a control plane, or the static config, said of a host where flags don't tell; kept beside
/// them, never shown.
pub const EDS_HEALTHY: u32 = 0x1000;
/// As [`EDS_HEALTHY`]: it is unhealthy as its own checks timed out.
pub const EDS_TIMEOUT: u32 = 0x2000;

/// `envoy.config.core.v3.HealthStatus` of a host, health checks and outliers included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum HealthStatus {
    /// Nobody has said anything.
    Unknown,
    /// Healthy.
    Healthy,
    /// Unhealthy.
    Unhealthy,
    /// Drained.
    Draining,
    /// Its checks timed out.
    Timeout,
    /// Degraded.
    Degraded,
}

impl HealthStatus {
    /// What these flags of [`HealthFlag`] mean: active checks come first.
    pub const fn of(flags: u32) -> Self {
        const ACTIVE: u32 =
            HealthFlag::FailedActiveHc as u32 | HealthFlag::FailedOutlierCheck as u32;
        if flags & ACTIVE != 0 {
            Self::Unhealthy
        } else if flags & EDS_TIMEOUT != 0 {
            Self::Timeout
        } else if flags & HealthFlag::FailedEdsHealth as u32 != 0 {
            Self::Unhealthy
        } else if flags & HealthFlag::EdsStatusDraining as u32 != 0 {
            Self::Draining
        } else if flags & DEGRADED != 0 {
            Self::Degraded
        } else if flags & EDS_HEALTHY != 0 {
            Self::Healthy
        } else {
            Self::Unknown
        }
    }
}

/// Which statuses a host may have to be gone to against the balancer's choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HealthStatuses(u8);

impl Default for HealthStatuses {
    fn default() -> Self {
        use HealthStatus::{Degraded, Healthy, Unknown};
        [Unknown, Healthy, Degraded].into_iter().collect()
    }
}

impl HealthStatuses {
    /// Whether a status is one of them.
    pub const fn has(self, status: HealthStatus) -> bool {
        self.0 & (1 << status as u8) != 0
    }
}

impl FromIterator<HealthStatus> for HealthStatuses {
    fn from_iter<T: IntoIterator<Item = HealthStatus>>(all: T) -> Self {
        Self(
            all.into_iter()
                .fold(0, |bits, status| bits | (1 << status as u8)),
        )
    }
}

/// Any of these: no traffic.
const UNHEALTHY: u32 = HealthFlag::FailedActiveHc as u32
    | HealthFlag::FailedOutlierCheck as u32
    | HealthFlag::FailedEdsHealth as u32
    | HealthFlag::EdsStatusDraining as u32;
/// Any of these: traffic only if need be.
const DEGRADED: u32 = HealthFlag::DegradedActiveHc as u32 | HealthFlag::DegradedEdsHealth as u32;
/// Any of these: not counted when the share of healthy hosts is computed.
const EXCLUDED: u32 = HealthFlag::PendingActiveHc as u32
    | HealthFlag::ExcludedViaImmediateHcFail as u32
    | HealthFlag::EdsStatusDraining as u32;

/// A host's health in three steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Health {
    /// Gets no traffic, except in panic.
    Unhealthy,
    /// Gets traffic when there are too few healthy hosts.
    Degraded,
    /// Gets traffic.
    Healthy,
}

impl Health {
    /// What these flags of [`HealthFlag`] mean.
    pub const fn of(flags: u32) -> Self {
        if flags & UNHEALTHY != 0 {
            Self::Unhealthy
        } else if flags & DEGRADED != 0 {
            Self::Degraded
        } else {
            Self::Healthy
        }
    }

    /// Whether a host with these flags does not count when the share of healthy hosts is computed.
    pub const fn is_excluded(flags: u32) -> bool {
        flags & EXCLUDED != 0
    }
}
