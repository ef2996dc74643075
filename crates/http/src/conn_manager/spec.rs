//! The connection manager's configuration: `HttpConnectionManager`, parsed.

use crate::conn_manager::stats::{HcmStats, ListenerHttpStats, TracingStats};
use crate::factory::ChainSpec;
use nuncio_codec::h1::{H1Settings, H1Stats};
use nuncio_observe::AccessLogSpec;
use nuncio_route::RouteTable;
use nuncio_stats::Group;
use nuncio_worker::Published;
use std::sync::Arc;
use std::time::Duration;

/// Which HTTP versions a connection may speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecType {
    /// What ALPN or the first bytes say.
    Auto,
    /// HTTP/1 only.
    Http1,
}

/// What becomes of the `server` header of responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerHeader {
    /// It is replaced.
    Overwrite,
    /// It is added where it lacks.
    AppendIfAbsent,
    /// It is left alone.
    PassThrough,
}

/// What becomes of a port in the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StripPort {
    /// It stays.
    No,
    /// It goes where it is the listener's.
    Matching,
    /// It goes.
    Any,
}

/// What becomes of `%2F` and `%5C` in paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EscapedSlashes {
    /// They stay.
    Keep,
    /// The request is refused.
    Reject,
    /// The client is redirected to the unescaped path.
    UnescapeAndRedirect,
    /// They are unescaped.
    UnescapeAndForward,
}

/// How `x-request-id` is made and kept (the uuid extension).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestIds {
    /// One is made where it lacks.
    pub generate: bool,
    /// One that an external client sent is kept.
    pub preserve_external: bool,
    /// It is added to responses.
    pub always_set_in_response: bool,
    /// The trace reason is packed into it.
    pub pack_trace_reason: bool,
}

/// How the client's address is found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XffSettings {
    /// The connection's address counts, and is appended to `x-forwarded-for`.
    pub use_remote_address: bool,
    /// How many proxies in front are trusted.
    pub trusted_hops: u32,
    /// `x-forwarded-for` is not appended to.
    pub skip_append: bool,
}

/// Time limits; `None`: without limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A connection without requests.
    pub idle: Option<Duration>,
    /// A stream on which nothing moves.
    pub stream_idle: Option<Duration>,
    /// A request until its end is received.
    pub request: Option<Duration>,
    /// A request's head until its end is received.
    pub request_headers: Option<Duration>,
    /// A connection as a whole.
    pub max_connection_duration: Option<Duration>,
    /// A stream as a whole.
    pub max_stream_duration: Option<Duration>,
}

/// A connection manager's configuration, the same for all workers.
pub struct HcmSpec {
    /// The prefix of its stats, without `http.`.
    pub stat_prefix: String,
    /// Which HTTP versions are spoken.
    pub codec: CodecType,
    /// The HTTP/1 codec's settings.
    pub h1: Arc<H1Settings>,
    /// The HTTP filters.
    pub chain: ChainSpec,
    /// The route table, as it changes.
    pub routes: Published<RouteTable>,
    /// Logs written at the end of each stream.
    pub access_logs: Vec<AccessLogSpec>,
    /// The value of the `server` header.
    pub server_name: String,
    /// What becomes of the `server` header.
    pub server_header: ServerHeader,
    /// The value appended to `via`, empty for none.
    pub via: String,
    /// `x-request-id`.
    pub request_ids: RequestIds,
    /// The client's address.
    pub xff: XffSettings,
    /// The port of hosts.
    pub strip_port: StripPort,
    /// A trailing dot of hosts goes.
    pub strip_trailing_dot: bool,
    /// Paths are normalized (RFC 3986).
    pub normalize_path: bool,
    /// Adjacent slashes of paths become one.
    pub merge_slashes: bool,
    /// Escaped slashes of paths.
    pub escaped_slashes: EscapedSlashes,
    /// `x-forwarded-port` is added.
    pub append_forwarded_port: bool,
    /// Sets `:scheme` and `x-forwarded-proto` to this.
    pub scheme_override: Option<String>,
    /// `Expect: 100-continue` is passed on instead of answered.
    pub proxy_100_continue: bool,
    /// Upgrades allowed, in lower case: those of `upgrade_configs` that are enabled.
    pub upgrades: Vec<String>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// How long a draining connection waits before it is closed.
    pub drain_timeout: Duration,
    /// How many requests a connection may carry; 0: any number.
    pub max_requests_per_connection: u64,
    /// How much a stream may buffer, in bytes; from the listener.
    pub buffer_limit: usize,
    /// `http.<stat_prefix>.*`.
    pub stats: Group<HcmStats>,
    /// `http.<stat_prefix>.tracing.*`.
    pub tracing_stats: Option<Group<TracingStats>>,
    /// `http1.*`, the same for all connection managers.
    pub h1_stats: Group<H1Stats>,
    /// `listener.<address>.http.<stat_prefix>.*`.
    pub listener_stats: Group<ListenerHttpStats>,
}
