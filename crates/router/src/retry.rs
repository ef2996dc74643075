//! Whether an attempt is tried again (Envoy's `RetryStateImpl`). No I/O and no clock: it is told
//! what happened, and says what to do.

use nuncio_base::{HeaderMap, Known, names};
use nuncio_codec::ResetReason;
use nuncio_route::retry_policy::{ResetHeader, ResetHeaderFormat};
use nuncio_route::{RetryOn, RetryPolicy, RouteAction};
use std::time::{Duration, SystemTime};

/// Back-off where the policy says nothing: Envoy's `upstream.base_retry_backoff_ms`.
const BASE_INTERVAL: Duration = Duration::from_millis(25);

/// The headers by which a request asks for retries.
const ASKING: [Known; 7] = [
    names::X_ENVOY_RETRY_ON,
    names::X_ENVOY_RETRY_GRPC_ON,
    names::X_ENVOY_MAX_RETRIES,
    names::X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT,
    names::X_ENVOY_RETRIABLE_HEADER_NAMES,
    names::X_ENVOY_RETRIABLE_STATUS_CODES,
    names::X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS,
];

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing more: the failure is the answer.
    No,
    /// It would be tried again, had it any tries left.
    LimitExceeded,
    /// Try again.
    Yes {
        /// After this time.
        after: Duration,
        /// Whether the response asked for that time.
        rate_limited: bool,
    },
}

/// A request's retries.
#[derive(Debug)]
pub struct RetryState {
    on: RetryOn,
    status_codes: Vec<u32>,
    header_names: Vec<String>,
    policy: std::sync::Arc<RetryPolicy>,
    left: u32,
    base: Duration,
    max: Duration,
    tried: u32,
}

