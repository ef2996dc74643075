//! A cluster's load-balancing policy: `load_balancing_policy`, or the older `lb_policy` and what
//! goes with it.

use crate::aggregate_cluster;
use crate::common::metadata_key;
use crate::lb_subset;
use crate::unknown_extension::is_envoys;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::extensions::load_balancing_policies as policies;
use nuncio_proto::google::protobuf::Any;
use nuncio_upstream::LbSpec;
use nuncio_upstream::original_dst::OriginalDst;
use policies::common::v3::locality_lb_config as locality;
use policies::common::v3::{ConsistentHashingLbConfig, LocalityLbConfig, SlowStartConfig};
use proto::cluster::common_lb_config::LocalityConfigSpecifier;
use proto::cluster::{ClusterDiscoveryType, DiscoveryType, LbConfig, LbPolicy};
use std::sync::Arc;

/// The policy of a cluster.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_cluster(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn LbSpec>> {
    if let Some(spec) = aggregate_cluster::aggregate(cx, proto)? {
        return match is_cluster_provided(proto) {
            true => Ok(Arc::new(spec)),
            false => Err(cx.error(format!(
                "cluster manager: cluster provided LB not specified but cluster '{}' provided one. \
                 Check cluster documentation.",
                proto.name
            ))),
        };
    }
    if let Some(policy) = &proto.load_balancing_policy {
        check_alone(cx, proto)?;
        if is_cluster_provided(proto) {
            return match is_original_dst(proto) {
                true => original_dst(cx, proto),
                false => Err(cx.error_at("load_balancing_policy", not_provided(&proto.name))),
            };
        }
        return cx.field("load_balancing_policy", |cx| {
            of_list(cx, &format!("cluster: '{}'", proto.name), policy)
        });
    }
    lb_subset::check(cx, proto)?;
    let config = match proto.lb_policy() {
        LbPolicy::RoundRobin => round_robin(proto),
        LbPolicy::LeastRequest => least_request(proto),
        LbPolicy::Random => nuncio_proto::any::pack(&policies::random::v3::Random {
            locality_lb_config: locality_config(proto),
        }),
        LbPolicy::RingHash => {
            check_hostnames(cx, proto)?;
            nuncio_proto::any::pack(&ring_hash(proto))
        }
        LbPolicy::Maglev => {
            check_hostnames(cx, proto)?;
            nuncio_proto::any::pack(&maglev(proto))
        }
        LbPolicy::ClusterProvided if is_original_dst(proto) => return original_dst(cx, proto),
        LbPolicy::ClusterProvided => {
            return Err(cx.error_at("lb_policy", not_provided(&proto.name)));
        }
        LbPolicy::LoadBalancingPolicyConfig => {
            let message = "cluster: field load_balancing_policy need to be set";
            return Err(cx.error_at("load_balancing_policy", message));
        }
    };
    let is_subset = proto.lb_subset_config.is_some();
    let config = lb_subset::of_cluster(cx, proto, config)?;
    let field = if is_subset {
        "lb_subset_config"
    } else {
        "lb_policy"
    };
    of_any(cx, &config, field)
}

fn not_provided(cluster: &str) -> String {
    format!(
        "cluster manager: cluster provided LB specified but cluster '{cluster}' did not provide \
         one. Check cluster documentation."
    )
}

/// Whether the cluster's type is to balance.
fn is_cluster_provided(proto: &proto::Cluster) -> bool {
    const TYPE: &str =
        "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided";
    match &proto.load_balancing_policy {
        None => proto.lb_policy() == LbPolicy::ClusterProvided,
        Some(policy) => policy.policies.iter().any(|policy| {
            let extension = policy.typed_extension_config.as_ref();
            let config = extension.and_then(|extension| extension.typed_config.as_ref());
            config.is_some_and(|config| nuncio_proto::any::type_name(config) == TYPE)
        }),
    }
}

fn is_original_dst(proto: &proto::Cluster) -> bool {
    match &proto.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(kind)) => *kind == DiscoveryType::OriginalDst as i32,
        Some(ClusterDiscoveryType::ClusterType(custom)) => {
            custom.name == "envoy.cluster.original_dst"
        }
        None => false,
    }
}

