//! `envoy.config.route.v3.RouteAction`: proto to `nuncio_route::RouteAction`.

use crate::cluster_target::{cluster_target, header_to_ask};
use crate::common::{metadata_match, runtime_fraction};
use crate::cors::cors_policy;
use crate::duration;
use crate::hash_policy::hash_policy;
use crate::header_mutation::mutation_steps;
use crate::internal_redirect::{internal_redirect_policy, legacy_internal_redirect};
use crate::matching::substitution;
use crate::rate_limit::rate_limit;
use crate::retry::{hedge_policy, retry_policy};
use crate::table_cx::TableCx;
use crate::unknown_extension::unknown_extension;
use crate::uri_template;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_observe::Formatter;
use nuncio_observe::formatter::FormatOptions;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::{RoutingPriority, TypedExtensionConfig};
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::route_action as action_proto;
use nuncio_proto::google::protobuf::Duration as DurationProto;
use nuncio_route::action::MaxStreamDuration;
use nuncio_route::mirror::MirrorPolicy;
use nuncio_route::rewrite::{HostRewrite, PathRewrite};
use nuncio_route::upgrade::{ConnectConfig, UpgradeConfig};
use nuncio_route::{ClusterTarget, Priority, RouteAction};
use std::sync::Arc;

/// How a request is sent to a cluster. `route_name` is for errors, `match_policy` what the route
/// asks of the path by an extension.
///
/// # Errors
/// What Envoy refuses, in its words, and what is not built, by its name.
pub fn route_action(
    cx: &mut ParseCx,
    proto: proto::RouteAction,
    route_name: &str,
    match_policy: Option<&TypedExtensionConfig>,
    table: &TableCx,
) -> Parsed<RouteAction> {
    refuse_unbuilt(cx, &proto)?;
    let not_found = not_found_code(&proto);
    let priority = priority(&proto);
    let redirects = cx.optional(
        "internal_redirect_policy",
        proto.internal_redirect_policy.clone(),
        internal_redirect_policy,
    );
    let legacy_redirect = legacy_internal_redirect(&proto);
    let path_rewrite = path_rewrite(cx, &proto, match_policy);
    let metadata_match = metadata_match(proto.metadata_match);
    let specifier = proto.cluster_specifier;
    let cluster = cluster_target(cx, specifier, metadata_match.as_ref(), route_name, table);
    let host_rewrite = host_rewrite(cx, proto.host_rewrite_specifier);
    let upgrades = upgrade_configs(cx, proto.upgrade_configs);
    let mirrors = cx.list(
        "request_mirror_policies",
        proto.request_mirror_policies,
        mirror_policy,
    );
    let hash_policies = cx.list("hash_policy", proto.hash_policy, hash_policy);
    let retries = cx.optional("retry_policy", proto.retry_policy, retry_policy);
    let hedging = cx.optional("hedge_policy", proto.hedge_policy, hedge_policy);
    let cors = cx.optional("cors", proto.cors, cors_policy);
    let rate_limits = cx.list("rate_limits", proto.rate_limits, rate_limit);
    let default_timeout = Some(RouteAction::DEFAULT_TIMEOUT);
    let timeout = duration::limit(cx, "timeout", proto.timeout, default_timeout);
    let mut time = |field, proto: Option<DurationProto>| duration::optional(cx, field, proto);
    let idle_timeout = time("idle_timeout", proto.idle_timeout);
    let flush_timeout = time("flush_timeout", proto.flush_timeout);
    let max_grpc_timeout = time("max_grpc_timeout", proto.max_grpc_timeout);
    let grpc_timeout_offset = time("grpc_timeout_offset", proto.grpc_timeout_offset);
    let max_stream_duration = cx.optional(
        "max_stream_duration",
        proto.max_stream_duration,
        max_stream_duration,
    );
    Ok(RouteAction {
        cluster: cluster?,
        cluster_not_found_response_code: not_found,
        metadata_match,
        path_rewrite: path_rewrite?,
        host_rewrite: host_rewrite?,
        append_x_forwarded_host: proto.append_x_forwarded_host,
        timeout: timeout?,
        idle_timeout: idle_timeout?,
        flush_timeout: flush_timeout?,
        max_stream_duration: max_stream_duration?,
        retry_policy: retries?.map(Arc::new),
        hedge_policy: hedging?,
        mirror_policies: mirrors?.into(),
        priority,
        hash_policies: hash_policies?,
        upgrades: upgrades?,
        internal_redirect: redirects?.or(legacy_redirect).map(Box::new),
        cors: cors?.map(Arc::new),
        rate_limits: rate_limits?,
        include_vh_rate_limits: proto.include_vh_rate_limits.is_some_and(|on| on.value),
        max_grpc_timeout: max_grpc_timeout?,
        grpc_timeout_offset: grpc_timeout_offset?,
    })
}

