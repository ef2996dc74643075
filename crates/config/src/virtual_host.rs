//! `envoy.config.route.v3.VirtualHost` and `Route`: protos to `nuncio_route`.

use crate::common::{fraction, metadata};
use crate::cors::cors_policy;
use crate::filter_config::filter_configs;
use crate::format::text_format;
use crate::header_mutation::{HeaderFields, header_mutations};
use crate::matching::header_matcher;
use crate::rate_limit::rate_limit;
use crate::redirect::{direct_response, redirect};
use crate::retry::{hedge_policy, retry_policy};
use crate::route_action::{mirror_policy, route_action};
use crate::route_match::route_match;
use crate::route_tree::route_tree;
use crate::table_cx::TableCx;
use nuncio_base::runtime_flags::Fraction;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::route_match::PathSpecifier;
use nuncio_proto::envoy::config::route::v3::virtual_host::TlsRequirementType;
use nuncio_proto::google::protobuf::{UInt32Value, UInt64Value};
use nuncio_route::route::{Decorator, RouteTracing};
use nuncio_route::virtual_host::{TlsRequirement, VirtualCluster};
use nuncio_route::{Action, Route, VirtualHostConfig};
use std::sync::Arc;

/// A virtual host; `table` is what holds for all of its table.
///
/// # Errors
/// What Envoy refuses, in its words, and what is not built, by its name.
pub fn virtual_host(
    cx: &mut ParseCx,
    proto: proto::VirtualHost,
    table: &TableCx,
) -> Parsed<VirtualHostConfig> {
    refuse_unbuilt(cx, &proto)?;
    let require_tls = match proto.require_tls() {
        TlsRequirementType::None => TlsRequirement::None,
        TlsRequirementType::ExternalOnly => TlsRequirement::ExternalOnly,
        TlsRequirementType::All => TlsRequirement::All,
    };
    let request = HeaderFields::request(
        proto.request_headers_to_add,
        proto.request_headers_to_remove,
    );
    let response = HeaderFields::response(
        proto.response_headers_to_add,
        proto.response_headers_to_remove,
    );
    // Each part is converted before any error ends the message: all its errors come together.
    let routes = match proto.matcher {
        Some(matcher) => {
            route_tree(cx, matcher, table).map(|(tree, routes)| (Some(Box::new(tree)), routes))
        }
        None => cx
            .list("routes", proto.routes, |cx, proto| route(cx, proto, table))
            .map(|routes| (None, routes)),
    };
    let virtual_clusters = cx.list("virtual_clusters", proto.virtual_clusters, virtual_cluster);
    let request_headers = header_mutations(cx, request);
    let response_headers = header_mutations(cx, response);
    let filters = filter_configs(cx, proto.typed_per_filter_config);
    let retries = cx.optional("retry_policy", proto.retry_policy, retry_policy);
    let hedging = cx.optional("hedge_policy", proto.hedge_policy, hedge_policy);
    let mirrors = cx.list(
        "request_mirror_policies",
        proto.request_mirror_policies,
        mirror_policy,
    );
    let cors = cx.optional("cors", proto.cors, cors_policy);
    let rate_limits = cx.list("rate_limits", proto.rate_limits, rate_limit);
    let (matcher, routes) = routes?;
    Ok(VirtualHostConfig {
        name: proto.name.into(),
        domains: proto.domains,
        routes,
        matcher,
        require_tls,
        virtual_clusters: virtual_clusters?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        filters: filters?,
        include_request_attempt_count: proto.include_request_attempt_count,
        include_attempt_count_in_response: proto.include_attempt_count_in_response,
        include_is_timeout_retry_header: proto.include_is_timeout_retry_header,
        retry_policy: retries?.map(Arc::new),
        hedge_policy: hedging?,
        mirror_policies: mirrors?.into(),
        request_body_buffer_limit: buffer_limit(
            proto.request_body_buffer_limit,
            proto.per_request_buffer_limit_bytes,
        ),
        cors: cors?.map(Arc::new),
        rate_limits: rate_limits?,
        metadata: metadata(proto.metadata),
    })
}

/// The fields that have no counterpart in `nuncio_route` yet.
fn refuse_unbuilt(cx: &mut ParseCx, proto: &proto::VirtualHost) -> Parsed<()> {
    if proto.matcher.is_some() && !proto.routes.is_empty() {
        let message = "cannot set both matcher and routes on virtual host";
        return Err(cx.error_at("matcher", message));
    }
    cx.refuse(
        "retry_policy_typed_config",
        proto.retry_policy_typed_config.is_some(),
    )?;
    cx.refuse("route_specifiers", !proto.route_specifiers.is_empty())
}

/// The body's limit: the field, or the one it replaced.
fn buffer_limit(limit: Option<UInt64Value>, old: Option<UInt32Value>) -> Option<u64> {
    let old = old.map(|limit| u64::from(limit.value));
    limit.map(|limit| limit.value).or(old)
}

