//! `envoy.extensions.clusters.aggregate.v3.ClusterConfig`.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::extensions::clusters::aggregate::v3::ClusterConfig;
use nuncio_upstream::lb::aggregate::AggregateSpec;
use proto::cluster::ClusterDiscoveryType;

/// The name of the cluster type.
pub(crate) const NAME: &str = "envoy.clusters.aggregate";

/// What an aggregate cluster is made of; `None` for clusters of another type.
///
/// # Errors
/// Recorded in `cx`.
pub(crate) fn aggregate(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Option<AggregateSpec>> {
    let Some(ClusterDiscoveryType::ClusterType(custom)) = &proto.cluster_discovery_type else {
        return Ok(None);
    };
    let Some(config) = custom.typed_config.as_ref().filter(|_| custom.name == NAME) else {
        return Ok(None);
    };
    let config: ClusterConfig = cx.field("cluster_type", |cx| {
        cx.field("typed_config", |cx| cx.unpack(config))
    })?;
    let common = proto.common_lb_config.as_ref();
    let threshold = common.and_then(|common| common.healthy_panic_threshold);
    Ok(Some(AggregateSpec {
        clusters: config.clusters.into_iter().map(Into::into).collect(),
        panic_threshold: threshold.map_or(50, |percent| percent.value as u32),
    }))
}
