//! Protos to [`ExtAuthzSpec`] and [`ExtAuthzRouteSpec`].

use super::filter::SharedSpec;
use super::{
    AnswerHeaders, BodySettings, CheckSettings, ExtAuthz, ExtAuthzRouteSpec, ExtAuthzSpec,
    GrpcCheck, HttpService, Service, ServicePath,
};
use nuncio_config::common::runtime_fraction;
use nuncio_config::duration;
use nuncio_config::grpc_service::grpc_service;
use nuncio_config::header_mutation::{HeaderFields, header_mutations};
use nuncio_config::matching::{list_string_matcher, metadata_matcher};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_matching::ListStringMatcher;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use nuncio_proto::envoy::config::core::v3::http_uri::HttpUpstreamType;
use nuncio_proto::envoy::extensions::filters::http::ext_authz::v3 as proto;
use nuncio_proto::envoy::extensions::filters::http::ext_authz::v3::check_settings::ServiceOverride;
use nuncio_proto::envoy::extensions::filters::http::ext_authz::v3::ext_authz::Services;
use nuncio_proto::envoy::extensions::filters::http::ext_authz::v3::ext_authz_per_route::Override;
use nuncio_proto::envoy::r#type::matcher::v3::ListStringMatcher as ListProto;
use std::sync::Arc;

impl HttpFilterExtension for ExtAuthz {
    const NAME: &'static str = "envoy.filters.http.ext_authz";
    type Proto = proto::ExtAuthz;
    type RouteProto = proto::ExtAuthzPerRoute;
    type Spec = SharedSpec;
    type RouteSpec = ExtAuthzRouteSpec;