fn virtual_cluster(cx: &mut ParseCx, proto: proto::VirtualCluster) -> Parsed<VirtualCluster> {
    let proto::VirtualCluster { headers, name } = proto;
    if headers.is_empty() {
        return Err(cx.error_at("headers", "virtual clusters must define 'headers'"));
    }
    Ok(VirtualCluster {
        name: name.into(),
        headers: cx.list("headers", headers, header_matcher)?,
    })
}

/// A route; `table` is what holds for all of its table.
///
/// # Errors
/// What Envoy refuses, in its words, and what is not built, by its name.
pub fn route(cx: &mut ParseCx, proto: proto::Route, table: &TableCx) -> Parsed<Route> {
    let proto::Route {
        name,
        r#match,
        metadata: route_metadata,
        decorator,
        typed_per_filter_config,
        request_headers_to_add,
        request_headers_to_remove,
        response_headers_to_add,
        response_headers_to_remove,
        tracing,
        per_request_buffer_limit_bytes,
        stat_prefix,
        request_body_buffer_limit,
        route_specifiers,
        action,
    } = proto;
    cx.refuse("route_specifiers", !route_specifiers.is_empty())?;
    let request = HeaderFields::request(request_headers_to_add, request_headers_to_remove);
    let response = HeaderFields::response(response_headers_to_add, response_headers_to_remove);
    let policy = match r#match.as_ref().and_then(|m| m.path_specifier.as_ref()) {
        Some(PathSpecifier::PathMatchPolicy(policy)) => Some(policy.clone()),
        _ => None,
    };
    let matcher = cx.required("match", r#match, route_match);
    let action = route_kind(cx, action, &name, policy.as_ref(), table);
    let request_headers = header_mutations(cx, request);
    let response_headers = header_mutations(cx, response);
    let filters = filter_configs(cx, typed_per_filter_config);
    let tracing = cx.optional("tracing", tracing, route_tracing);
    Ok(Route {
        name: name.into(),
        matcher: matcher?,
        action: action?,
        metadata: metadata(route_metadata),
        decorator: decorator.map(|decorator| Decorator {
            operation: decorator.operation.into(),
            propagate: decorator.propagate.is_none_or(|value| value.value),
        }),
        tracing: tracing?,
        filters: filters?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        stat_prefix: Some(stat_prefix)
            .filter(|prefix| !prefix.is_empty())
            .map(Into::into),
        request_body_buffer_limit: buffer_limit(
            request_body_buffer_limit,
            per_request_buffer_limit_bytes,
        ),
    })
}

fn route_kind(
    cx: &mut ParseCx,
    proto: Option<proto::route::Action>,
    route_name: &str,
    match_policy: Option<&TypedExtensionConfig>,
    table: &TableCx,
) -> Parsed<Action> {
    use proto::route::Action as Kind;
    match proto {
        Some(Kind::Route(action)) => {
            let action = cx.field("route", |cx| {
                route_action(cx, action, route_name, match_policy, table)
            })?;
            Ok(Action::Route(Box::new(action)))
        }
        Some(Kind::Redirect(action)) => {
            let action = cx.field("redirect", |cx| redirect(cx, action))?;
            Ok(Action::Redirect(Box::new(action)))
        }
        Some(Kind::DirectResponse(action)) => {
            let action = cx.field("direct_response", |cx| {
                direct_response(cx, action, table.max_body)
            })?;
            Ok(Action::DirectResponse(Box::new(action)))
        }
        Some(Kind::NonForwardingAction(_)) => Ok(Action::NonForwarding),
        Some(Kind::FilterAction(_)) => Err(cx.not_built("filter_action")),
        None => Err(cx.error("field: 'action', reason: is required")),
    }
}

fn route_tracing(cx: &mut ParseCx, proto: proto::Tracing) -> Parsed<RouteTracing> {
    let proto::Tracing {
        client_sampling,
        random_sampling,
        overall_sampling,
        // Tags are for spans.
        custom_tags: _,
        operation,
        upstream_operation,
    } = proto;
    let mut format = |field, text: String| {
        let text = Some(text).filter(|text| !text.is_empty());
        cx.optional(field, text, |cx, text| {
            text_format(cx, &text, true).map(Arc::new)
        })
    };
    Ok(RouteTracing {
        operation: format("operation", operation)?,
        upstream_operation: format("upstream_operation", upstream_operation)?,
        client_sampling: client_sampling.as_ref().map_or(Fraction::ALL, fraction),
        random_sampling: random_sampling.as_ref().map_or(Fraction::ALL, fraction),
        overall_sampling: overall_sampling.as_ref().map_or(Fraction::ALL, fraction),
    })
}
