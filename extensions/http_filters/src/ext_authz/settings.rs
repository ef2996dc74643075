//! What the filter is configured with.

use super::stats::ExtAuthzStats;
use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_grpc::GrpcService;
use nuncio_http::LocalReply;
use nuncio_matching::ListStringMatcher;
use nuncio_matching::value::MetadataMatcher;
use nuncio_route::HeaderMutations;
use nuncio_stats::Group;
use nuncio_stream_info::ResponseFlag;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The filter's configuration.
pub struct ExtAuthzSpec {
    /// Who is asked; `None`: nobody, and every check fails.
    pub service: Option<Service>,
    /// What only a gRPC service gets.
    pub grpc: GrpcCheck,
    /// Whether requests pass where the service fails.
    pub failure_mode_allow: bool,
    /// Whether upstream is told of that.
    pub failure_mode_allow_header_add: bool,
    /// Whether the service gets the body.
    pub body: Option<BodySettings>,
    /// Whether an answer that changes the request has its route chosen anew.
    pub clear_route_cache: bool,
    /// The HTTP status of requests that are refused since the service failed.
    pub status_on_error: u16,
    /// The share of requests that are checked.
    pub enabled: Option<RuntimeFraction>,
    /// Dynamic metadata of requests that are checked.
    pub enabled_metadata: Option<MetadataMatcher>,
    /// Whether requests that are not checked are refused, and the runtime key that may say so.
    pub deny_at_disable: Option<(bool, String)>,
    /// Request headers that the service gets besides the usual ones.
    pub allowed_headers: Option<ListStringMatcher>,
    /// Request headers that it does not get.
    pub disallowed_headers: Option<ListStringMatcher>,
    /// Whether headers go to the service as they are.
    pub encode_raw_headers: bool,
    /// Whether denials count as responses of the request's cluster.
    pub charge_cluster: bool,
    /// Whether the service may set dynamic metadata.
    pub ingest_metadata: bool,
    /// How many bytes of a denial's body are sent on; 0: all.
    pub max_denied_body: usize,
    /// Whether what is decided is noted and not carried out.
    pub shadow: bool,
    /// The filter's own part of its stats' names.
    pub stat_prefix: String,
    /// What it counts.
    pub stats: Group<ExtAuthzStats>,
}

impl ExtAuthzSpec {
    /// The reply to a request that is refused without a verdict.
    pub(super) fn error_reply(&self) -> LocalReply {
        LocalReply::new(self.status_on_error, "", "ext_authz_error")
            .flag(ResponseFlag::UnauthorizedExternalService)
    }
}

/// How much of a body the service gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodySettings {
    /// In bytes; a larger body is refused with 413.
    pub max_bytes: usize,
    /// Whether the beginning will do.
    pub allow_partial: bool,
    /// Whether a gRPC service gets it as bytes instead of text.
    pub pack_as_bytes: bool,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub enum Service {
    /// A service that is asked over HTTP.
    Http(Arc<HttpService>),
    /// A service of `envoy.service.auth.v3.Authorization`.
    Grpc(Arc<GrpcService>),
}

/// What a gRPC service gets of a request's surroundings.
#[derive(Clone, Debug, Default)]
pub struct GrpcCheck {
    /// Namespaces of dynamic metadata.
    pub metadata_namespaces: Vec<String>,
    /// Namespaces of the route's metadata.
    pub route_metadata_namespaces: Vec<String>,
    /// The client's certificate.
    pub include_peer_certificate: bool,
    /// What TLS asked for.
    pub include_tls_session: bool,
}

/// A service that is asked over HTTP.
#[derive(Debug)]
pub struct HttpService {
    /// The cluster it is reached through.
    pub cluster: Arc<str>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// The path that is asked for.
    pub path: ServicePath,
    /// Headers that every check gets.
    pub headers_to_add: HeaderMutations,
    /// What is taken of its answers.
    pub answer: AnswerHeaders,
}

/// Which headers of a service's answers are used, and for what.
#[derive(Debug)]
pub struct AnswerHeaders {
    /// Of a consent: these replace the request's.
    pub set: Option<ListStringMatcher>,
    /// Of a consent: these are added to the request's.
    pub append: Option<ListStringMatcher>,
    /// Of a consent: these are added to the response's.
    pub response: Option<ListStringMatcher>,
    /// Of a denial: these the client gets; `None`: all.
    pub denial: Option<ListStringMatcher>,
    /// Of either: these become dynamic metadata.
    pub metadata: Option<ListStringMatcher>,
}

/// The path that a service is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServicePath {
    /// The request's.
    Same,
    /// This and the request's.
    Prefix(String),
    /// This.
    Override(String),
}

/// The filter's configuration at a route.
#[derive(Clone, Debug)]
pub enum ExtAuthzRouteSpec {
    /// Whether requests are not checked.
    Disabled(bool),
    /// How they are checked.
    Check(CheckSettings),
}

/// How a route's requests are checked.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// Whether the service gets the body; `None`: as the filter says.
    pub body: Option<Option<BodySettings>>,
    /// Who is asked instead.
    pub service: Option<Service>,
    /// What a gRPC service is told besides.
    pub context_extensions: Arc<BTreeMap<String, String>>,
}
