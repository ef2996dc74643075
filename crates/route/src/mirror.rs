//! `envoy.config.route.v3.RouteAction.RequestMirrorPolicy`: a copy of the request sent elsewhere.

use crate::cluster::ClusterTarget;
use crate::mutation_steps::MutationSteps;
use nuncio_base::runtime_flags::RuntimeFraction;

/// Where and when a copy of a request is sent.
#[derive(Clone, Debug)]
pub struct MirrorPolicy {
    /// The cluster: a name or a header.
    pub cluster: ClusterTarget,
    /// The share of requests; `None`: all.
    pub runtime_fraction: Option<RuntimeFraction>,
    /// Whether the copy's span is sampled; `None`: as the request's.
    pub trace_sampled: Option<bool>,
    /// Whether the host stays without `-shadow`.
    pub disable_shadow_host_suffix_append: bool,
    /// Changes to the copy's headers.
    pub request_headers: MutationSteps,
    /// What the copy's host becomes, empty for no change.
    pub host_rewrite_literal: Box<[u8]>,
}
