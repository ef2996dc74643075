//! A cluster's `preconnect_policy`.

use crate::matching;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3::cluster as proto;
use nuncio_proto::google::protobuf::DoubleValue;
use nuncio_upstream::preconnect::PreconnectPolicy;
use std::sync::Arc;

/// The policy, where it asks for more connections than streams do.
///
/// # Errors
/// Recorded in `cx`.
pub fn policy(
    cx: &mut ParseCx,
    proto: proto::PreconnectPolicy,
) -> Parsed<Option<Arc<PreconnectPolicy>>> {
    let matcher = proto.preconnect_enabled_metadata;
    let hosts = cx.optional(
        "preconnect_enabled_metadata",
        matcher,
        matching::metadata_matcher,
    )?;
    let policy = PreconnectPolicy {
        per_upstream: ratio(proto.per_upstream_preconnect_ratio),
        predictive: ratio(proto.predictive_preconnect_ratio),
        hosts,
    };
    let wants_more = policy.per_upstream > 1.0 || policy.predictive > 1.0;
    Ok(wants_more.then(|| Arc::new(policy)))
}

fn ratio(proto: Option<DoubleValue>) -> f32 {
    proto.map_or(1.0, |ratio| ratio.value as f32)
}
