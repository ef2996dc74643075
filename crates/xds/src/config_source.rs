//! Where resources come from (`envoy.config.core.v3.ConfigSource`).

use nuncio_grpc::GrpcService;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where resources come from.
#[derive(Clone, PartialEq, Debug)]
pub enum ConfigSource {
    /// A file.
    Path(Arc<PathSource>),
    /// The stream for all types, which the bootstrap configures; how long the first answer may
    /// take, zero for any time.
    Ads(Duration),
    /// A stream for this type alone, and how long its first answer may take.
    Api(Arc<ApiSource>, Duration),
    /// A control plane that is asked again and again over HTTP, and how long its first answer may
    /// take.
    Rest(Arc<RestSource>, Duration),
}

/// A file with a `DiscoveryResponse` (`path_config_source`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathSource {
    /// The file. It is read again when something is renamed to it.
    pub path: PathBuf,
    /// Where it is set, the file is read again when anything is renamed within this directory.
    pub watched_directory: Option<PathBuf>,
    /// Whether it holds a collection of resources instead of a response: what a resource locator
    /// leads to.
    pub is_collection: bool,
}

/// A control plane (`ApiConfigSource`).
#[derive(Clone, PartialEq, Debug)]
pub struct ApiSource {
    /// The service.
    pub service: Arc<GrpcService>,
    /// Whether resources come one by one, instead of all at once.
    pub delta: bool,
    /// Whether only the first message of a stream says who asks.
    pub node_on_first_message_only: bool,
    /// How many requests may be sent.
    pub rate_limit: Option<RateLimit>,
}

/// A control plane that speaks HTTP with JSON (`api_type: REST`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestSource {
    /// The cluster it is reached through.
    pub cluster: Arc<str>,
    /// How long after an answer it is asked again; up to as much again is added by chance.
    pub refresh_delay: Duration,
    /// How long an answer may take.
    pub request_timeout: Duration,
}

/// How many requests a control plane is sent (`RateLimitSettings`).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RateLimit {
    /// At once.
    pub max_tokens: u32,
    /// One more in each such time.
    pub interval: Duration,
}
