//! Which moments are logged (`envoy.config.accesslog.v3.AccessLogFilter`).

use crate::format_cx::FormatCx;
use crate::formatter::grpc_status::grpc_status;
use crate::log_type::AccessLogType;
use nuncio_base::HeaderMap;
use nuncio_matching::{HeaderMatcher, ValueMatcher};
use nuncio_stream_info::ResponseFlag;
use std::sync::LazyLock;

/// Decides whether a moment is logged.
#[derive(Debug)]
pub enum LogFilter {
    /// The response's status (0 where there is none) compared.
    StatusCode(Comparison),
    /// The duration in milliseconds compared.
    Duration(Comparison),
    /// Everything but health checks that were answered here.
    NotHealthCheck,
    /// Traced requests.
    Traceable,
    /// A share of all.
    Runtime(SampledFraction),
    /// All of these.
    And(Vec<LogFilter>),
    /// Any of these.
    Or(Vec<LogFilter>),
    /// A request header.
    Header(HeaderMatcher),
    /// Any of these flags; without any: whether one is set at all.
    ResponseFlag(Vec<ResponseFlag>),
    /// The gRPC status, among these or (`exclude`) not among them.
    GrpcStatus {
        /// The numbers of the statuses.
        statuses: Vec<i64>,
        /// Logs the others.
        exclude: bool,
    },
    /// A value of the dynamic metadata.
    Metadata {
        /// The filter it belongs to.
        filter: String,
        /// The names that lead to it.
        path: Vec<String>,
        /// What it must be; nothing matches without one.
        value: Option<ValueMatcher>,
        /// Whether to log where there is no such value.
        if_not_found: bool,
    },
    /// The kind of log line, among these or (`exclude`) not among them.
    LogType {
        /// The kinds.
        types: Vec<AccessLogType>,
        /// Logs the others.
        exclude: bool,
    },
}

/// How two numbers are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ComparisonOp {
    /// Equal.
    Equal,
    /// Greater or equal.
    GreaterOrEqual,
    /// Less or equal.
    LessOrEqual,
    /// Not equal.
    NotEqual,
}

/// A comparison with a number that runtime may override.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How.
    pub op: ComparisonOp,
    /// The number where runtime says nothing.
    pub default: u32,
    /// The runtime key, empty for none.
    pub runtime_key: String,
}

impl Comparison {
    fn holds(&self, value: u64, cx: &FormatCx<'_>) -> bool {
        let default = u64::from(self.default);
        let with = if self.runtime_key.is_empty() {
            default
        } else {
            cx.flags.integer(&self.runtime_key, default)
        };
        match self.op {
            ComparisonOp::Equal => value == with,
            ComparisonOp::GreaterOrEqual => value >= with,
            ComparisonOp::LessOrEqual => value <= with,
            ComparisonOp::NotEqual => value != with,
        }
    }
}

/// A share of requests whose numerator runtime may override.
#[derive(Clone, Debug)]
pub struct SampledFraction {
    /// The runtime key.
    pub runtime_key: String,
    /// The numerator where runtime says nothing.
    pub numerator: u32,
    /// Of how many: 100, 10,000 or 1,000,000.
    pub denominator: u32,
    /// Draws anew instead of deciding by the request's id, which all logs and proxies share.
    pub use_independent_randomness: bool,
}

impl SampledFraction {
    fn holds(&self, cx: &FormatCx<'_>) -> bool {
        let numerator = cx
            .flags
            .integer(&self.runtime_key, u64::from(self.numerator));
        let of_id = || stream_number(cx.stream_id());
        let random = match self.use_independent_randomness {
            true => None,
            false => of_id(),
        };
        let random = random.unwrap_or_else(|| (cx.random)());
        random % u64::from(self.denominator.max(1)) < numerator
    }
}

/// The number in front of the stream's UUID.
fn stream_number(id: Option<&str>) -> Option<u64> {
    let id = id.filter(|id| id.len() == 36)?;
    u64::from_str_radix(id.get(..8)?, 16).ok()
}

impl LogFilter {
    /// Whether the moment is logged.
    pub fn passes(&self, cx: &FormatCx<'_>) -> bool {
        let info = cx.info;
        match self {
            Self::StatusCode(comparison) => {
                comparison.holds(u64::from(info.response_code.unwrap_or(0)), cx)
            }
            Self::Duration(comparison) => {
                let end = info.timings.end.unwrap_or(cx.now);
                let duration = end.saturating_duration_since(info.timings.start);
                comparison.holds(nuncio_base::time::millis(duration), cx)
            }
            Self::NotHealthCheck => !info.is_health_check,
            Self::Traceable => info.traced,
            Self::Runtime(fraction) => fraction.holds(cx),
            Self::And(filters) => filters.iter().all(|filter| filter.passes(cx)),
            Self::Or(filters) => filters.iter().any(|filter| filter.passes(cx)),
            Self::Header(matcher) => {
                static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
                matcher.matches(cx.request_headers.unwrap_or(&NONE))
            }
            Self::ResponseFlag(flags) if flags.is_empty() => !info.flags.is_empty(),
            Self::ResponseFlag(flags) => flags.iter().any(|flag| info.flags.has(*flag)),
            Self::GrpcStatus { statuses, exclude } => {
                const UNKNOWN: i64 = 2;
                let status = grpc_status(cx).unwrap_or(UNKNOWN);
                statuses.contains(&status) != *exclude
            }
            Self::Metadata {
                filter,
                path,
                value,
                if_not_found,
            } => {
                let found = info
                    .metadata
                    .get(filter)
                    .and_then(|found| found.at(path.iter().map(String::as_str)));
                match (found, value) {
                    (None, _) => *if_not_found,
                    (Some(_), None) => false,
                    (found, Some(value)) => value.matches(found),
                }
            }
            Self::LogType { types, exclude } => types.contains(&cx.log_type) != *exclude,
        }
    }
}
