//! What the configurations of RING_HASH and MAGLEV share.

use nuncio_config::hash_policy::hash_policy;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::common::v3 as proto;
use nuncio_route::hash_policy::HashPolicy;
use proto::locality_lb_config::LocalityWeightedLbConfig;
use std::sync::Arc;

/// What tables are made of, and what requests are hashed by.
#[derive(Clone, Debug)]
pub(crate) struct HashSettings {
    /// Whether hosts are known by their names, not by their addresses.
    pub use_hostname: bool,
    /// How much of its fair share of requests, in percent, a host may have in flight; without end
    /// where nothing is said.
    pub balance_factor: Option<u32>,
    /// Whether the weights of localities count.
    pub by_locality: bool,
    /// The cluster's own policies; where there are any the route's are not asked.
    pub policies: Arc<[HashPolicy]>,
}

#[cfg(test)]
impl HashSettings {
    /// Hosts are known by their names.
    pub(crate) fn by_name() -> Self {
        Self {
            use_hostname: true,
            balance_factor: None,
            by_locality: false,
            policies: Arc::new([]),
        }
    }
}

/// Converts them.
///
/// # Errors
/// Bad hash policies.
pub(crate) fn settings(
    cx: &mut ParseCx,
    consistent: Option<proto::ConsistentHashingLbConfig>,
    by_locality: Option<LocalityWeightedLbConfig>,
) -> Parsed<HashSettings> {
    let proto::ConsistentHashingLbConfig {
        use_hostname_for_hashing,
        hash_balance_factor,
        hash_policy: policies,
    } = consistent.unwrap_or_default();
    let policies = cx.field("consistent_hashing_lb_config", |cx| {
        cx.list("hash_policy", policies, hash_policy)
    })?;
    Ok(HashSettings {
        use_hostname: use_hostname_for_hashing,
        // 0 can't be configured but in the older place, where it bounds nothing.
        balance_factor: hash_balance_factor
            .map(|factor| factor.value)
            .filter(|it| *it > 0),
        by_locality: by_locality.is_some(),
        policies: policies.into(),
    })
}