    fn parse(
        &self,
        proto: proto::ExtAuthz,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<SharedSpec> {
        refuse(cx, &proto)?;
        let scope = match proto.stat_prefix.as_str() {
            "" => format!("{}ext_authz", filter.stat_prefix),
            prefix => format!("{}ext_authz.{prefix}", filter.stat_prefix),
        };
        let stats = cx.env().scope().scope(&scope).group();
        let allowed = allowed_headers(cx, &proto)?;
        Ok(SharedSpec(Arc::new(ExtAuthzSpec {
            grpc: grpc_check(cx, &proto)?,
            service: match proto.services {
                Some(Services::HttpService(service)) => Some(http_service(cx, service)?),
                Some(Services::GrpcService(service)) => Some(grpc(cx, service)?),
                None => None,
            },
            failure_mode_allow: proto.failure_mode_allow,
            failure_mode_allow_header_add: proto.failure_mode_allow_header_add,
            body: proto.with_request_body.map(body_settings),
            clear_route_cache: proto.clear_route_cache,
            status_on_error: cx
                .optional("status_on_error", proto.status_on_error, |cx, status| {
                    u16::try_from(status.code)
                        .map_err(|_| cx.error_at("code", "value is no HTTP status"))
                })?
                .unwrap_or(403),
            enabled: proto.filter_enabled.map(runtime_fraction),
            enabled_metadata: cx.optional(
                "filter_enabled_metadata",
                proto.filter_enabled_metadata,
                metadata_matcher,
            )?,
            deny_at_disable: proto.deny_at_disable.map(|flag| {
                let default = flag.default_value.is_some_and(|default| default.value);
                (default, flag.runtime_key)
            }),
            allowed_headers: allowed,
            disallowed_headers: list(cx, "disallowed_headers", proto.disallowed_headers)?,
            encode_raw_headers: proto.encode_raw_headers,
            charge_cluster: proto
                .charge_cluster_response_stats
                .is_none_or(|charge| charge.value),
            ingest_metadata: proto
                .enable_dynamic_metadata_ingestion
                .is_none_or(|ingest| ingest.value),
            max_denied_body: proto.max_denied_response_body_bytes as usize,
            shadow: proto.shadow_mode,
            stat_prefix: proto.stat_prefix,
            stats,
        })))
    }

    fn parse_route(
        &self,
        proto: proto::ExtAuthzPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<ExtAuthzRouteSpec> {
        match proto.r#override {
            Some(Override::Disabled(disabled)) => Ok(ExtAuthzRouteSpec::Disabled(disabled)),
            Some(Override::CheckSettings(settings)) => cx.field("check_settings", |cx| {
                Ok(ExtAuthzRouteSpec::Check(check_settings(cx, settings)?))
            }),
            None => Err(cx.error("field: 'override', reason: is required")),
        }
    }
}

/// Names every field, so that a new one is looked at: those that are used are read by the caller,
/// those that only a gRPC service reads change nothing with an HTTP service, and the rest is
/// refused.
fn refuse(cx: &mut ParseCx, proto: &proto::ExtAuthz) -> Parsed<()> {
    let proto::ExtAuthz {
        services: _,
        failure_mode_allow: _,
        failure_mode_allow_header_add: _,
        with_request_body: _,
        clear_route_cache: _,
        status_on_error: _,
        filter_enabled: _,
        filter_enabled_metadata: _,
        deny_at_disable: _,
        stat_prefix: _,
        allowed_headers: _,
        disallowed_headers: _,
        charge_cluster_response_stats: _,
        encode_raw_headers: _,
        enable_dynamic_metadata_ingestion: _,
        max_denied_response_body_bytes: _,
        // For a gRPC service.
        transport_api_version: _,
        metadata_context_namespaces: _,
        typed_metadata_context_namespaces: _,
        route_metadata_context_namespaces: _,
        route_typed_metadata_context_namespaces: _,
        include_peer_certificate: _,
        include_tls_session: _,
        bootstrap_metadata_labels_key: _,
        // What comes over HTTP was checked by the codec.
        validate_mutations: _,
        // Requests are not traced.
        emit_client_span: _,
        decoder_header_mutation_rules,
        filter_metadata,
        emit_filter_state_stats,
        enforce_response_header_limits,
        shadow_mode: _,
    } = proto;
    let rules = decoder_header_mutation_rules.is_some();
    let limits = *enforce_response_header_limits;
    let refused = [
        cx.refuse("decoder_header_mutation_rules", rules),
        cx.refuse("filter_metadata", filter_metadata.is_some()),
        cx.refuse("emit_filter_state_stats", *emit_filter_state_stats),
        cx.refuse("enforce_response_header_limits", limits),
    ];
    refused.into_iter().collect()
}

fn list(
    cx: &mut ParseCx,
    field: &'static str,
    proto: Option<ListProto>,
) -> Parsed<Option<ListStringMatcher>> {
    cx.optional(field, proto, list_string_matcher)
}

/// The headers that a service gets: the filter's field, or its old place in the service.
#[expect(deprecated, reason = "the old place of allowed_headers still counts")]
fn allowed_headers(cx: &mut ParseCx, proto: &proto::ExtAuthz) -> Parsed<Option<ListStringMatcher>> {
    let old = match &proto.services {
        Some(Services::HttpService(service)) => service.authorization_request.as_ref(),
        Some(Services::GrpcService(_)) | None => None,
    };
    let old = old.and_then(|request| request.allowed_headers.clone());
    match (old, proto.allowed_headers.clone()) {
        (Some(_), Some(_)) => Err(cx.error("Invalid duplicate configuration for allowed_headers.")),
        (None, new) => list(cx, "allowed_headers", new),
        (old, None) => cx.field("http_service", |cx| {
            cx.field("authorization_request", |cx| {
                list(cx, "allowed_headers", old)
            })
        }),
    }
}

/// What only a gRPC service gets; with another, those settings change nothing.
fn grpc_check(cx: &mut ParseCx, proto: &proto::ExtAuthz) -> Parsed<GrpcCheck> {
    if let Some(Services::GrpcService(_)) = proto.services {
        let typed = !proto.typed_metadata_context_namespaces.is_empty();
        cx.refuse("typed_metadata_context_namespaces", typed)?;
        let typed = !proto.route_typed_metadata_context_namespaces.is_empty();
        cx.refuse("route_typed_metadata_context_namespaces", typed)?;
        let labels = !proto.bootstrap_metadata_labels_key.is_empty();
        cx.refuse("bootstrap_metadata_labels_key", labels)?;
    }
    Ok(GrpcCheck {
        metadata_namespaces: proto.metadata_context_namespaces.clone(),
        route_metadata_namespaces: proto.route_metadata_context_namespaces.clone(),
        include_peer_certificate: proto.include_peer_certificate,
        include_tls_session: proto.include_tls_session,
    })
}

fn grpc(cx: &mut ParseCx, proto: core::GrpcService) -> Parsed<Service> {
    cx.field("grpc_service", |cx| {
        grpc_service(cx, proto).map(Service::Grpc)
    })
}

fn body_settings(proto: proto::BufferSettings) -> BodySettings {
    let proto::BufferSettings {
        max_request_bytes,
        allow_partial_message,
        pack_as_bytes,
    } = proto;
    BodySettings {
        max_bytes: max_request_bytes as usize,
        allow_partial: allow_partial_message,
        pack_as_bytes,
    }
}

fn check_settings(cx: &mut ParseCx, proto: proto::CheckSettings) -> Parsed<CheckSettings> {
    let proto::CheckSettings {
        context_extensions,
        disable_request_body_buffering,
        with_request_body,
        // Requests are not traced.
        emit_client_span: _,
        service_override,
    } = proto;
    let body = match (disable_request_body_buffering, with_request_body) {
        (true, Some(_)) => {
            return Err(cx.error(
                "Invalid configuration for check_settings. Only one of \
                 disable_request_body_buffering or with_request_body can be set.",
            ));
        }
        (true, None) => Some(None),
        (false, Some(body)) => Some(Some(body_settings(body))),
        (false, None) => None,
    };
    let service = match service_override {
        Some(ServiceOverride::HttpService(service)) => Some(http_service(cx, service)?),
        Some(ServiceOverride::GrpcService(service)) => Some(grpc(cx, service)?),
        None => None,
    };
    Ok(CheckSettings {
        body,
        service,
        context_extensions: Arc::new(context_extensions.into_iter().collect()),
    })
}

fn http_service(cx: &mut ParseCx, proto: proto::HttpService) -> Parsed<Service> {
    let proto::HttpService {
        server_uri,
        path_prefix,
        path_override,
        authorization_request,
        authorization_response,
        retry_policy,
    } = proto;
    cx.field("http_service", |cx| {
        cx.refuse("retry_policy", retry_policy.is_some())?;
        // The URI's host is not used: the service gets the request's own. Without a URI, Envoy
        // finds no cluster when it asks.
        let core::HttpUri {
            uri: _,
            timeout,
            http_upstream_type,
        } = server_uri.unwrap_or_default();
        let cluster = match http_upstream_type {
            Some(HttpUpstreamType::Cluster(cluster)) => cluster,
            None => String::new(),
        };
        Ok(Service::Http(Arc::new(HttpService {
            cluster: cluster.into(),
            timeout: cx.field("server_uri", |cx| {
                duration::limit(cx, "timeout", timeout, None)
            })?,
            path: service_path(cx, path_prefix, path_override)?,
            headers_to_add: headers_to_add(cx, authorization_request.unwrap_or_default())?,
            answer: answer_headers(cx, authorization_response.unwrap_or_default())?,
        })))
    })
}

fn answer_headers(cx: &mut ParseCx, proto: proto::AuthorizationResponse) -> Parsed<AnswerHeaders> {
    let proto::AuthorizationResponse {
        allowed_upstream_headers: set,
        allowed_upstream_headers_to_append: append,
        allowed_client_headers: denial,
        allowed_client_headers_on_success: response,
        dynamic_metadata_from_headers: metadata,
    } = proto;
    cx.field("authorization_response", |cx| {
        Ok(AnswerHeaders {
            set: list(cx, "allowed_upstream_headers", set)?,
            append: list(cx, "allowed_upstream_headers_to_append", append)?,
            denial: list(cx, "allowed_client_headers", denial)?,
            response: list(cx, "allowed_client_headers_on_success", response)?,
            metadata: list(cx, "dynamic_metadata_from_headers", metadata)?,
        })
    })
}

#[expect(deprecated, reason = "the old place of allowed_headers still counts")]
fn headers_to_add(
    cx: &mut ParseCx,
    proto: proto::AuthorizationRequest,
) -> Parsed<nuncio_route::HeaderMutations> {
    let proto::AuthorizationRequest {
        // Read with the filter's.
        allowed_headers: _,
        headers_to_add,
    } = proto;
    let overwrite = |header| core::HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    let fields = HeaderFields {
        add_field: "headers_to_add",
        add: headers_to_add.into_iter().map(overwrite).collect(),
        remove_field: "",
        remove: Vec::new(),
    };
    cx.field("authorization_request", |cx| header_mutations(cx, fields))
}

fn service_path(cx: &mut ParseCx, prefix: String, path: String) -> Parsed<ServicePath> {
    match (prefix.as_str(), path.as_str()) {
        ("", "") => Ok(ServicePath::Same),
        (_, "") if prefix.starts_with('/') => Ok(ServicePath::Prefix(prefix)),
        (_, "") => Err(cx.error_at("path_prefix", "path_prefix should start with \"/\".")),
        ("", _) if path.starts_with('/') => Ok(ServicePath::Override(path)),
        ("", _) => Err(cx.error_at("path_override", "path_override should start with \"/\".")),
        _ => Err(cx.error("Only one of path_prefix or path_override may be set, not both.")),
    }
}