/// How hosts are found for connections, where the cluster itself knows none.
fn original_dst(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn LbSpec>> {
    let config = match &proto.lb_config {
        Some(LbConfig::OriginalDstLbConfig(config)) => config.clone(),
        _ => Default::default(),
    };
    let (metadata, port) = cx.field("original_dst_lb_config", |cx| {
        let key = cx.optional("metadata_key", config.metadata_key, metadata_key)?;
        let port = config.upstream_port_override;
        let port = cx.optional("upstream_port_override", port, |cx, port| {
            u16::try_from(port.value).map_err(|_| cx.error("value must be at most 65535"))
        })?;
        Ok((key, port))
    })?;
    let header = match config.http_header_name.as_str() {
        "" => "x-envoy-original-dst-host",
        name => name,
    };
    Ok(Arc::new(OriginalDst {
        cluster: proto.name.as_str().into(),
        header: config.use_http_header.then(|| HeaderName::new(header)),
        metadata,
        port,
    }))
}

/// The newer way to name a policy goes with none of what belongs to the older.
fn check_alone(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<()> {
    if proto.lb_subset_config.is_some() {
        let message = "cluster: load_balancing_policy cannot be combined with lb_subset_config";
        return Err(cx.error_at("lb_subset_config", message));
    }
    let common = proto.common_lb_config.as_ref();
    if common.is_some_and(|common| {
        common.locality_config_specifier.is_some() || common.consistent_hashing_lb_config.is_some()
    }) {
        let message = "cluster: load_balancing_policy cannot be combined with partial fields \
                       (zone_aware_lb_config, locality_weighted_lb_config, \
                       consistent_hashing_lb_config) of common_lb_config";
        return Err(cx.error_at("common_lb_config", message));
    }
    Ok(())
}

fn round_robin(proto: &proto::Cluster) -> Any {
    let slow_start = match &proto.lb_config {
        Some(LbConfig::RoundRobinLbConfig(config)) => config.slow_start_config.as_ref(),
        _ => None,
    };
    nuncio_proto::any::pack(&policies::round_robin::v3::RoundRobin {
        locality_lb_config: locality_config(proto),
        slow_start_config: slow_start.map(slow_start_config),
    })
}

fn least_request(proto: &proto::Cluster) -> Any {
    let config = match &proto.lb_config {
        Some(LbConfig::LeastRequestLbConfig(config)) => config.clone(),
        _ => Default::default(),
    };
    nuncio_proto::any::pack(&policies::least_request::v3::LeastRequest {
        choice_count: config.choice_count,
        active_request_bias: config.active_request_bias,
        slow_start_config: config.slow_start_config.as_ref().map(slow_start_config),
        locality_lb_config: locality_config(proto),
        ..Default::default()
    })
}

fn slow_start_config(proto: &proto::cluster::SlowStartConfig) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: proto.slow_start_window,
        aggression: proto.aggression.clone(),
        min_weight_percent: proto.min_weight_percent,
    }
}

fn ring_hash(proto: &proto::Cluster) -> policies::ring_hash::v3::RingHash {
    use policies::ring_hash::v3::ring_hash::HashFunction;
    use proto::cluster::ring_hash_lb_config::HashFunction as Old;
    let config = match &proto.lb_config {
        Some(LbConfig::RingHashLbConfig(config)) => *config,
        _ => Default::default(),
    };
    let function = match config.hash_function() {
        Old::XxHash => HashFunction::XxHash,
        Old::MurmurHash2 => HashFunction::MurmurHash2,
    };
    policies::ring_hash::v3::RingHash {
        hash_function: function.into(),
        minimum_ring_size: config.minimum_ring_size,
        maximum_ring_size: config.maximum_ring_size,
        consistent_hashing_lb_config: consistent_hashing(proto),
        locality_weighted_lb_config: locality_weights(proto),
        ..Default::default()
    }
}

fn maglev(proto: &proto::Cluster) -> policies::maglev::v3::Maglev {
    let table_size = match &proto.lb_config {
        Some(LbConfig::MaglevLbConfig(config)) => config.table_size,
        _ => None,
    };
    policies::maglev::v3::Maglev {
        table_size,
        consistent_hashing_lb_config: consistent_hashing(proto),
        locality_weighted_lb_config: locality_weights(proto),
    }
}

