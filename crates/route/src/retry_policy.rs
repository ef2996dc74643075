//! `envoy.config.route.v3.RetryPolicy`: when and how often a request is tried again.

use nuncio_base::header_name::HeaderName;
use nuncio_base::metadata::Metadata;
use nuncio_matching::HeaderMatcher;
use std::sync::Arc;
use std::time::Duration;

macro_rules! retry_on {
    ($($(#[$doc:meta])* $name:ident = $text:literal $grpc:literal,)*) => {
        /// The conditions of retries, a set.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct RetryOn(u32);

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Bit { $($name),* }

        impl RetryOn {
            $($(#[$doc])* pub const $name: Self = Self(1 << Bit::$name as u32);)*

            const NAMES: &'static [(&'static str, bool, Self)] =
                &[$(($text, $grpc, Self::$name)),*];
        }
    };
}

retry_on! {
    /// Any 5xx, and no response at all.
    FIVE_XX = "5xx" false,
    /// 502, 503, 504.
    GATEWAY_ERROR = "gateway-error" false,
    /// The connection could not be made.
    CONNECT_FAILURE = "connect-failure" false,
    /// The status codes that headers of the response name (`retriable_headers`).
    RETRIABLE_HEADERS = "retriable-headers" false,
    /// 409.
    RETRIABLE_4XX = "retriable-4xx" false,
    /// The upstream reset the stream with REFUSED_STREAM.
    REFUSED_STREAM = "refused-stream" false,
    /// The codes of `retriable_status_codes`.
    RETRIABLE_STATUS_CODES = "retriable-status-codes" false,
    /// The upstream disconnected, reset, or did not answer in time.
    RESET = "reset" false,
    /// As `reset`, but only before the request was sent.
    RESET_BEFORE_REQUEST = "reset-before-request" false,
    /// HTTP/3 failed after the connection was made.
    HTTP3_POST_CONNECT_FAILURE = "http3-post-connect-failure" false,
    /// `x-envoy-ratelimited` is in the response.
    ENVOY_RATE_LIMITED = "envoy-ratelimited" false,
    /// gRPC status 1.
    GRPC_CANCELLED = "cancelled" true,
    /// gRPC status 4.
    GRPC_DEADLINE_EXCEEDED = "deadline-exceeded" true,
    /// gRPC status 8.
    GRPC_RESOURCE_EXHAUSTED = "resource-exhausted" true,
    /// gRPC status 14.
    GRPC_UNAVAILABLE = "unavailable" true,
    /// gRPC status 13.
    GRPC_INTERNAL = "internal" true,
}

impl RetryOn {
    /// No condition.
    pub const NONE: Self = Self(0);

    /// Reads the list of HTTP conditions, as in config and `x-envoy-retry-on`. What is unknown
    /// counts as nothing; the flag says whether all was known.
    pub fn parse(list: &str) -> (Self, bool) {
        Self::parse_kind(list, false)
    }

    /// Reads the list of gRPC conditions, as in config and `x-envoy-retry-grpc-on`.
    pub fn parse_grpc(list: &str) -> (Self, bool) {
        Self::parse_kind(list, true)
    }

    /// Reads a list of both kinds: `retry_on` of a policy.
    pub fn parse_policy(list: &str) -> Self {
        Self::parse(list).0.with(Self::parse_grpc(list).0)
    }

    fn parse_kind(list: &str, is_grpc: bool) -> (Self, bool) {
        let mut all = Self::NONE;
        let mut all_known = true;
        for word in list
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let known = Self::NAMES
                .iter()
                .find(|(name, grpc, _)| *name == word && *grpc == is_grpc);
            match known {
                Some((_, _, condition)) => all = all.with(*condition),
                None => all_known = false,
            }
        }
        (all, all_known)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one of the conditions of `other` is in the set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no condition.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Exponential back-off with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// The first interval.
    pub base_interval: Duration,
    /// The longest interval.
    pub max_interval: Duration,
}

impl BackOff {
    /// How long is waited after so many attempts, given 64 random bits.
    pub fn delay(self, attempts: u32, random: u64) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.min(31)) - 1;
        let most = self
            .base_interval
            .saturating_mul(factor)
            .min(self.max_interval);
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(random % millis.max(1))
    }
}

