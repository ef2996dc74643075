//! What a route does with a request.

use crate::cluster::ClusterTarget;
use crate::cors::CorsPolicy;
use crate::direct_response::DirectResponse;
use crate::hash_policy::HashPolicy;
use crate::internal_redirect::InternalRedirectPolicy;
use crate::mirror::MirrorPolicy;
use crate::rate_limit::RateLimit;
use crate::redirect::Redirect;
use crate::retry_policy::{HedgePolicy, RetryPolicy};
use crate::rewrite::{HostRewrite, PathRewrite};
use crate::upgrade::UpgradeConfig;
use nuncio_base::metadata::Fields;
use std::sync::Arc;
use std::time::Duration;

/// What a route does with a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It is sent to a cluster.
    Route(Box<RouteAction>),
    /// The client is sent elsewhere.
    Redirect(Box<Redirect>),
    /// It is answered here.
    DirectResponse(Box<DirectResponse>),
    /// Nothing that a proxy could do: such routes are for gRPC servers. Envoy takes the request
    /// for one that has no cluster.
    NonForwarding,
}

/// Which of a cluster's two sets of circuit breakers and pools is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// The usual one.
    #[default]
    Default,
    /// The one for important requests.
    High,
}

/// How long a stream may last at most (`RouteAction.MaxStreamDuration`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxStreamDuration {
    /// The most in general; `None`: the connection manager's. Zero: without end.
    pub max: Option<Duration>,
    /// The most that a `grpc-timeout` header may ask for; `None`: the header is ignored. Zero:
    /// any.
    pub grpc_timeout_header_max: Option<Duration>,
    /// What is taken off the `grpc-timeout` header's value, if something remains then.
    pub grpc_timeout_header_offset: Option<Duration>,
}

/// How a request is sent to a cluster.
#[derive(Clone, Debug)]
pub struct RouteAction {
    /// Where to.
    pub cluster: ClusterTarget,
    /// The status where there is no such cluster: 503, 404 or 500.
    pub cluster_not_found_response_code: u16,
    /// What the cluster's hosts must have in their metadata under `envoy.lb`.
    pub metadata_match: Option<Arc<Fields>>,
    /// What becomes of the path.
    pub path_rewrite: PathRewrite,
    /// What becomes of the host.
    pub host_rewrite: HostRewrite,
    /// Whether a rewritten host is kept in `x-forwarded-host`.
    pub append_x_forwarded_host: bool,
    /// The time for the whole response, retries included; `None`: without end. 15 s where config
    /// says nothing.
    pub timeout: Option<Duration>,
    /// How long the stream may be silent; `None`: as the connection manager says. Zero: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long what is buffered may take to be sent; `None`: as the connection manager says.
    pub flush_timeout: Option<Duration>,
    /// How long the stream may last.
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// The route's retries, or those of its virtual host.
    pub retry_policy: Option<Arc<RetryPolicy>>,
    /// The route's hedging, or that of its virtual host.
    pub hedge_policy: Option<HedgePolicy>,
    /// Copies sent elsewhere: the route's, or its virtual host's, or its table's.
    pub mirror_policies: Arc<[MirrorPolicy]>,
    /// The priority.
    pub priority: Priority,
    /// What the request is hashed by, in order.
    pub hash_policies: Vec<HashPolicy>,
    /// Upgrades allowed or forbidden here.
    pub upgrades: Vec<UpgradeConfig>,
    /// Redirects of the upstream followed here.
    pub internal_redirect: Option<Box<InternalRedirectPolicy>>,
    /// The policy of the CORS filter, in its old place.
    pub cors: Option<Arc<CorsPolicy>>,
    /// What requests are counted by.
    pub rate_limits: Vec<RateLimit>,
    /// Whether they are counted by what the virtual host says too.
    pub include_vh_rate_limits: bool,
    /// The old form of [`MaxStreamDuration::grpc_timeout_header_max`], which limits the timeout
    /// instead of the stream; zero: any.
    pub max_grpc_timeout: Option<Duration>,
    /// What is taken off the `grpc-timeout` header's value with
    /// [`max_grpc_timeout`](Self::max_grpc_timeout).
    pub grpc_timeout_offset: Option<Duration>,
}

impl RouteAction {
    /// The timeout of a route whose config names none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

    /// A route to `cluster` that says nothing else.
    pub fn new(cluster: ClusterTarget) -> Self {
        Self {
            cluster,
            cluster_not_found_response_code: 503,
            metadata_match: None,
            path_rewrite: PathRewrite::Keep,
            host_rewrite: HostRewrite::Keep,
            append_x_forwarded_host: false,
            timeout: Some(Self::DEFAULT_TIMEOUT),
            idle_timeout: None,
            flush_timeout: None,
            max_stream_duration: None,
            retry_policy: None,
            hedge_policy: None,
            mirror_policies: Arc::new([]),
            priority: Priority::Default,
            hash_policies: Vec::new(),
            upgrades: Vec::new(),
            internal_redirect: None,
            cors: None,
            rate_limits: Vec::new(),
            include_vh_rate_limits: false,
            max_grpc_timeout: None,
            grpc_timeout_offset: None,
        }
    }

    /// Whether there are requests whose payload goes on by itself.
    pub fn ends_any_connect(&self) -> bool {
        self.upgrades.iter().any(|one| one.connect.is_some())
    }

    /// Whether the payload of a request with this method goes on as plain TCP.
    pub fn ends_connect(&self, method: &[u8]) -> bool {
        let mut configs = self.upgrades.iter().rev().filter_map(|one| one.connect);
        configs.next().is_some_and(|connect| {
            method == b"CONNECT" || (connect.allow_post && method == b"POST")
        })
    }

    /// What is said of an upgrade: allowed or not, or nothing.
    pub fn upgrade(&self, kind: &[u8]) -> Option<&UpgradeConfig> {
        self.upgrades
            .iter()
            .find(|upgrade| upgrade.kind.as_bytes().eq_ignore_ascii_case(kind))
    }
}
