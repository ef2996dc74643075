//! The connection manager's configuration: `HttpConnectionManager`, parsed.

use crate::conn_manager::original_ip::OriginalIpDetection;
use crate::conn_manager::proxy_status::ProxyStatus;
use crate::conn_manager::stats::{HcmStats, ListenerHttpStats, TracingStats};
use crate::conn_manager::tracing::TracingSettings;
use crate::conn_manager::upgrade::Upgrade;
use crate::factory::ChainSpec;
use crate::local_reply_config::LocalReplyConfig;
use crate::route_source::RouteSource;
use nuncio_codec::h1::{H1Settings, H1Stats};
use nuncio_codec::h2::H2Settings;
use nuncio_matching::CidrList;
use nuncio_observe::AccessLogSpec;
use nuncio_route::MutationSteps;
use nuncio_stats::{Group, Scope};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Which HTTP versions a connection may speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecType {
    /// What ALPN or the first bytes say.
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
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

/// Which clients are of this proxy's own network. Of itself no address is (Envoy's default since
/// 1.33).
#[derive(Clone, Debug, Default)]
pub struct InternalAddresses {
    /// Those that come by Unix sockets.
    pub unix_sockets: bool,
    /// Those with these addresses.
    pub ranges: CidrList,
}

/// What this proxy says of itself to upstreams (`add_user_agent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAgent {
    /// The name of its service cluster.
    pub cluster: String,
    /// The id of its node.
    pub node: String,
}

/// Destination ports that say how a request came, where the PROXY protocol names them.
#[derive(Clone, Debug)]
pub struct ForwardProto {
    /// By `https`.
    pub https_ports: Vec<u32>,
    /// By `http`.
    pub http_ports: Vec<u32>,
}

/// What becomes of `x-forwarded-client-cert`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardClientCert {
    /// It goes.
    Sanitize,
    /// It stays where the client has shown a certificate, else it goes.
    ForwardOnly,
    /// It stays.
    AlwaysForwardOnly,
    /// The client's certificate is added to it where the client has shown one, else it goes.
    AppendForward(ClientCertDetails),
    /// The client's certificate takes its place where the client has shown one, else it goes.
    SanitizeSet(ClientCertDetails),
}

/// What is told of the client's certificate besides its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClientCertDetails {
    /// The certificate itself.
    pub cert: bool,
    /// It and the others that were shown.
    pub chain: bool,
    /// The subject.
    pub subject: bool,
    /// Names that are URIs.
    pub uri: bool,
    /// Names of hosts.
    pub dns: bool,
    /// Who issued it.
    pub issuer: bool,
    /// As JSON.
    pub json: bool,
}

/// Time limits; `None`: without limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeouts {
    /// A connection without requests.
    pub idle: Option<Duration>,
    /// A stream on which nothing moves.
    pub stream_idle: Option<Duration>,
    /// The last bytes of a stream, where that is not a stream on which nothing moves; zero: for
    /// ever.
    pub stream_flush: Option<Duration>,
    /// A request until its end is received.
    pub request: Option<Duration>,
    /// A request's head until its end is received.
    pub request_headers: Option<Duration>,
    /// A connection as a whole.
    pub max_connection_duration: Option<Duration>,
    /// How much longer a connection may last by chance, in percent of that.
    pub max_connection_duration_jitter: f64,
    /// A stream as a whole.
    pub max_stream_duration: Option<Duration>,
    /// How long a draining connection waits before it is closed.
    pub drain: Duration,
    /// How much longer it waits by chance, in percent of that.
    pub drain_jitter: f64,
    /// How long a connection that was closed waits for the client to close it too.
    pub delayed_close: Duration,
}

/// The access logs, and when they are written besides the end of each stream.
#[derive(Default)]
pub struct LogSettings {
    /// The logs.
    pub logs: Vec<AccessLogSpec>,
    /// Also when a request has come.
    pub on_new_request: bool,
    /// Also when a tunnel is there: a CONNECT or an upgrade that was granted.
    pub on_tunnel: bool,
    /// Also this often while a stream lasts.
    pub interval: Option<Duration>,
}

/// The stats of a connection manager.
pub struct ManagerStats {
    /// `http.<stat_prefix>.*`.
    pub http: Group<HcmStats>,
    /// `http.<stat_prefix>.tracing.*`.
    pub tracing: Option<Group<TracingStats>>,
    /// `http1.*`, the same for all connection managers.
    pub http1: Group<H1Stats>,
    /// `http2.*`, the same for all connection managers; it is there once it is needed.
    pub http2: Scope,
    /// `listener.<address>.http.<stat_prefix>.*`.
    pub listener: Group<ListenerHttpStats>,
}

/// A connection manager's configuration, the same for all workers.
pub struct HcmSpec {
    /// The prefix of its stats, without `http.`.
    pub stat_prefix: String,
    /// Which HTTP versions are spoken.
    pub codec: CodecType,
    /// The HTTP/1 codec's settings.
    pub h1: Arc<H1Settings>,
    /// The HTTP/2 codec's settings.
    pub h2: Arc<H2Settings>,
    /// The HTTP filters.
    pub chain: ChainSpec,
    /// Where its route tables come from.
    pub routes: RouteSource,
    /// The access logs.
    pub logs: LogSettings,
    /// Changes to request headers before anything else looks at them.
    pub early_mutations: Vec<MutationSteps>,
    /// What local replies become; `None`: they stay.
    pub local_reply: Option<Arc<LocalReplyConfig>>,
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
    /// Which clients are internal.
    pub internal_addresses: InternalAddresses,
    /// How the client's address is found where the connection's does not count, in this order.
    pub original_ip: Vec<OriginalIpDetection>,
    /// The address that stands in `x-forwarded-for` for clients on this machine.
    pub host_ip: IpAddr,
    /// `x-forwarded-proto` by destination port, where that is set.
    pub forward_proto: Option<Box<ForwardProto>>,
    /// What is said to upstreams of this proxy.
    pub user_agent: Option<UserAgent>,
    /// `x-forwarded-client-cert`.
    pub forward_client_cert: ForwardClientCert,
    /// Which requests are traced; `None`: none, and nothing is said of it.
    pub tracing: Option<TracingSettings>,
    /// `proxy-status` of responses.
    pub proxy_status: Option<ProxyStatus>,
    /// A malformed HTTP/1 message that leaves the connection in a known state does not end it.
    pub stream_error_on_invalid_message: bool,
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
    /// Upgrades that may be allowed.
    pub upgrades: Vec<Upgrade>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Replies to what is too much tell so (`x-envoy-local-overloaded`).
    pub append_local_overload: bool,
    /// A connection that has lasted too long ends with a response only.
    pub safe_max_connection_duration: bool,
    /// How many requests a connection may carry; 0: any number.
    pub max_requests_per_connection: u64,
    /// How much a stream may buffer, in bytes; from the listener.
    pub buffer_limit: usize,
    /// What it counts.
    pub stats: ManagerStats,
}