impl RetryState {
    /// The retries that the route and the request's headers ask for; `None` for none. The headers
    /// that say so are taken off.
    pub fn of(route: &RouteAction, headers: &mut HeaderMap) -> Option<Self> {
        if route.retry_policy.is_none() && !ASKING.iter().any(|name| headers.contains(*name)) {
            return None;
        }
        let policy = route.retry_policy.clone().unwrap_or_default();
        let mut on = policy.retry_on;
        let text = |name| headers.get_str(name).unwrap_or_default();
        on = on.with(RetryOn::parse(text(names::X_ENVOY_RETRY_ON)).0);
        on = on.with(RetryOn::parse_grpc(text(names::X_ENVOY_RETRY_GRPC_ON)).0);
        let mut left = policy.num_retries;
        if let Ok(number) = text(names::X_ENVOY_MAX_RETRIES).parse() {
            left = number;
        }
        let mut status_codes = policy.retriable_status_codes.clone();
        let of_header = text(names::X_ENVOY_RETRIABLE_STATUS_CODES).split(',');
        status_codes.extend(of_header.filter_map(|code| code.trim().parse::<u32>().ok()));
        let header_names = text(names::X_ENVOY_RETRIABLE_HEADER_NAMES)
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        let request_matches = policy.retriable_request_headers.is_empty()
            || policy
                .retriable_request_headers
                .iter()
                .any(|matcher| matcher.matches(headers));
        for name in ASKING {
            headers.remove(name);
        }
        if on.is_empty() || !request_matches {
            return None;
        }
        let (base, max) = match policy.back_off {
            Some(back_off) => (back_off.base_interval, back_off.max_interval),
            None => (BASE_INTERVAL, BASE_INTERVAL * 10),
        };
        Some(Self {
            on,
            status_codes,
            header_names,
            policy,
            left,
            base,
            max,
            tried: 0,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Whether there was a retry already.
    pub fn has_retried(&self) -> bool {
        self.tried > 0
    }

    /// What to do about a response's headers. `random` is drawn for the back-off.
    pub fn on_headers(&mut self, headers: &HeaderMap, random: u64, now: SystemTime) -> Decision {
        if !self.headers_are_retriable(headers) {
            return Decision::No;
        }
        match (self.again(random), self.asked_back_off(headers, now)) {
            (Decision::Yes { .. }, Some(asked)) => Decision::Yes {
                after: lower_bound_jitter(asked, random),
                rate_limited: true,
            },
            (decision, _) => decision,
        }
    }

    /// How long the response asks to wait.
    fn asked_back_off(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        let back_off = self.policy.rate_limited_back_off.as_ref()?;
        back_off
            .reset_headers
            .iter()
            .filter_map(|header| reset_interval(header, headers, now))
            .find(|interval| *interval <= back_off.max_interval)
            .filter(|interval| *interval > Duration::from_millis(1))
    }

    /// What to do about a reset before the response began. `request_started`: some of the request
    /// was sent.
    pub fn on_reset(
        &mut self,
        reason: ResetReason,
        request_started: bool,
        random: u64,
    ) -> Decision {
        if self.reset_is_retriable(reason, request_started) {
            self.again(random)
        } else {
            Decision::No
        }
    }

    /// What to do about an attempt that took too long.
    pub fn on_per_try_timeout(&mut self, random: u64) -> Decision {
        let on = RetryOn::FIVE_XX
            .with(RetryOn::GATEWAY_ERROR)
            .with(RetryOn::RESET);
        if self.on.has(on) {
            self.again(random)
        } else {
            Decision::No
        }
    }

    fn again(&mut self, random: u64) -> Decision {
        if self.left == 0 {
            return Decision::LimitExceeded;
        }
        self.left -= 1;
        self.tried += 1;
        // Exponential with full jitter: between 0 and (2^n - 1) base intervals.
        let factor = 1_u32
            .checked_shl(self.tried)
            .map_or(u32::MAX, |power| power - 1);
        let most = self.base.saturating_mul(factor).min(self.max);
        let millis = nuncio_base::time::millis(most).max(1);
        Decision::Yes {
            after: Duration::from_millis(random % millis),
            rate_limited: false,
        }
    }

    fn headers_are_retriable(&self, headers: &HeaderMap) -> bool {
        let status: u32 = headers
            .get_str(names::STATUS)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default();
        let on = |condition| self.on.has(condition);
        // A rate-limited response is tried again only where that is asked for by name.
        if headers.contains(names::X_ENVOY_RATELIMITED) {
            return on(RetryOn::ENVOY_RATE_LIMITED);
        }
        (on(RetryOn::FIVE_XX) && (500..600).contains(&status))
            || (on(RetryOn::GATEWAY_ERROR) && (502..=504).contains(&status))
            || (on(RetryOn::RETRIABLE_4XX) && status == 409)
            || (on(RetryOn::RETRIABLE_STATUS_CODES) && self.status_codes.contains(&status))
            || (on(RetryOn::RETRIABLE_HEADERS) && self.has_retriable_header(headers))
            || self.grpc_is_retriable(headers)
    }

    fn has_retriable_header(&self, headers: &HeaderMap) -> bool {
        self.policy
            .retriable_headers
            .iter()
            .any(|matcher| matcher.matches(headers))
            || self
                .header_names
                .iter()
                .any(|name| headers.contains(name.as_str()))
    }

    fn grpc_is_retriable(&self, headers: &HeaderMap) -> bool {
        let condition = match headers.get(names::GRPC_STATUS) {
            Some(b"1") => RetryOn::GRPC_CANCELLED,
            Some(b"4") => RetryOn::GRPC_DEADLINE_EXCEEDED,
            Some(b"8") => RetryOn::GRPC_RESOURCE_EXHAUSTED,
            Some(b"13") => RetryOn::GRPC_INTERNAL,
            Some(b"14") => RetryOn::GRPC_UNAVAILABLE,
            _ => return false,
        };
        self.on.has(condition)
    }

    fn reset_is_retriable(&self, reason: ResetReason, request_started: bool) -> bool {
        let on = |condition| self.on.has(condition);
        match reason {
            // The circuit breaker would be as open as before.
            ResetReason::Overflow => return false,
            ResetReason::RemoteRefusedStreamReset if on(RetryOn::REFUSED_STREAM) => return true,
            ResetReason::LocalConnectionFailure
            | ResetReason::RemoteConnectionFailure
            | ResetReason::ConnectionTimeout
                if on(RetryOn::CONNECT_FAILURE) =>
            {
                return true;
            }
            _ => {}
        }
        on(RetryOn::FIVE_XX
            .with(RetryOn::GATEWAY_ERROR)
            .with(RetryOn::RESET))
            || (on(RetryOn::RESET_BEFORE_REQUEST) && !request_started)
    }
}

/// What a header of a response says of when to try again.
fn reset_interval(header: &ResetHeader, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(&header.name)?;
    let seconds: u64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    let time = Duration::from_secs(seconds);
    match header.format {
        ResetHeaderFormat::Seconds => Some(time),
        ResetHeaderFormat::UnixTimestamp => {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            time.checked_sub(now)
        }
    }
}

/// At least `interval`, and up to half of it more.
fn lower_bound_jitter(interval: Duration, random: u64) -> Duration {
    let half = (nuncio_base::time::millis(interval) / 2).max(1);
    interval.saturating_add(Duration::from_millis(random % half))
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
