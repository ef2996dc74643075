//! The configuration.

use super::factory::TcpProxyFactory;
use super::spec::{ClusterChoice, TcpProxySpec, WeightedCluster};
use super::tlvs::{AddedTlvs, TlvMerge};
use super::tunnel::TunnelSpec;
use super::tunnel_headers::TunnelHeaders;
use nuncio_base::metadata::Fields;
use nuncio_config::access_log::access_logs;
use nuncio_config::common::{merged_match, metadata_match};
use nuncio_config::duration;
use nuncio_config::format::text_format;
use nuncio_config::header_mutation::{HeaderFields, header_mutations};
use nuncio_config::proxy_protocol::tlv;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::{BackoffStrategy, TlvEntry};
use nuncio_proto::envoy::extensions::filters::network::tcp_proxy::v3 as proto;
use nuncio_proto::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::{
    ClusterSpecifier, OnDemand, TcpAccessLogOptions, TunnelingConfig,
    WeightedCluster as WeightedProto,
};
use nuncio_proto::envoy::extensions::filters::network::tcp_proxy::v3::{
    ProxyProtocolTlvMergePolicy, TcpProxy as Proto,
};
use nuncio_proto::envoy::r#type::v3::HashPolicy as HashPolicyProto;
use nuncio_proto::envoy::r#type::v3::hash_policy::PolicySpecifier;
use nuncio_route::hash_policy::{HashInput, HashPolicy};
use nuncio_route::retry_policy::BackOff;
use std::sync::Arc;
use std::time::Duration;

/// The extension.
pub struct TcpProxy;

impl NetworkFilterExtension for TcpProxy {
    const NAME: &'static str = "envoy.filters.network.tcp_proxy";
    const TERMINAL: bool = true;
    type Proto = Proto;
    type Spec = TcpProxyFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<TcpProxyFactory> {
        let refused = refuse_not_built(cx, &proto);
        let merge = proto.proxy_protocol_tlv_merge_policy();
        let logs = log_options(cx, &proto);
        let hour = Some(Duration::from_secs(3600));
        let idle_timeout = duration::limit(cx, "idle_timeout", proto.idle_timeout, hour);
        let max_duration = duration::limit(
            cx,
            "max_downstream_connection_duration",
            proto.max_downstream_connection_duration,
            None,
        );
        let access_logs = access_logs(cx, "access_log", proto.access_log);
        let metadata_match = metadata_match(proto.metadata_match);
        let cluster = cluster(cx, proto.cluster_specifier, metadata_match.as_ref());
        let hash_policies = cx.list("hash_policy", proto.hash_policy, hash_policy);
        let back_off = cx.optional("backoff_options", proto.backoff_options, back_off);
        let tunnel = cx.optional("tunneling_config", proto.tunneling_config, tunnel);
        let tlvs = added_tlvs(cx, merge, proto.proxy_protocol_tlvs);
        refused?;
        let scope = cx.env().scope();
        let mut spec = TcpProxySpec::new(&proto.stat_prefix, cluster?, &scope);
        spec.metadata_match = metadata_match;
        spec.hash_policies = hash_policies?;
        spec.idle_timeout = idle_timeout?;
        spec.max_connect_attempts = proto.max_connect_attempts.map_or(1, |value| value.value);
        spec.max_downstream_connection_duration = max_duration?;
        spec.max_duration_jitter_percent = proto
            .max_downstream_connection_duration_jitter_percentage
            .map_or(0.0, |percent| percent.value);
        spec.check_drain_close = proto.check_drain_close.is_some_and(|value| value.value);
        spec.access_logs = access_logs?;
        spec.back_off = back_off?;
        spec.tunnel = tunnel?;
        spec.tlvs = tlvs?;
        let logs = logs?;
        spec.access_log_flush_interval = logs.interval;
        spec.flush_access_log_on_start = logs.on_start;
        spec.flush_access_log_on_connected = logs.on_connected;
        Ok(TcpProxyFactory::new(spec))
    }
}

/// `downstream_idle_timeout` and `upstream_idle_timeout` are not among these: Envoy too has no use
/// for them.
fn refuse_not_built(cx: &mut ParseCx, proto: &Proto) -> Parsed<()> {
    let immediate = proto.upstream_connect_mode() == proto::UpstreamConnectMode::Immediate;
    if !immediate && proto.max_early_data_bytes.is_none() {
        return Err(cx.error(
            "max_early_data_bytes must be set when upstream_connect_mode is not IMMEDIATE",
        ));
    }
    let checks = [
        ("upstream_connect_mode", !immediate),
        ("max_early_data_bytes", proto.max_early_data_bytes.is_some()),
    ];
    let mut result = on_demand(cx, proto.on_demand.as_ref());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}

/// Whom clusters that are not there are asked of. Where nobody is named nobody is asked, however
/// long that may take.
fn on_demand(cx: &mut ParseCx, proto: Option<&OnDemand>) -> Parsed<()> {
    let Some(proto) = proto else {
        return Ok(());
    };
    cx.field("on_demand", |cx| {
        let config = cx.refuse("odcds_config", proto.odcds_config.is_some());
        config.and(cx.refuse("resources_locator", !proto.resources_locator.is_empty()))
    })
}

fn added_tlvs(
    cx: &mut ParseCx,
    merge: ProxyProtocolTlvMergePolicy,
    tlvs: Vec<TlvEntry>,
) -> Parsed<Option<AddedTlvs>> {
    let values = cx.list("proxy_protocol_tlvs", tlvs, tlv)?;
    let merge = match merge {
        ProxyProtocolTlvMergePolicy::AddIfAbsent => TlvMerge::AddIfAbsent,
        ProxyProtocolTlvMergePolicy::OverwriteByTypeIfExistsOrAdd => TlvMerge::Overwrite,
        ProxyProtocolTlvMergePolicy::AppendIfExistsOrAdd => TlvMerge::Append,
    };
    Ok((!values.is_empty()).then_some(AddedTlvs { values, merge }))
}

