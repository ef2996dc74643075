//! `envoy.config.route.v3.RateLimit`: protos to `nuncio_route::rate_limit`.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use crate::cluster_target::header_to_ask;
use crate::common::metadata_key;
use crate::format::text_format;
use crate::grpc_service::grpc_service;
use crate::matching::{address_matcher, header_matcher, query_parameter_matcher};
use crate::unknown_extension::unknown_extension;
use nuncio_extension::{Invalid, ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::config::core::v3::ApiVersion;
use nuncio_proto::envoy::config::ratelimit::v3::RateLimitServiceConfig;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::rate_limit::{
    Action as ActionProto, action, r#override,
};
use nuncio_proto::google::protobuf::BoolValue;
use nuncio_route::RateLimit;
use nuncio_route::rate_limit::{Entry, Hits, HitsCount, LimitOverride, LimitSource};
use nuncio_route::rate_limit_action::{Action, MetadataSource};
use std::sync::Arc;

/// A rate limit of a route or a virtual host. What it says of hits is for filters' own rate limits
/// only: Envoy reads it nowhere else.
///
/// # Errors
/// Actions that are extensions; what is to be counted when a stream ends.
pub fn rate_limit(cx: &mut ParseCx, proto: proto::RateLimit) -> Parsed<RateLimit> {
    let proto::RateLimit {
        stage,
        disable_key,
        actions,
        limit,
        hits_addend: _,
        apply_on_stream_done,
        x_ratelimit_option,
    } = proto;
    cx.refuse("x_ratelimit_option", x_ratelimit_option != 0)?;
    cx.refuse("apply_on_stream_done", apply_on_stream_done)?;
    Ok(RateLimit {
        stage: stage.map_or(0, |stage| stage.value),
        disable_key,
        actions: cx.list("actions", actions, rate_limit_action)?,
        limit: cx.optional("limit", limit, limit_source)?,
        hits: None,
        on_stream_done: false,
    })
}

/// A rate limit of a filter itself, which has no stage and cannot be disabled.
///
/// # Errors
/// Actions that are extensions; what only routes' rate limits have.
pub fn filter_rate_limit(cx: &mut ParseCx, proto: proto::RateLimit) -> Parsed<RateLimit> {
    let proto::RateLimit {
        stage,
        disable_key,
        actions,
        limit,
        hits_addend,
        apply_on_stream_done,
        x_ratelimit_option,
    } = proto;
    if stage.is_some() || !disable_key.is_empty() {
        return Err(cx.error("'stage' field and 'disable_key' field are not supported"));
    }
    if limit.is_some() {
        return Err(cx.error_at("limit", "'limit' field is not supported"));
    }
    cx.refuse("x_ratelimit_option", x_ratelimit_option != 0)?;
    Ok(RateLimit {
        stage: 0,
        disable_key,
        actions: cx.list("actions", actions, rate_limit_action)?,
        limit: None,
        hits: cx.optional("hits_addend", hits_addend, hits)?,
        on_stream_done: apply_on_stream_done,
    })
}

fn hits(cx: &mut ParseCx, proto: proto::rate_limit::HitsAddend) -> Parsed<Hits> {
    let proto::rate_limit::HitsAddend {
        number,
        format,
        is_negative_hits,
    } = proto;
    let count = match (number, format.is_empty()) {
        (Some(number), true) => HitsCount::Fixed(number.value),
        (None, false) => HitsCount::Format(text_format(cx, &format, true)?.into()),
        (None, true) => HitsCount::Fixed(1),
        (Some(_), false) => {
            return Err(cx.error("hits_addend can only set one of number or format"));
        }
    };
    Ok(Hits {
        count,
        negative: is_negative_hits,
    })
}

fn limit_source(cx: &mut ParseCx, proto: proto::rate_limit::Override) -> Parsed<LimitSource> {
    use r#override::OverrideSpecifier;
    match proto.override_specifier {
        Some(OverrideSpecifier::RateLimit(limit)) => Ok(LimitSource::Fixed(LimitOverride {
            requests_per_unit: limit.requests_per_unit,
            unit: limit.unit,
        })),
        Some(OverrideSpecifier::DynamicMetadata(metadata)) => {
            let key = cx.field("dynamic_metadata", |cx| {
                cx.required("metadata_key", metadata.metadata_key, metadata_key)
            })?;
            Ok(LimitSource::Metadata(key))
        }
        None => Err(cx.error("field: 'override_specifier', reason: is required")),
    }
}

fn or(text: String, default: &str) -> String {
    match text.is_empty() {
        true => default.to_owned(),
        false => text,
    }
}

fn expected(value: Option<BoolValue>) -> bool {
    value.is_none_or(|value| value.value)
}

fn rate_limit_action(cx: &mut ParseCx, proto: ActionProto) -> Parsed<Action> {
    use action::ActionSpecifier as Kind;
    let Some(kind) = proto.action_specifier else {
        return Err(cx.error("field: 'action_specifier', reason: is required"));
    };
    Ok(match kind {
        Kind::SourceCluster(_) => {
            let cluster = cx.env().node.cluster.clone();
            Action::Fixed(("source_cluster".to_owned(), cluster))
        }
        Kind::DestinationCluster(_) => Action::DestinationCluster,
        Kind::RequestHeaders(headers) => Action::Header {
            name: header_to_ask(&headers.header_name),
            key: headers.descriptor_key,
            skip_if_absent: headers.skip_if_absent,
        },
        Kind::QueryParameters(parameter) => Action::QueryParameter {
            name: parameter.query_parameter_name,
            key: parameter.descriptor_key,
            skip_if_absent: parameter.skip_if_absent,
        },
        Kind::RemoteAddress(_) => Action::RemoteAddress,
        Kind::MaskedRemoteAddress(masked) => Action::MaskedRemoteAddress(
            masked.v4_prefix_mask_len.map_or(32, |bits| bits.value),
            masked.v6_prefix_mask_len.map_or(128, |bits| bits.value),
        ),
        Kind::GenericKey(generic) => Action::Fixed((
            or(generic.descriptor_key, "generic_key"),
            generic.descriptor_value,
        )),
        Kind::HeaderValueMatch(matching) => header_match(cx, matching)?,
        Kind::QueryParameterValueMatch(matching) => query_match(cx, matching)?,
        Kind::RemoteAddressMatch(matching) => address_match(cx, matching)?,
        Kind::DynamicMetadata(metadata) => {
            let of_dynamic = action::MetaData {
                descriptor_key: metadata.descriptor_key,
                metadata_key: metadata.metadata_key,
                default_value: metadata.default_value,
                ..action::MetaData::default()
            };
            metadata_action(cx, of_dynamic)?
        }
        Kind::Metadata(metadata) => metadata_action(cx, metadata)?,
        Kind::Extension(extension) => {
            let config = extension.typed_config.unwrap_or_default();
            let refuse =
                |cx: &mut ParseCx| -> Invalid { unknown_extension(cx, &extension.name, &config) };
            return Err(cx.field("extension", refuse));
        }
    })
}

fn header_match(cx: &mut ParseCx, proto: action::HeaderValueMatch) -> Parsed<Action> {
    Ok(Action::HeaderMatch {
        headers: cx.field("header_value_match", |cx| {
            cx.list("headers", proto.headers, header_matcher)
        })?,
        expected: expected(proto.expect_match),
        entry: entry(proto.descriptor_key, "header_match", proto.descriptor_value),
    })
}

fn query_match(cx: &mut ParseCx, proto: action::QueryParameterValueMatch) -> Parsed<Action> {
    Ok(Action::QueryMatch {
        parameters: cx.field("query_parameter_value_match", |cx| {
            cx.list(
                "query_parameters",
                proto.query_parameters,
                query_parameter_matcher,
            )
        })?,
        expected: expected(proto.expect_match),
        entry: entry(proto.descriptor_key, "query_match", proto.descriptor_value),
    })
}

fn entry(key: String, default_key: &str, value: String) -> Entry {
    (or(key, default_key), value)
}

fn address_match(cx: &mut ParseCx, proto: action::RemoteAddressMatch) -> Parsed<Action> {
    cx.field("remote_address_match", |cx| {
        let matcher = cx.required("address_matcher", proto.address_matcher, address_matcher);
        let value = cx.field("descriptor_value", |cx| {
            text_format(cx, &proto.descriptor_value, true)
        });
        Ok(Action::AddressMatch {
            matcher: matcher?,
            key: or(proto.descriptor_key, "remote_address_match"),
            value: value?.into(),
            default: proto.default_value,
        })
    })
}

fn metadata_action(cx: &mut ParseCx, proto: action::MetaData) -> Parsed<Action> {
    use action::meta_data::Source;
    let source = match proto.source() {
        Source::Dynamic => MetadataSource::Dynamic,
        Source::RouteEntry => MetadataSource::Route,
        Source::ClusterEntry => MetadataSource::Cluster,
        Source::ClusterLocalityEntry => return Err(cx.not_built("source")),
    };
    Ok(Action::Metadata {
        source,
        place: cx.required("metadata_key", proto.metadata_key, metadata_key)?,
        key: proto.descriptor_key,
        default: proto.default_value,
        skip_if_absent: proto.skip_if_absent,
    })
}

/// The service that rate limit filters ask.
///
/// # Errors
/// A service that speaks another version of the API, or is none.
pub fn rate_limit_service(
    cx: &mut ParseCx,
    proto: RateLimitServiceConfig,
) -> Parsed<Arc<GrpcService>> {
    if proto.transport_api_version() != ApiVersion::V3 {
        return Err(cx.error(
            "DEPRECATED AND DISALLOWED: Envoy API V2 and AUTO are no longer supported; set \
             transport_api_version to V3",
        ));
    }
    cx.required("grpc_service", proto.grpc_service, grpc_service)
}