fn priority(proto: &proto::RouteAction) -> Priority {
    match proto.priority() {
        RoutingPriority::Default => Priority::Default,
        RoutingPriority::High => Priority::High,
    }
}

fn not_found_code(proto: &proto::RouteAction) -> u16 {
    use action_proto::ClusterNotFoundResponseCode as Code;
    match proto.cluster_not_found_response_code() {
        Code::ServiceUnavailable => 503,
        Code::NotFound => 404,
        Code::InternalServerError => 500,
    }
}

/// The fields that have no counterpart in `nuncio_route` yet.
fn refuse_unbuilt(cx: &mut ParseCx, proto: &proto::RouteAction) -> Parsed<()> {
    // Early data go to upstreams that speak HTTP/3, of which there are none here.
    if let Some(policy) = &proto.early_data_policy
        && type_name(&policy.typed_config.clone().unwrap_or_default())
            != "envoy.extensions.early_data.v3.DefaultEarlyDataPolicy"
    {
        let config = policy.typed_config.clone().unwrap_or_default();
        return Err(cx.field("early_data_policy", |cx| {
            unknown_extension(cx, &policy.name, &config)
        }));
    }
    cx.refuse(
        "retry_policy_typed_config",
        proto.retry_policy_typed_config.is_some(),
    )?;
    Ok(())
}

fn path_rewrite(
    cx: &mut ParseCx,
    proto: &proto::RouteAction,
    match_policy: Option<&TypedExtensionConfig>,
) -> Parsed<PathRewrite> {
    let (prefix, format) = (&proto.prefix_rewrite, proto.path_rewrite.as_str());
    let (regex, policy) = (proto.regex_rewrite.clone(), &proto.path_rewrite_policy);
    let given = [
        !prefix.is_empty(),
        regex.is_some(),
        !format.is_empty(),
        policy.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(
            cx.error("Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy")
        );
    }
    if let Some(policy) = policy {
        return cx.field("path_rewrite_policy", |cx| {
            uri_template::path_rewrite(cx, policy, match_policy)
        });
    }
    if let Some(regex) = regex {
        let rewrite = cx.field("regex_rewrite", |cx| substitution(cx, regex))?;
        return Ok(PathRewrite::Regex(rewrite));
    }
    if !format.is_empty() {
        let format = cx.field("path_rewrite", |cx| {
            rewrite_format(cx, "path", format, true)
        })?;
        return Ok(PathRewrite::Format(Arc::new(format)));
    }
    if prefix.is_empty() {
        return Ok(PathRewrite::Keep);
    }
    Ok(PathRewrite::Prefix(prefix.as_bytes().into()))
}

fn rewrite_format(
    cx: &mut ParseCx,
    what: &str,
    format: &str,
    omit_empty_values: bool,
) -> Parsed<Formatter> {
    let options = FormatOptions {
        omit_empty_values,
        ..FormatOptions::default()
    };
    Formatter::with_options(format, options).map_err(|error| {
        cx.error(format!(
            "Failed to create {what} rewrite formatter: INVALID_ARGUMENT: {error}"
        ))
    })
}

fn host_rewrite(
    cx: &mut ParseCx,
    proto: Option<action_proto::HostRewriteSpecifier>,
) -> Parsed<HostRewrite> {
    use action_proto::HostRewriteSpecifier as Specifier;
    Ok(match proto {
        Some(Specifier::HostRewriteLiteral(host)) if !host.is_empty() => {
            HostRewrite::Literal(host.into_bytes().into())
        }
        Some(Specifier::AutoHostRewrite(auto)) if auto.value => HostRewrite::Auto,
        Some(Specifier::HostRewriteHeader(name)) if !name.is_empty() => {
            HostRewrite::Header(header_to_ask(&name))
        }
        Some(Specifier::HostRewritePathRegex(regex)) => {
            let regex = cx.field("host_rewrite_path_regex", |cx| substitution(cx, regex))?;
            HostRewrite::PathRegex(regex)
        }
        Some(Specifier::HostRewrite(format)) if !format.is_empty() => {
            let format = cx.field("host_rewrite", |cx| {
                rewrite_format(cx, "host", &format, false)
            })?;
            HostRewrite::Format(Arc::new(format))
        }
        _ => HostRewrite::Keep,
    })
}