/// How a response header says when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetHeaderFormat {
    /// In so many seconds.
    Seconds,
    /// At this second since 1970.
    UnixTimestamp,
}

/// A response header that says when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetHeader {
    /// The header's name.
    pub name: HeaderName,
    /// How its value is read.
    pub format: ResetHeaderFormat,
}

/// Back-off as a rate-limited response asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitedBackOff {
    /// The headers that may say when, the first that does counts.
    pub reset_headers: Vec<ResetHeader>,
    /// What is asked beyond this is ignored.
    pub max_interval: Duration,
}

/// Which hosts a retry passes over.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryHostPredicate {
    /// Those tried before.
    PreviousHosts,
    /// Canaries.
    OmitCanaryHosts,
    /// Those whose `envoy.lb` metadata have all of this.
    OmitHostMetadata(Arc<Metadata>),
}

/// How a retry chooses its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPriority {
    /// Not those tried before; forgotten again after so many attempts.
    PreviousPriorities {
        /// After how many attempts the load is computed anew.
        update_frequency: u32,
    },
}

/// When and how often a request is tried again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// The conditions.
    pub retry_on: RetryOn,
    /// How many retries at most.
    pub num_retries: u32,
    /// The time of one try; `None`: the request's timeout holds alone.
    pub per_try_timeout: Option<Duration>,
    /// How long one try may be silent; `None`: for ever.
    pub per_try_idle_timeout: Option<Duration>,
    /// How a retry chooses its priority.
    pub priority: Option<RetryPriority>,
    /// Which hosts a retry passes over.
    pub host_predicates: Vec<RetryHostPredicate>,
    /// How often a host is chosen anew until the predicates take it.
    pub host_selection_max_attempts: u32,
    /// The codes of [`RetryOn::RETRIABLE_STATUS_CODES`].
    pub retriable_status_codes: Vec<u32>,
    /// Waiting between tries; `None`: 25 ms, and ten times that at most.
    pub back_off: Option<BackOff>,
    /// Waiting as long as the response asks.
    pub rate_limited_back_off: Option<RateLimitedBackOff>,
    /// Response headers for [`RetryOn::RETRIABLE_HEADERS`]: one must match.
    pub retriable_headers: Vec<HeaderMatcher>,
    /// Request headers of which one must match, where there are any.
    pub retriable_request_headers: Vec<HeaderMatcher>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retry_on: RetryOn::NONE,
            num_retries: 1,
            per_try_timeout: None,
            per_try_idle_timeout: None,
            priority: None,
            host_predicates: Vec::new(),
            host_selection_max_attempts: 1,
            retriable_status_codes: Vec::new(),
            back_off: None,
            rate_limited_back_off: None,
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
        }
    }
}

/// `envoy.config.route.v3.HedgePolicy`, as far as Envoy carries it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HedgePolicy {
    /// A try that times out goes on beside the next one.
    pub hedge_on_per_try_timeout: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_leniently() {
        let (on, all_known) = RetryOn::parse("5xx, gateway-error,,reset");
        assert!(all_known);
        assert!(on.has(RetryOn::FIVE_XX) && on.has(RetryOn::RESET));
        assert!(!on.has(RetryOn::CONNECT_FAILURE));
        assert_eq!(RetryOn::parse("nonsense"), (RetryOn::NONE, false));
        assert_eq!(RetryOn::parse("cancelled"), (RetryOn::NONE, false));
        let both = RetryOn::parse_policy("5xx,unavailable");
        assert!(both.has(RetryOn::FIVE_XX) && both.has(RetryOn::GRPC_UNAVAILABLE));
        assert!(RetryOn::parse_policy("").is_empty());
    }
}