/// In the older place Envoy lets hosts be known by their names where each has one of its own.
fn check_hostnames(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<()> {
    let by_name = consistent_hashing(proto).is_some_and(|config| config.use_hostname_for_hashing);
    let kind = match &proto.cluster_discovery_type {
        Some(ClusterDiscoveryType::ClusterType(_)) => return Ok(()),
        Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(*kind),
        None => Ok(DiscoveryType::Static),
    };
    let kind = match kind.unwrap_or_default() {
        DiscoveryType::StrictDns => return Ok(()),
        DiscoveryType::Static => "static",
        DiscoveryType::LogicalDns => "logical_dns",
        DiscoveryType::Eds => "eds",
        DiscoveryType::OriginalDst => "original_dst",
    };
    if !by_name {
        return Ok(());
    }
    let message = format!(
        "Cannot use hostname for consistent hashing loadbalancing for cluster of type: \
         'envoy.cluster.{kind}'"
    );
    Err(cx.error_at("common_lb_config", message))
}

fn consistent_hashing(proto: &proto::Cluster) -> Option<ConsistentHashingLbConfig> {
    let common = proto.common_lb_config.as_ref()?;
    let config = common.consistent_hashing_lb_config?;
    Some(ConsistentHashingLbConfig {
        use_hostname_for_hashing: config.use_hostname_for_hashing,
        hash_balance_factor: config.hash_balance_factor,
        ..Default::default()
    })
}

fn locality_weights(proto: &proto::Cluster) -> Option<locality::LocalityWeightedLbConfig> {
    match locality_config(proto)?.locality_config_specifier? {
        locality::LocalityConfigSpecifier::LocalityWeightedLbConfig(config) => Some(config),
        locality::LocalityConfigSpecifier::ZoneAwareLbConfig(_) => None,
    }
}

/// The first policy of the list that Envoy knows counts; one that this build lacks is refused, not
/// passed over for a later one.
///
/// # Errors
/// Recorded in `cx`; `whose` policies these are is said where none of them is known.
pub fn of_list(
    cx: &mut ParseCx,
    whose: &str,
    proto: &proto::LoadBalancingPolicy,
) -> Parsed<Arc<dyn LbSpec>> {
    let mut names = Vec::new();
    for (index, policy) in proto.policies.iter().enumerate() {
        let Some(extension) = &policy.typed_extension_config else {
            continue;
        };
        if let Some(config) = &extension.typed_config {
            let known = cx.env().registry.load_balancer(config).is_some();
            if known || is_envoys(nuncio_proto::any::type_name(config)) {
                return cx.field("policies", |cx| {
                    cx.index(index, |cx| of_any(cx, config, "typed_extension_config"))
                });
            }
        }
        names.push(extension.name.as_str());
    }
    Err(cx.error(format!(
        "cluster: didn't find a registered load balancer factory implementation for {whose} with \
         names from [{}]",
        names.join(", ")
    )))
}

fn of_any(cx: &mut ParseCx, config: &Any, field: &'static str) -> Parsed<Arc<dyn LbSpec>> {
    match cx.env().registry.load_balancer(config) {
        Some(factory) => cx.field(field, |cx| factory.parse(config, cx)),
        None => {
            let name = nuncio_proto::any::type_name(config);
            let message =
                format!("the load balancing policy {name} is not supported by this build");
            Err(cx.error_at(field, message))
        }
    }
}

fn locality_config(proto: &proto::Cluster) -> Option<LocalityLbConfig> {
    let common = proto.common_lb_config.as_ref()?;
    let specifier = match common.locality_config_specifier.as_ref()? {
        LocalityConfigSpecifier::LocalityWeightedLbConfig(_) => {
            let weighted = locality::LocalityWeightedLbConfig::default();
            locality::LocalityConfigSpecifier::LocalityWeightedLbConfig(weighted)
        }
        LocalityConfigSpecifier::ZoneAwareLbConfig(zones) => {
            locality::LocalityConfigSpecifier::ZoneAwareLbConfig(locality::ZoneAwareLbConfig {
                routing_enabled: zones.routing_enabled,
                min_cluster_size: zones.min_cluster_size,
                fail_traffic_on_panic: zones.fail_traffic_on_panic,
                ..Default::default()
            })
        }
    };
    Some(LocalityLbConfig {
        locality_config_specifier: Some(specifier),
    })
}