fn upgrade_configs(
    cx: &mut ParseCx,
    proto: Vec<action_proto::UpgradeConfig>,
) -> Parsed<Vec<UpgradeConfig>> {
    let mut seen: Vec<String> = Vec::new();
    cx.list("upgrade_configs", proto, |cx, upgrade| {
        let action_proto::UpgradeConfig {
            upgrade_type,
            enabled,
            connect_config,
        } = upgrade;
        if seen
            .iter()
            .any(|other| other.eq_ignore_ascii_case(&upgrade_type))
        {
            let message = format!("Duplicate upgrade {upgrade_type}");
            return Err(cx.error_at("upgrade_type", message));
        }
        seen.push(upgrade_type.clone());
        let is_connect = ["CONNECT", "CONNECT-UDP"]
            .iter()
            .any(|kind| upgrade_type.eq_ignore_ascii_case(kind));
        if connect_config.is_some() && !is_connect {
            let message = format!("Non-CONNECT upgrade type {upgrade_type} has ConnectConfig");
            return Err(cx.error_at("connect_config", message));
        }
        Ok(UpgradeConfig {
            kind: upgrade_type.into(),
            enabled: enabled.is_none_or(|value| value.value),
            connect: cx.optional("connect_config", connect_config, connect)?,
        })
    })
}

fn connect(
    cx: &mut ParseCx,
    proto: action_proto::upgrade_config::ConnectConfig,
) -> Parsed<ConnectConfig> {
    let action_proto::upgrade_config::ConnectConfig {
        proxy_protocol_config,
        allow_post,
    } = proto;
    cx.refuse("proxy_protocol_config", proxy_protocol_config.is_some())?;
    Ok(ConnectConfig { allow_post })
}

fn max_stream_duration(
    cx: &mut ParseCx,
    proto: action_proto::MaxStreamDuration,
) -> Parsed<MaxStreamDuration> {
    let action_proto::MaxStreamDuration {
        max_stream_duration,
        grpc_timeout_header_max,
        grpc_timeout_header_offset,
    } = proto;
    let mut time = |field, proto| duration::optional(cx, field, proto);
    Ok(MaxStreamDuration {
        max: time("max_stream_duration", max_stream_duration)?,
        grpc_timeout_header_max: time("grpc_timeout_header_max", grpc_timeout_header_max)?,
        grpc_timeout_header_offset: time("grpc_timeout_header_offset", grpc_timeout_header_offset)?,
    })
}

/// A copy of requests sent elsewhere.
///
/// # Errors
/// No cluster, or two; bad header values.
pub fn mirror_policy(
    cx: &mut ParseCx,
    proto: action_proto::RequestMirrorPolicy,
) -> Parsed<MirrorPolicy> {
    let action_proto::RequestMirrorPolicy {
        cluster,
        cluster_header,
        runtime_fraction: share,
        trace_sampled,
        disable_shadow_host_suffix_append,
        request_headers_mutations,
        host_rewrite_literal,
    } = proto;
    let cluster = match (cluster.is_empty(), cluster_header.is_empty()) {
        (false, true) => ClusterTarget::Name(cluster.into()),
        (true, false) => ClusterTarget::Header(header_to_ask(&cluster_header)),
        (true, true) => {
            return Err(cx.error(
                "Exactly one of cluster or cluster_header in request mirror policy need to be \
                 specified",
            ));
        }
        (false, false) => {
            return Err(cx.error(format!(
                "Only one of cluster '{cluster}' or cluster_header '{cluster_header}' in request \
                 mirror policy can be specified"
            )));
        }
    };
    Ok(MirrorPolicy {
        cluster,
        runtime_fraction: share.map(runtime_fraction),
        trace_sampled: trace_sampled.map(|value| value.value),
        disable_shadow_host_suffix_append,
        request_headers: mutation_steps(
            cx,
            "request_headers_mutations",
            request_headers_mutations,
        )?,
        host_rewrite_literal: host_rewrite_literal.into_bytes().into(),
    })
}
