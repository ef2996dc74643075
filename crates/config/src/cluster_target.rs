//! Which cluster a route sends to: protos to `nuncio_route::cluster`.

use crate::cluster_tree;
use crate::common;
use crate::filter_config::filter_configs;
use crate::header_mutation::{HeaderFields, header_mutations};
use crate::table_cx::TableCx;
use nuncio_base::HeaderName;
use nuncio_base::metadata::Fields;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::route_action as action_proto;
use nuncio_proto::envoy::config::route::v3::weighted_cluster as weighted_proto;
use nuncio_route::cluster::WeightedDraw;
use nuncio_route::{ClusterTarget, WeightedCluster, WeightedClusters};
use std::sync::Arc;

/// Where a route's cluster comes from. `metadata_match` is what the route asks of hosts; weighted
/// clusters add to it.
///
/// # Errors
/// Weights that don't add up, clusters without a name; plugins that are not there.
pub fn cluster_target(
    cx: &mut ParseCx,
    proto: Option<action_proto::ClusterSpecifier>,
    metadata_match: Option<&Arc<Fields>>,
    route_name: &str,
    table: &TableCx,
) -> Parsed<ClusterTarget> {
    use action_proto::ClusterSpecifier;
    match proto {
        Some(ClusterSpecifier::Cluster(name)) => Ok(ClusterTarget::Name(name.into())),
        Some(ClusterSpecifier::ClusterHeader(name)) => {
            Ok(ClusterTarget::Header(header_to_ask(&name)))
        }
        Some(ClusterSpecifier::WeightedClusters(weighted)) => cx
            .field("weighted_clusters", |cx| {
                weighted_clusters(cx, weighted, metadata_match, route_name)
            })
            .map(ClusterTarget::Weighted),
        Some(ClusterSpecifier::ClusterSpecifierPlugin(name)) => {
            cx.field("cluster_specifier_plugin", |cx| {
                match table.plugins.get(&name) {
                    Some(Some(tree)) => Ok(ClusterTarget::Tree(tree.clone())),
                    Some(None) => Err(cx.error(format!(
                        "Cluster specifier plugin {name} is optional and not there"
                    ))),
                    None => Err(cx.error(format!(
                        "Unknown cluster specifier plugin name: {name} is used in the route"
                    ))),
                }
            })
        }
        Some(ClusterSpecifier::InlineClusterSpecifierPlugin(plugin)) => cx
            .field("inline_cluster_specifier_plugin", |cx| {
                cluster_tree::plugin(cx, plugin)
            })
            .map(ClusterTarget::Tree),
        None => Err(cx.error("field: 'cluster_specifier', reason: is required")),
    }
}

/// A header of the request by the name that config has for it.
pub fn header_to_ask(name: &str) -> HeaderName {
    match name.to_ascii_lowercase().as_str() {
        "host" => HeaderName::new(":authority"),
        name => HeaderName::new(name),
    }
}

fn weighted_clusters(
    cx: &mut ParseCx,
    proto: proto::WeightedCluster,
    metadata_match: Option<&Arc<Fields>>,
    route_name: &str,
) -> Parsed<WeightedClusters> {
    use weighted_proto::RandomValueSpecifier;
    let proto::WeightedCluster {
        clusters,
        // Deprecated; Envoy takes the sum of the weights whatever stands here.
        total_weight: _,
        runtime_key_prefix,
        random_value_specifier,
    } = proto;
    let draw = match random_value_specifier {
        Some(RandomValueSpecifier::HeaderName(name)) if !name.is_empty() => {
            WeightedDraw::Header(header_to_ask(&name))
        }
        Some(RandomValueSpecifier::UseHashPolicy(hash)) if hash.value => WeightedDraw::Hash,
        Some(RandomValueSpecifier::HeaderName(_) | RandomValueSpecifier::UseHashPolicy(_))
        | None => WeightedDraw::Random,
    };
    let clusters = cx.list("clusters", clusters, |cx, cluster| {
        weighted_cluster(cx, cluster, metadata_match, &runtime_key_prefix)
    })?;
    let by_runtime = !runtime_key_prefix.is_empty();
    WeightedClusters::new(route_name, clusters, draw, by_runtime)
        .map_err(|error| cx.error_at("clusters", error.message()))
}

fn weighted_cluster(
    cx: &mut ParseCx,
    proto: weighted_proto::ClusterWeight,
    route_match: Option<&Arc<Fields>>,
    runtime_key_prefix: &str,
) -> Parsed<WeightedCluster> {
    use weighted_proto::cluster_weight::HostRewriteSpecifier;
    let weighted_proto::ClusterWeight {
        name,
        cluster_header,
        weight,
        metadata_match,
        request_headers_to_add,
        request_headers_to_remove,
        response_headers_to_add,
        response_headers_to_remove,
        typed_per_filter_config,
        host_rewrite_specifier,
    } = proto;
    let runtime_key = match runtime_key_prefix {
        "" => String::new(),
        prefix => format!("{prefix}.{name}"),
    };
    let target = match (name.is_empty(), cluster_header.is_empty()) {
        (false, true) => ClusterTarget::Name(name.into()),
        (true, false) => ClusterTarget::Header(header_to_ask(&cluster_header)),
        (false, false) => {
            return Err(cx.error("Only one of name or cluster_header can be specified"));
        }
        (true, true) => {
            return Err(cx.error("At least one of name or cluster_header need to be specified"));
        }
    };
    let Some(weight) = weight else {
        return Err(cx.error_at("weight", "Field 'weight' is missing in: ClusterWeight"));
    };
    let request = HeaderFields::request(request_headers_to_add, request_headers_to_remove);
    let response = HeaderFields::response(response_headers_to_add, response_headers_to_remove);
    let host_rewrite = host_rewrite_specifier
        .map(|HostRewriteSpecifier::HostRewriteLiteral(host)| host)
        .filter(|host| !host.is_empty());
    Ok(WeightedCluster {
        target,
        weight: weight.value,
        runtime_key,
        metadata_match: common::merged_match(route_match, common::metadata_match(metadata_match)),
        request_headers: header_mutations(cx, request)?,
        response_headers: header_mutations(cx, response)?,
        filters: filter_configs(cx, typed_per_filter_config)?,
        host_rewrite_literal: host_rewrite.map(|host| host.into_bytes().into()),
    })
}
