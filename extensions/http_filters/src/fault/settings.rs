//! What is injected, into which requests, and how often; the filter's or a route's.

use nuncio_base::HeaderMap;
use nuncio_base::metadata::Value;
use nuncio_base::names;
use nuncio_base::runtime_flags::Fraction;
use nuncio_matching::HeaderMatcher;
use std::time::Duration;

/// What is injected and into which requests.
#[derive(Clone, Debug)]
pub struct FaultSettings {
    /// Delays.
    pub delay: Option<Delay>,
    /// Aborts.
    pub abort: Option<Abort>,
    /// Slow responses.
    pub rate_limit: Option<RateLimit>,
    /// Only requests to this cluster; empty for all.
    pub upstream_cluster: String,
    /// Only requests with all of these headers.
    pub headers: Vec<HeaderMatcher>,
    /// Only requests of these nodes (`x-envoy-downstream-service-node`); empty for all.
    pub downstream_nodes: Vec<String>,
    /// How many streams may have faults at a time, over all workers.
    pub max_active_faults: Option<u32>,
    /// The runtime keys that change these settings.
    pub keys: RuntimeKeys,
    /// Whether the client's cluster (`x-envoy-downstream-service-cluster`) has no stats of its own.
    pub disable_cluster_stats: bool,
    /// Dynamic metadata of streams that get a fault.
    pub metadata: Value,
}

/// Runtime keys.
#[derive(Clone, Debug)]
pub struct RuntimeKeys {
    /// The share of requests that are delayed.
    pub delay_percent: String,
    /// How long, in milliseconds.
    pub delay_duration: String,
    /// The share of requests that are aborted.
    pub abort_percent: String,
    /// With which HTTP status.
    pub abort_http_status: String,
    /// With which gRPC status.
    pub abort_grpc_status: String,
    /// How many streams may have faults at a time.
    pub max_active_faults: String,
    /// The share of responses that are slowed down.
    pub rate_limit_percent: String,
}

/// A delay.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    /// How long; `None`: `x-envoy-fault-delay-request` says.
    pub fixed: Option<Duration>,
    /// The share of requests.
    pub share: Fraction,
}

/// An abort.
#[derive(Clone, Debug)]
pub struct Abort {
    /// The status.
    pub code: AbortCode,
    /// The share of requests.
    pub share: Fraction,
    /// The body of the answer.
    pub body: bytes::Bytes,
}

/// The status that requests are aborted with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AbortCode {
    /// An HTTP status.
    Http(u16),
    /// A gRPC status.
    Grpc(u32),
    /// `x-envoy-fault-abort-request` or `x-envoy-fault-abort-grpc-request` says.
    Header,
}

/// A limit on the speed of responses.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// In KiB a second; `None`: `x-envoy-fault-throughput-response` says.
    pub fixed_kbps: Option<u64>,
    /// The share of requests.
    pub share: Fraction,
}

/// A share that a header may lower, never raise.
fn share_of(headers: &HeaderMap, by_header: bool, name: &str, share: Fraction) -> Fraction {
    match number::<u32>(headers, name) {
        Some(numerator) if by_header => Fraction {
            numerator: numerator.min(share.numerator),
            ..share
        },
        _ => share,
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get_str(name)?.trim().parse().ok()
}

impl Delay {
    /// How long this request is delayed, if it is.
    pub fn duration(&self, headers: &HeaderMap) -> Option<Duration> {
        let by_header =
            || number(headers, "x-envoy-fault-delay-request").map(Duration::from_millis);
        self.fixed.or_else(by_header)
    }

    /// The share of requests like this that are delayed.
    pub fn share(&self, headers: &HeaderMap) -> Fraction {
        let name = "x-envoy-fault-delay-request-percentage";
        share_of(headers, self.fixed.is_none(), name, self.share)
    }
}

impl Abort {
    /// The HTTP status of this request's abort.
    pub fn http_status(&self, headers: &HeaderMap) -> Option<u16> {
        match self.code {
            AbortCode::Http(status) => Some(status),
            AbortCode::Grpc(_) => None,
            AbortCode::Header => {
                let status = number(headers, "x-envoy-fault-abort-request");
                status.filter(|status| (200..600).contains(status))
            }
        }
    }

    /// The gRPC status of this request's abort.
    pub fn grpc_status(&self, headers: &HeaderMap) -> Option<u32> {
        match self.code {
            AbortCode::Http(_) => None,
            AbortCode::Grpc(status) => Some(status),
            AbortCode::Header => number(headers, "x-envoy-fault-abort-grpc-request"),
        }
    }

    /// The share of requests like this that are aborted.
    pub fn share(&self, headers: &HeaderMap) -> Fraction {
        let name = "x-envoy-fault-abort-request-percentage";
        share_of(headers, self.code == AbortCode::Header, name, self.share)
    }
}

impl RateLimit {
    /// How fast this request's response may be, in KiB a second.
    pub fn kbps(&self, headers: &HeaderMap) -> Option<u64> {
        let by_header = || number(headers, "x-envoy-fault-throughput-response");
        self.fixed_kbps.or_else(by_header).filter(|kbps| *kbps > 0)
    }

    /// The share of responses that are slowed down.
    pub fn share(&self, headers: &HeaderMap) -> Fraction {
        let name = "x-envoy-fault-throughput-response-percentage";
        share_of(headers, self.fixed_kbps.is_none(), name, self.share)
    }
}

impl FaultSettings {
    /// Whether nothing can ever be injected: what a control plane puts into every chain to be
    /// overridden by routes.
    pub fn is_idle(&self) -> bool {
        self.delay.is_none() && self.abort.is_none() && self.rate_limit.is_none()
    }

    /// Whether the request's headers are those that faults are for.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        let node = headers.get(names::X_ENVOY_DOWNSTREAM_SERVICE_NODE);
        let is_node = |name: &String| Some(name.as_bytes()) == node;
        (self.downstream_nodes.is_empty() || self.downstream_nodes.iter().any(is_node))
            && nuncio_matching::header::all_match(&self.headers, headers)
    }
}
