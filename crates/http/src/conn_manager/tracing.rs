//! Which requests are traced, and what is said of that: the trace reason in `x-request-id`, the
//! stats, `x-envoy-decorator-operation`. There is no tracer: spans go nowhere, as with an Envoy
//! whose `tracing` names no provider.

use crate::chain::StreamState;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use nuncio_base::runtime_flags::{Fraction, RuntimeFlags};
use nuncio_base::{HeaderMap, names};
use std::sync::Arc;

/// The place of the trace reason in an `x-request-id`: the version of the UUID.
const REASON_AT: usize = 14;

/// `HttpConnectionManager.tracing`.
#[derive(Clone, Debug)]
pub struct TracingSettings {
    /// The share of requests traced because the client asks.
    pub client_sampling: Fraction,
    /// The share of requests traced by chance.
    pub random_sampling: Fraction,
    /// The share of requests that may be traced at all.
    pub overall_sampling: Fraction,
    /// Whether the requests are on their way out: of a listener with `traffic_direction: OUTBOUND`.
    pub egress: bool,
    /// Whether the request's id says whether it is traced.
    pub by_request_id: bool,
}

/// Why a request is traced, or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    NotTraceable,
    HealthCheck,
    Sampling,
    ServiceForced,
    ClientForced,
}

impl Reason {
    /// As it stands in a request's id.
    const fn mark(self) -> u8 {
        match self {
            Self::NotTraceable | Self::HealthCheck => b'4',
            Self::Sampling => b'9',
            Self::ServiceForced => b'a',
            Self::ClientForced => b'b',
        }
    }

    fn of(id: &[u8]) -> Self {
        let is = |reason: &Self| id.get(REASON_AT) == Some(&reason.mark());
        let reasons = [Self::Sampling, Self::ServiceForced, Self::ClientForced];
        reasons.into_iter().find(is).unwrap_or(Self::NotTraceable)
    }
}

/// Decides about a request that has its route. What comes back is for the response's
/// `x-envoy-decorator-operation`.
pub(super) fn begin(
    local: &HcmLocal,
    settings: &TracingSettings,
    state: &mut StreamState,
) -> Option<Arc<str>> {
    let reason = match state.info.is_health_check {
        true => Reason::HealthCheck,
        false => decide(local, settings, state),
    };
    count(local, reason);
    state.info.traced = !matches!(reason, Reason::NotTraceable | Reason::HealthCheck);
    let selected = state.route.selected();
    let decorator = selected.and_then(|selected| selected.route.decorator.as_ref());
    let operation = decorator
        .filter(|decorator| decorator.propagate)
        .map(|decorator| Arc::clone(&decorator.operation));
    let headers = &mut state.request.headers;
    if settings.egress {
        if let Some(operation) = &operation {
            let name = names::X_ENVOY_DECORATOR_OPERATION;
            headers.set(name, operation.as_bytes());
        }
        return None;
    }
    // What the client calls it counts more.
    let overridden = headers.get(names::X_ENVOY_DECORATOR_OPERATION);
    let operation = operation.filter(|_| overridden.is_none_or(<[u8]>::is_empty));
    headers.remove(names::X_ENVOY_DECORATOR_OPERATION);
    operation
}

/// Makes the response say what its request was called.
pub(super) fn finish(
    settings: &TracingSettings,
    operation: Option<Arc<str>>,
    stream: &mut ActiveStream,
) {
    let response = &mut stream.filters().state.response.headers;
    if settings.egress {
        response.remove(names::X_ENVOY_DECORATOR_OPERATION);
    } else if let Some(operation) = operation {
        response.set(names::X_ENVOY_DECORATOR_OPERATION, operation.as_bytes());
    }
}

fn count(local: &HcmLocal, reason: Reason) {
    let Some(stats) = &local.tracing_stats else {
        return;
    };
    match reason {
        Reason::NotTraceable => stats.not_traceable().inc(),
        Reason::HealthCheck => stats.health_check().inc(),
        Reason::Sampling => stats.random_sampling().inc(),
        Reason::ServiceForced => stats.service_forced().inc(),
        Reason::ClientForced => stats.client_enabled().inc(),
    }
}

