//! `Cluster.lb_subset_config`, the older way to configure subsets: as the policy that it stands
//! for.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::load_balancing_policies::subset::v3 as typed;
use nuncio_proto::google::protobuf::Any;
use proto::cluster::common_lb_config::LocalityConfigSpecifier;
use proto::cluster::{LbPolicy, LbSubsetConfig};
use proto::load_balancing_policy::Policy;

/// The policy of a cluster that balances with `policy` within its subsets. Without selectors there
/// are none.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_cluster(cx: &mut ParseCx, proto: &proto::Cluster, policy: Any) -> Parsed<Any> {
    let Some(config) = subsets(proto) else {
        return Ok(policy);
    };
    let common = proto.common_lb_config.as_ref();
    let specifier = common.and_then(|common| common.locality_config_specifier.as_ref());
    let by_weight = matches!(
        specifier,
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_))
    );
    if config.locality_weight_aware && !by_weight {
        let message = format!(
            "Locality weight aware subset LB requires that a locality_weighted_lb_config be set \
             in {}",
            proto.name
        );
        return Err(cx.error_at("lb_subset_config", message));
    }
    let selectors = config.subset_selectors.iter();
    let selectors = selectors.map(|one| typed::subset::LbSubsetSelector {
        keys: one.keys.clone(),
        single_host_per_subset: one.single_host_per_subset,
        fallback_policy: one.fallback_policy,
        fallback_keys_subset: one.fallback_keys_subset.clone(),
    });
    Ok(nuncio_proto::any::pack(&typed::Subset {
        fallback_policy: config.fallback_policy,
        default_subset: config.default_subset.clone(),
        subset_selectors: selectors.collect(),
        allow_redundant_keys: false,
        locality_weight_aware: config.locality_weight_aware,
        scale_locality_weight: config.scale_locality_weight,
        panic_mode_any: config.panic_mode_any,
        list_as_any: config.list_as_any,
        metadata_fallback_policy: config.metadata_fallback_policy,
        subset_lb_policy: Some(proto::LoadBalancingPolicy {
            policies: vec![Policy {
                typed_extension_config: Some(TypedExtensionConfig {
                    name: String::new(),
                    typed_config: Some(policy),
                }),
            }],
        }),
    }))
}

/// Subsets are of hosts that the cluster itself knows.
///
/// # Errors
/// Recorded in `cx`.
pub fn check(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<()> {
    if proto.lb_policy() == LbPolicy::ClusterProvided && subsets(proto).is_some() {
        let message = "cluster: LB policy CLUSTER_PROVIDED cannot be combined with \
                       lb_subset_config";
        return Err(cx.error_at("lb_subset_config", message));
    }
    Ok(())
}

fn subsets(proto: &proto::Cluster) -> Option<&LbSubsetConfig> {
    let config = proto.lb_subset_config.as_ref()?;
    (!config.subset_selectors.is_empty()).then_some(config)
}
