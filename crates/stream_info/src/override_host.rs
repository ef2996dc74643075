//! Which host a filter wants a request to go to, whatever the balancer would choose (Envoy's
//! `setUpstreamOverrideHost`).

/// The wanted host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideHost {
    /// Its address, as logs print it.
    pub address: Box<str>,
    /// Whether no other will do.
    pub strict: bool,
    /// What the request is answered with where no other will do and there is none of this address.
    pub status_not_found: u16,
}
