//! A request's time limits upstream: the route's, and what `x-envoy-*` and `grpc-timeout` headers
//! say (Envoy's `FilterUtility::finalTimeout`).

use nuncio_base::{HeaderMap, names};
use nuncio_http::grpc_timeout;
use nuncio_route::RouteAction;
use std::time::Duration;

/// Time limits of a request; `None`: without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the end of the request to the end of the response, retries included.
    pub global: Option<Duration>,
    /// Of one attempt.
    pub per_try: Option<Duration>,
    /// Of silence of one attempt.
    pub per_try_idle: Option<Duration>,
}

/// What sets the limits, besides the route.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutInputs {
    /// Whether the request is gRPC.
    pub is_grpc: bool,
    /// Whether `x-envoy-expected-rq-timeout-ms` is obeyed.
    pub respect_expected: bool,
    /// Whether the headers for upstream are left out.
    pub suppress_headers: bool,
}

impl Timeouts {
    /// The limits of a request, whose headers are read and extended:
    /// `x-envoy-upstream-rq-timeout-ms` and its like are taken off, the upstream is told by
    /// `x-envoy-expected-rq-timeout-ms`.
    pub fn of(route: &RouteAction, headers: &mut HeaderMap, inputs: TimeoutInputs) -> Self {
        let retry = route.retry_policy.as_deref();
        let mut timeouts = Self {
            global: global_limit(route, headers, inputs.is_grpc),
            per_try: retry.and_then(|retry| retry.per_try_timeout),
            per_try_idle: retry.and_then(|retry| retry.per_try_idle_timeout),
        };
        let limited = |limit: Duration| Some(limit).filter(|limit| !limit.is_zero());
        if inputs.respect_expected && headers.contains(names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS) {
            let expected = millis_of(headers, names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS);
            timeouts.global = expected.map_or(timeouts.global, limited);
        } else {
            let asked = millis_of(headers, names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS);
            timeouts.global = asked.map_or(timeouts.global, limited);
            headers.remove(names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS);
        }
        let asked = millis_of(headers, names::X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS);
        timeouts.per_try = asked.map_or(timeouts.per_try, limited);
        headers.remove(names::X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS);
        // A try can't last longer than the whole.
        if let (Some(global), Some(per_try)) = (timeouts.global, timeouts.per_try)
            && per_try >= global
        {
            timeouts.per_try = None;
        }
        timeouts.tell_upstream(route, headers, inputs, Duration::ZERO);
        timeouts
    }

    /// Tells upstream how long it has, when `elapsed` has passed since the request was complete.
    pub fn tell_upstream(
        &self,
        route: &RouteAction,
        headers: &mut HeaderMap,
        inputs: TimeoutInputs,
        elapsed: Duration,
    ) {
        let Some(mut expected) = self.per_try.or(self.global) else {
            return;
        };
        if let Some(global) = self.global {
            // Zero would be without limit, when there is no time left.
            // Whole milliseconds have passed, as in Envoy.
            let elapsed = Duration::from_millis(nuncio_base::time::millis(elapsed));
            let left = global.saturating_sub(elapsed).max(Duration::from_millis(1));
            expected = expected.min(left);
        }
        if !inputs.suppress_headers {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(nuncio_base::time::millis(expected));
            headers.set(names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, text.as_bytes());
        }
        let obeyed = route.max_stream_duration.is_none() && route.max_grpc_timeout.is_some();
        if inputs.is_grpc && obeyed {
            grpc_timeout::set(headers, expected);
        }
    }
}

/// The limit before headers override it. A route with a maximum stream duration has no timeout:
/// the connection manager limits the stream.
fn global_limit(route: &RouteAction, headers: &HeaderMap, is_grpc: bool) -> Option<Duration> {
    if route.max_stream_duration.is_some() {
        return None;
    }
    let Some(most) = route.max_grpc_timeout.filter(|_| is_grpc) else {
        return route.timeout;
    };
    let header = headers.get(names::GRPC_TIMEOUT);
    let mut limit = header.and_then(grpc_timeout::parse).unwrap_or_default();
    if let Some(offset) = route.grpc_timeout_offset
        && offset < limit
    {
        limit -= offset;
    }
    // Zero is without limit, on both sides.
    if !most.is_zero() && (limit.is_zero() || limit > most) {
        limit = most;
    }
    Some(limit).filter(|limit| !limit.is_zero())
}

/// What `x-envoy-upstream-stream-duration-ms` asks for; the header is taken off.
pub fn stream_duration(headers: &mut HeaderMap) -> Option<Duration> {
    const NAME: &str = "x-envoy-upstream-stream-duration-ms";
    let value = headers.get(NAME)?;
    let limit = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    headers.remove(NAME);
    limit.map(Duration::from_millis)
}

fn millis_of(headers: &HeaderMap, name: nuncio_base::Known) -> Option<Duration> {
    headers
        .get_str(name)?
        .parse()
        .ok()
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_route::ClusterTarget;

    #[test]
    fn headers_override_the_route_and_are_replaced() {
        let route = RouteAction::new(ClusterTarget::Name("c".into()));
        let inputs = TimeoutInputs {
            is_grpc: false,
            respect_expected: false,
            suppress_headers: false,
        };
        for (headers, global, per_try, expected) in [
            (&[][..], Some(15_000), None, Some("15000")),
            (
                &[("x-envoy-upstream-rq-timeout-ms", "7")][..],
                Some(7),
                None,
                Some("7"),
            ),
            (&[("x-envoy-upstream-rq-timeout-ms", "0")], None, None, None),
            (
                &[("x-envoy-upstream-rq-timeout-ms", "x")],
                Some(15_000),
                None,
                Some("15000"),
            ),
            (
                &[("x-envoy-upstream-rq-per-try-timeout-ms", "5")],
                Some(15_000),
                Some(5),
                Some("5"),
            ),
            (
                &[("x-envoy-upstream-rq-per-try-timeout-ms", "20000")],
                Some(15_000),
                None,
                Some("15000"),
            ),
        ] {
            let mut map = HeaderMap::from_iter(headers.iter().copied());
            let timeouts = Timeouts::of(&route, &mut map, inputs);
            assert_eq!(
                timeouts.global,
                global.map(Duration::from_millis),
                "{headers:?}"
            );
            assert_eq!(
                timeouts.per_try,
                per_try.map(Duration::from_millis),
                "{headers:?}"
            );
            assert_eq!(map.get_str(names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS), expected);
            assert_eq!(map.len(), usize::from(expected.is_some()));
        }
    }
}
