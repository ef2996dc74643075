//! `envoy.config.accesslog.v3`: access logs and their filters. The loggers are extensions.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use crate::common::fraction;
use crate::duration;
use crate::matching::{header_matcher, value_matcher};
use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::conn_manager::LogSettings;
use nuncio_observe::access_log::{Comparison, ComparisonOp, SampledFraction};
use nuncio_observe::{AccessLogSpec, AccessLogType, LogFilter};
use nuncio_proto::envoy::config::accesslog::v3 as proto;
use nuncio_proto::envoy::config::accesslog::v3::access_log::ConfigType;
use nuncio_proto::envoy::config::accesslog::v3::access_log_filter::FilterSpecifier;
use nuncio_proto::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as manager_proto;
use nuncio_proto::envoy::r#type::matcher::v3::metadata_matcher::path_segment::Segment;
use nuncio_proto::google::protobuf::Any;
use nuncio_stream_info::ResponseFlag;
use std::sync::Arc;

/// A list of access logs.
///
/// # Errors
/// Loggers and filters that are not built in; what they refuse themselves.
pub fn access_logs(
    cx: &mut ParseCx,
    field: &'static str,
    protos: Vec<proto::AccessLog>,
) -> Parsed<Vec<AccessLogSpec>> {
    cx.list(field, protos, access_log)
}

/// The access log of a deprecated `access_log_path` field: a file in the default format; `None`
/// where the field is not set.
///
/// # Errors
/// A file that can't be opened.
pub fn access_log_path(
    cx: &mut ParseCx,
    field: &'static str,
    path: String,
) -> Parsed<Option<AccessLogSpec>> {
    if path.is_empty() {
        return Ok(None);
    }
    let config = nuncio_proto::any::pack(&FileAccessLog {
        path,
        access_log_format: None,
    });
    let log = proto::AccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        filter: None,
        config_type: Some(ConfigType::TypedConfig(config)),
    };
    cx.field(field, |cx| access_log(cx, log)).map(Some)
}

/// The access logs of a connection manager, and when they are written.
///
/// # Errors
/// Those of [`access_logs`]; options given in two places.
pub fn of_manager(
    cx: &mut ParseCx,
    proto: &manager_proto::HttpConnectionManager,
) -> Parsed<LogSettings> {
    let logs = access_logs(cx, "access_log", proto.access_log.clone())?;
    let old_interval = proto.access_log_flush_interval;
    let Some(options) = proto.access_log_options else {
        return Ok(LogSettings {
            logs,
            on_new_request: proto.flush_access_log_on_new_request,
            on_tunnel: false,
            interval: duration::optional(cx, "access_log_flush_interval", old_interval)?,
        });
    };
    let on_new_request = "flush_access_log_on_new_request";
    for (field, is_set) in [
        (on_new_request, proto.flush_access_log_on_new_request),
        ("access_log_flush_interval", old_interval.is_some()),
    ] {
        if is_set {
            let message = format!("Only one of {field} or access_log_options can be specified.");
            return Err(cx.error_at(field, message));
        }
    }
    cx.field("access_log_options", |cx| {
        let interval = options.access_log_flush_interval;
        Ok(LogSettings {
            logs,
            on_new_request: options.flush_access_log_on_new_request,
            on_tunnel: options.flush_log_on_tunnel_successfully_established,
            interval: duration::optional(cx, "access_log_flush_interval", interval)?,
        })
    })
}

fn access_log(cx: &mut ParseCx, proto: proto::AccessLog) -> Parsed<AccessLogSpec> {
    let proto::AccessLog {
        name,
        filter,
        config_type,
    } = proto;
    let filter = cx.optional("filter", filter, log_filter);
    let config = match config_type {
        Some(ConfigType::TypedConfig(config)) => config,
        None => Any::default(),
    };
    let Some(factory) = cx.env().registry.access_logger(&config) else {
        return Err(unknown_extension(cx, &name, &config));
    };
    let logger = cx.field("typed_config", |cx| factory.parse(&config, cx))?;
    Ok(AccessLogSpec {
        filter: filter?.map(Arc::new),
        logger,
    })
}