fn back_off(cx: &mut ParseCx, proto: BackoffStrategy) -> Parsed<BackOff> {
    let base = cx.required("base_interval", proto.base_interval, |cx, base| {
        duration::convert(cx, &base)
    });
    let max = duration::optional(cx, "max_interval", proto.max_interval);
    let (base_interval, max) = (base?, max?);
    let max_interval = max.unwrap_or(base_interval * 10);
    if max_interval < base_interval {
        let message = "max_interval must be greater than or equal to the base_interval";
        return Err(cx.error_at("max_interval", message));
    }
    Ok(BackOff {
        base_interval,
        max_interval,
    })
}

/// How a tunnel is asked for. Ids made for requests and extensions of formats are refused.
fn tunnel(cx: &mut ParseCx, proto: TunnelingConfig) -> Parsed<TunnelSpec> {
    let TunnelingConfig {
        hostname,
        use_post,
        headers_to_add,
        propagate_response_headers,
        post_path,
        propagate_response_trailers,
        request_id_extension,
        request_id_header,
        request_id_metadata_key,
        formatters,
    } = proto;
    let checks = [
        ("request_id_extension", request_id_extension.is_some()),
        ("request_id_header", !request_id_header.is_empty()),
        (
            "request_id_metadata_key",
            !request_id_metadata_key.is_empty(),
        ),
        ("formatters", !formatters.is_empty()),
    ];
    let mut refused = Ok(());
    for (field, used) in checks {
        refused = refused.and(cx.refuse(field, used));
    }
    if !use_post && !post_path.is_empty() {
        let message = "Can't set a post path when POST method isn't used";
        return Err(cx.error_at("post_path", message));
    }
    let hostname = cx.field("hostname", |cx| text_format(cx, &hostname, true));
    let headers = header_mutations(
        cx,
        HeaderFields {
            add_field: "headers_to_add",
            add: headers_to_add,
            remove_field: "",
            remove: Vec::new(),
        },
    );
    let path = match post_path.as_str() {
        "" => "/",
        path => path,
    };
    refused?;
    Ok(TunnelSpec {
        hostname: hostname?,
        post_path: use_post.then(|| path.as_bytes().to_vec()),
        headers: headers?,
        kept: TunnelHeaders {
            headers: propagate_response_headers,
            trailers: propagate_response_trailers,
        },
    })
}

struct LogOptions {
    interval: Option<Duration>,
    on_start: bool,
    on_connected: bool,
}

/// When connections are logged: by `access_log_options`, or by the fields it replaces.
fn log_options(cx: &mut ParseCx, proto: &Proto) -> Parsed<LogOptions> {
    let old_interval = proto.access_log_flush_interval;
    let old_on_connected = proto.flush_access_log_on_connected;
    let Some(options) = proto.access_log_options else {
        return Ok(LogOptions {
            interval: duration::optional(cx, "access_log_flush_interval", old_interval)?,
            on_start: false,
            on_connected: old_on_connected,
        });
    };
    if old_interval.is_some() {
        return Err(cx.error(
            "Only one of access_log_flush_interval or access_log_options can be specified.",
        ));
    }
    if old_on_connected {
        return Err(cx.error(
            "Only one of flush_access_log_on_connected or access_log_options can be specified.",
        ));
    }
    let TcpAccessLogOptions {
        access_log_flush_interval,
        flush_access_log_on_connected,
        flush_access_log_on_start,
    } = options;
    let interval = cx.field("access_log_options", |cx| {
        duration::optional(cx, "access_log_flush_interval", access_log_flush_interval)
    })?;
    Ok(LogOptions {
        interval,
        on_start: flush_access_log_on_start,
        on_connected: flush_access_log_on_connected,
    })
}

/// What connections are hashed by; validation allows one.
fn hash_policy(cx: &mut ParseCx, proto: HashPolicyProto) -> Parsed<HashPolicy> {
    let input = match proto.policy_specifier {
        Some(PolicySpecifier::SourceIp(_)) => HashInput::SourceIp,
        Some(PolicySpecifier::FilterState(state)) => HashInput::FilterState(state.key.into()),
        None => return Err(cx.error("field: 'policy_specifier', reason: is required")),
    };
    Ok(HashPolicy {
        input,
        terminal: false,
    })
}

fn cluster(
    cx: &mut ParseCx,
    proto: Option<ClusterSpecifier>,
    of_all: Option<&Arc<Fields>>,
) -> Parsed<ClusterChoice> {
    match proto {
        Some(ClusterSpecifier::Cluster(name)) => Ok(ClusterChoice::One(name.into())),
        Some(ClusterSpecifier::WeightedClusters(WeightedProto { clusters })) => {
            cx.field("weighted_clusters", |cx| {
                let clusters = cx.list("clusters", clusters, |_, cluster| {
                    let own = metadata_match(cluster.metadata_match);
                    Ok(WeightedCluster {
                        name: cluster.name.into(),
                        weight: cluster.weight,
                        metadata_match: own.and_then(|own| merged_match(of_all, Some(own))),
                    })
                })?;
                if clusters.iter().all(|cluster| cluster.weight == 0) {
                    return Err(cx.error_at("clusters", "value must contain at least 1 item(s)"));
                }
                Ok(ClusterChoice::Weighted(clusters))
            })
        }
        None => Err(cx.error("field: \"cluster_specifier\", reason: is required")),
    }
}
