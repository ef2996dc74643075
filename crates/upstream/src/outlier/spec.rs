//! Outlier detection as configured (`envoy.config.cluster.v3.OutlierDetection`).

use std::time::Duration;

/// Why a host is ejected (`envoy.data.cluster.v3.OutlierEjectionType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ejection {
    /// Server errors in a row.
    Consecutive5xx,
    /// 502, 503 and 504 in a row.
    ConsecutiveGatewayFailure,
    /// Failures to connect in a row.
    ConsecutiveLocalOriginFailure,
    /// Fewer successes than other hosts have.
    SuccessRate,
    /// The same of connecting.
    SuccessRateLocalOrigin,
    /// Too few successes.
    FailurePercentage,
    /// The same of connecting.
    FailurePercentageLocalOrigin,
}

/// When hosts are ejected, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutlierSpec {
    /// How often success rates are compared and ejected hosts looked at.
    pub interval: Duration,
    /// How long a host is ejected for the first time.
    pub base_ejection_time: Duration,
    /// The longest that a host is ejected.
    pub max_ejection_time: Duration,
    /// Up to this is added to the time of an ejection.
    pub max_ejection_time_jitter: Duration,
    /// How many hosts may be ejected at once, in percent.
    pub max_ejection_percent: u32,
    /// Whether one host may be ejected, whatever its share.
    pub always_eject_one_host: bool,
    /// Whether failures to connect are told from failures of hosts.
    pub split_external_local_origin_errors: bool,
    /// Whether a health check that passes ends an ejection.
    pub successful_active_health_check_uneject_host: bool,
    /// How many in a row are too many.
    pub consecutive_5xx: u32,
    /// How many in a row are too many.
    pub consecutive_gateway_failure: u32,
    /// How many in a row are too many.
    pub consecutive_local_origin_failure: u32,
    /// How many hosts must have enough requests for success rates to be compared.
    pub success_rate_minimum_hosts: u32,
    /// How many requests in an interval are enough.
    pub success_rate_request_volume: u32,
    /// How many standard deviations below the mean are too low, in thousandths.
    pub success_rate_stdev_factor: u32,
    /// A share of failures that is too high, in percent.
    pub failure_percentage_threshold: u32,
    /// How many hosts must have enough requests for that to count.
    pub failure_percentage_minimum_hosts: u32,
    /// How many requests in an interval are enough.
    pub failure_percentage_request_volume: u32,
    /// How likely an ejection is carried out, in percent, by [`Ejection`].
    pub enforcing: [u32; 7],
}

impl Default for OutlierSpec {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            interval: seconds(10),
            base_ejection_time: seconds(30),
            max_ejection_time: seconds(300),
            max_ejection_time_jitter: seconds(0),
            max_ejection_percent: 10,
            always_eject_one_host: false,
            split_external_local_origin_errors: false,
            successful_active_health_check_uneject_host: true,
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            consecutive_local_origin_failure: 5,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            enforcing: [100, 0, 100, 100, 100, 0, 0],
        }
    }
}

impl Ejection {
    /// The runtime flag that overrides how likely it is carried out.
    pub(super) fn enforcing_key(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "outlier_detection.enforcing_consecutive_5xx",
            Self::ConsecutiveGatewayFailure => {
                "outlier_detection.enforcing_consecutive_gateway_failure"
            }
            Self::ConsecutiveLocalOriginFailure => {
                "outlier_detection.enforcing_consecutive_local_origin_failure"
            }
            Self::SuccessRate => "outlier_detection.enforcing_success_rate",
            Self::SuccessRateLocalOrigin => "outlier_detection.enforcing_local_origin_success_rate",
            Self::FailurePercentage => "outlier_detection.enforcing_failure_percentage",
            Self::FailurePercentageLocalOrigin => {
                "outlier_detection.enforcing_failure_percentage_local_origin"
            }
        }
    }
}