/// A filter. How deep filters are nested was bounded when they were loaded.
///
/// # Errors
/// Filters that are not built in.
pub fn log_filter(cx: &mut ParseCx, proto: proto::AccessLogFilter) -> Parsed<LogFilter> {
    let Some(filter) = proto.filter_specifier else {
        return Err(cx.error("field: 'filter_specifier', reason: is required"));
    };
    match filter {
        FilterSpecifier::StatusCodeFilter(filter) => cx.field("status_code_filter", |cx| {
            let comparison = cx.required("comparison", filter.comparison, comparison)?;
            Ok(LogFilter::StatusCode(comparison))
        }),
        FilterSpecifier::DurationFilter(filter) => cx.field("duration_filter", |cx| {
            let comparison = cx.required("comparison", filter.comparison, comparison)?;
            Ok(LogFilter::Duration(comparison))
        }),
        FilterSpecifier::NotHealthCheckFilter(_) => Ok(LogFilter::NotHealthCheck),
        FilterSpecifier::TraceableFilter(_) => Ok(LogFilter::Traceable),
        FilterSpecifier::RuntimeFilter(filter) => Ok(LogFilter::Runtime(sampled(filter))),
        FilterSpecifier::AndFilter(filter) => cx.field("and_filter", |cx| {
            let filters = cx.list("filters", filter.filters, log_filter)?;
            Ok(LogFilter::And(filters))
        }),
        FilterSpecifier::OrFilter(filter) => cx.field("or_filter", |cx| {
            let filters = cx.list("filters", filter.filters, log_filter)?;
            Ok(LogFilter::Or(filters))
        }),
        FilterSpecifier::HeaderFilter(filter) => cx.field("header_filter", |cx| {
            let matcher = cx.required("header", filter.header, header_matcher)?;
            Ok(LogFilter::Header(matcher))
        }),
        FilterSpecifier::ResponseFlagFilter(filter) => cx.field("response_flag_filter", |cx| {
            let flags = cx.list("flags", filter.flags, response_flag)?;
            Ok(LogFilter::ResponseFlag(flags))
        }),
        FilterSpecifier::GrpcStatusFilter(filter) => Ok(LogFilter::GrpcStatus {
            statuses: filter.statuses.iter().copied().map(i64::from).collect(),
            exclude: filter.exclude,
        }),
        FilterSpecifier::MetadataFilter(filter) => {
            cx.field("metadata_filter", |cx| metadata_filter(cx, filter))
        }
        FilterSpecifier::LogTypeFilter(filter) => Ok(LogFilter::LogType {
            types: filter.types.iter().copied().map(log_type).collect(),
            exclude: filter.exclude,
        }),
        FilterSpecifier::ExtensionFilter(filter) => cx.field("extension_filter", |cx| {
            use proto::extension_filter::ConfigType;
            let config = match filter.config_type {
                Some(ConfigType::TypedConfig(config)) => config,
                None => Any::default(),
            };
            Err(unknown_extension(cx, &filter.name, &config))
        }),
    }
}

fn comparison(cx: &mut ParseCx, proto: proto::ComparisonFilter) -> Parsed<Comparison> {
    use proto::comparison_filter::Op;
    let op = match proto.op() {
        Op::Eq => ComparisonOp::Equal,
        Op::Ge => ComparisonOp::GreaterOrEqual,
        Op::Le => ComparisonOp::LessOrEqual,
        Op::Ne => ComparisonOp::NotEqual,
    };
    cx.required("value", proto.value, |_, value| {
        Ok(Comparison {
            op,
            default: value.default_value,
            runtime_key: value.runtime_key,
        })
    })
}

fn sampled(proto: proto::RuntimeFilter) -> SampledFraction {
    // Without a percentage: none of 100.
    let percent = fraction(&proto.percent_sampled.unwrap_or_default());
    SampledFraction {
        runtime_key: proto.runtime_key,
        numerator: percent.numerator,
        denominator: percent.denominator,
        use_independent_randomness: proto.use_independent_randomness,
    }
}

fn response_flag(cx: &mut ParseCx, name: String) -> Parsed<ResponseFlag> {
    let flag = ResponseFlag::ALL.iter().find(|flag| flag.short() == name);
    flag.copied()
        .ok_or_else(|| cx.error(format!("unknown response flag {name}")))
}

/// Only the value counts: as in Envoy, `invert` has no effect here.
fn metadata_filter(cx: &mut ParseCx, proto: proto::MetadataFilter) -> Parsed<LogFilter> {
    let if_not_found = proto.match_if_key_not_found.is_none_or(|found| found.value);
    let matcher = proto.matcher.unwrap_or_default();
    let value = cx.field("matcher", |cx| {
        cx.optional("value", matcher.value, value_matcher)
    })?;
    let key = |Segment::Key(key)| key;
    Ok(LogFilter::Metadata {
        filter: matcher.filter,
        path: matcher
            .path
            .into_iter()
            .map(|segment| segment.segment.map(key).unwrap_or_default())
            .collect(),
        value,
        if_not_found,
    })
}

/// The kind with a number of Envoy's; the load refuses others.
fn log_type(number: i32) -> AccessLogType {
    let index = usize::try_from(number).unwrap_or_default();
    AccessLogType::ALL.get(index).copied().unwrap_or_default()
}