/// Envoy's `mutateTracingRequestHeader`.
fn decide(local: &HcmLocal, settings: &TracingSettings, state: &mut StreamState) -> Reason {
    if !settings.by_request_id {
        return Reason::Sampling;
    }
    let headers = &state.request.headers;
    let Some(id) = headers.get(names::X_REQUEST_ID) else {
        return Reason::NotTraceable;
    };
    let Some(number) = number(id) else {
        return Reason::NotTraceable;
    };
    let selected = state.route.selected();
    let of_route = selected.and_then(|selected| selected.route.tracing.as_ref());
    let (client, random, overall) = match of_route {
        Some(route) => (
            route.client_sampling,
            route.random_sampling,
            route.overall_sampling,
        ),
        None => (
            settings.client_sampling,
            settings.random_sampling,
            settings.overall_sampling,
        ),
    };
    let flags = local.worker.flags();
    let before = Reason::of(id);
    let mut reason = before;
    if reason == Reason::NotTraceable {
        let drawn = local.worker.random();
        if headers.contains(names::X_CLIENT_TRACE_ID)
            && holds(&flags, "tracing.client_enabled", client, drawn)
        {
            reason = Reason::ClientForced;
        } else if headers.contains(names::X_ENVOY_FORCE_TRACE) {
            reason = Reason::ServiceForced;
        } else if holds(&flags, "tracing.random_sampling", random, number) {
            reason = Reason::Sampling;
        }
    }
    if reason != Reason::NotTraceable && !holds(&flags, "tracing.global_enabled", overall, number) {
        reason = Reason::NotTraceable;
    }
    if reason != before && local.spec.request_ids.pack_trace_reason {
        mark(&mut state.request.headers, reason);
    }
    reason
}

fn holds(flags: &RuntimeFlags, key: &str, share: Fraction, drawn: u64) -> bool {
    flags.fraction(key, share).holds(drawn)
}

/// The number that an id stands for when shares of requests are drawn.
fn number(id: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(id.get(..8)?).ok()?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(number % 10_000)
}

/// Writes the reason into the id, where it is a UUID.
fn mark(headers: &mut HeaderMap, reason: Reason) {
    let Some(id) = headers.get(names::X_REQUEST_ID) else {
        return;
    };
    if id.len() == 36 {
        let mut id = id.to_vec();
        id[REASON_AT] = reason.mark();
        headers.set(names::X_REQUEST_ID, &id);
    }
}

/// Takes the reason out of an id that came from outside and is kept.
pub(super) fn unmark(headers: &mut HeaderMap) {
    let id = headers.get(names::X_REQUEST_ID).unwrap_or_default();
    if Reason::of(id) != Reason::NotTraceable {
        mark(headers, Reason::NotTraceable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_in_ids() {
        let id = |mark: char| format!("0000000f-1234-{mark}123-8123-000000000000");
        for (mark, expected) in [
            ('4', Reason::NotTraceable),
            ('9', Reason::Sampling),
            ('a', Reason::ServiceForced),
            ('b', Reason::ClientForced),
            ('x', Reason::NotTraceable),
        ] {
            assert_eq!(Reason::of(id(mark).as_bytes()), expected);
        }
        assert_eq!(number(id('4').as_bytes()), Some(15));
        assert_eq!(number(b"x000000f"), None);
        assert_eq!(number(b"1"), None);
        for (before, after) in [
            (id('9'), id('4')),
            (id('x'), id('x')),
            ("short".to_owned(), "short".to_owned()),
        ] {
            let mut headers = HeaderMap::new();
            headers.set(names::X_REQUEST_ID, before.as_bytes());
            unmark(&mut headers);
            let marked = headers.get(names::X_REQUEST_ID).unwrap();
            assert_eq!(marked, after.as_bytes());
        }
    }
}
