//! A cluster's load-balancing policy: `load_balancing_policy`, or the older `lb_policy` and what
//! goes with it.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::extensions::load_balancing_policies as policies;
use nuncio_proto::google::protobuf::Any;
use nuncio_upstream::LbSpec;
use policies::common::v3::LocalityLbConfig;
use policies::common::v3::locality_lb_config as locality;
use proto::cluster::common_lb_config::LocalityConfigSpecifier;
use proto::cluster::{LbConfig, LbPolicy};
use std::sync::Arc;

/// The policy of a cluster.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_cluster(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn LbSpec>> {
    if let Some(policy) = &proto.load_balancing_policy {
        return cx.field("load_balancing_policy", |cx| of_list(cx, policy));
    }
    let locality = locality_config(proto);
    let config = match proto.lb_policy() {
        LbPolicy::RoundRobin => {
            let slow_start = match &proto.lb_config {
                Some(LbConfig::RoundRobinLbConfig(config)) => config.slow_start_config.is_some(),
                _ => false,
            };
            cx.refuse("round_robin_lb_config", slow_start)?;
            nuncio_proto::any::pack(&policies::round_robin::v3::RoundRobin {
                locality_lb_config: locality,
                ..Default::default()
            })
        }
        LbPolicy::LeastRequest => {
            let config = match &proto.lb_config {
                Some(LbConfig::LeastRequestLbConfig(config)) => config.clone(),
                _ => Default::default(),
            };
            cx.refuse(
                "least_request_lb_config",
                config.slow_start_config.is_some(),
            )?;
            nuncio_proto::any::pack(&policies::least_request::v3::LeastRequest {
                choice_count: config.choice_count,
                active_request_bias: config.active_request_bias,
                locality_lb_config: locality,
                ..Default::default()
            })
        }
        LbPolicy::Random => nuncio_proto::any::pack(&policies::random::v3::Random {
            locality_lb_config: locality,
        }),
        LbPolicy::RingHash
        | LbPolicy::Maglev
        | LbPolicy::ClusterProvided
        | LbPolicy::LoadBalancingPolicyConfig => return Err(cx.not_built("lb_policy")),
    };
    of_any(cx, &config, "lb_policy")
}

/// The first policy of the list that is known counts, as in Envoy.
fn of_list(cx: &mut ParseCx, proto: &proto::LoadBalancingPolicy) -> Parsed<Arc<dyn LbSpec>> {
    let mut names = Vec::new();
    for policy in &proto.policies {
        let Some(extension) = &policy.typed_extension_config else {
            continue;
        };
        let Some(config) = &extension.typed_config else {
            continue;
        };
        if cx.env().registry.load_balancer(config).is_some() {
            return of_any(cx, config, "policies");
        }
        names.push(extension.name.clone());
    }
    Err(cx.error(format!(
        "cluster: didn't find a registered load balancer factory for any of: {}",
        names.join(", ")
    )))
}

fn of_any(cx: &mut ParseCx, config: &Any, field: &'static str) -> Parsed<Arc<dyn LbSpec>> {
    match cx.env().registry.load_balancer(config) {
        Some(factory) => cx.field(field, |cx| factory.parse(config, cx)),
        None => Err(cx.not_built(field)),
    }
}

fn locality_config(proto: &proto::Cluster) -> Option<LocalityLbConfig> {
    let specifier = proto
        .common_lb_config
        .as_ref()
        .and_then(|common| common.locality_config_specifier.as_ref());
    let specifier = match specifier {
        None => return None,
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => {
            let weighted = locality::LocalityWeightedLbConfig::default();
            locality::LocalityConfigSpecifier::LocalityWeightedLbConfig(weighted)
        }
        // Without a local cluster, which the bootstrap refuses, there is nothing to be aware of:
        // Envoy then balances over all localities, and so does this.
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(_)) => return None,
    };
    Some(LocalityLbConfig {
        locality_config_specifier: Some(specifier),
    })
}
