//! `HttpGrpcAccessLogConfig` and `TcpGrpcAccessLogConfig` to [`GrpcLogSpec`].

use super::GrpcLogSpec;
use super::batch::BatchSettings;
use super::service::{EntryKind, LogService, LogStats};
use super::wire::EntrySpec;
use nuncio_base::HeaderName;
use nuncio_config::duration;
use nuncio_config::grpc_service::grpc_service;
use nuncio_config::node;
use nuncio_extension::{AccessLoggerExtension, ParseCx, Parsed};
use nuncio_observe::AccessLoggerSpec;
use nuncio_proto::Message;
use nuncio_proto::envoy::extensions::access_loggers::grpc::v3 as proto;
use nuncio_proto::envoy::service::accesslog::v3::stream_access_logs_message::Identifier;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// When entries are sent where nothing is said.
const INTERVAL: Duration = Duration::from_secs(1);
const SIZE: usize = 16384;

/// `envoy.access_loggers.http_grpc`
pub struct HttpGrpcAccessLogger;

/// `envoy.access_loggers.tcp_grpc`
pub struct TcpGrpcAccessLogger;

impl AccessLoggerExtension for HttpGrpcAccessLogger {
    const NAME: &'static str = "envoy.access_loggers.http_grpc";
    type Proto = proto::HttpGrpcAccessLogConfig;

    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        let proto::HttpGrpcAccessLogConfig {
            common_config,
            additional_request_headers_to_log,
            additional_response_headers_to_log,
            additional_response_trailers_to_log,
        } = proto;
        let kind = EntryKind::Http;
        let common = common_config.unwrap_or_default();
        let service = cx.field("common_config", |cx| service(cx, kind, common))?;
        let names = |names: Vec<String>| names.iter().map(|name| HeaderName::new(name)).collect();
        Ok(Arc::new(GrpcLogSpec {
            service,
            entry: Arc::new(EntrySpec {
                kind,
                request_headers: names(additional_request_headers_to_log),
                response_headers: names(additional_response_headers_to_log),
                response_trailers: names(additional_response_trailers_to_log),
            }),
        }))
    }
}

impl AccessLoggerExtension for TcpGrpcAccessLogger {
    const NAME: &'static str = "envoy.access_loggers.tcp_grpc";
    type Proto = proto::TcpGrpcAccessLogConfig;

    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        let kind = EntryKind::Tcp;
        let common = proto.common_config.unwrap_or_default();
        let service = cx.field("common_config", |cx| service(cx, kind, common))?;
        Ok(Arc::new(GrpcLogSpec {
            service,
            entry: Arc::new(EntrySpec {
                kind,
                request_headers: Vec::new(),
                response_headers: Vec::new(),
                response_trailers: Vec::new(),
            }),
        }))
    }
}

/// The services in use, by what they are configured with.
#[derive(Default)]
struct Services(RefCell<HashMap<(EntryKind, Vec<u8>), Weak<LogService>>>);

fn service(
    cx: &mut ParseCx,
    kind: EntryKind,
    proto: proto::CommonGrpcAccessLogConfig,
) -> Parsed<Arc<LogService>> {
    let key = (kind, proto.encode_to_vec());
    let services = cx.env().shared(Services::default);
    let known = services.0.borrow().get(&key).and_then(Weak::upgrade);
    if let Some(known) = known {
        return Ok(known);
    }
    let proto::CommonGrpcAccessLogConfig {
        log_name,
        grpc_service: target,
        transport_api_version: _,
        buffer_flush_interval,
        buffer_size_bytes,
        filter_state_objects_to_log,
        grpc_stream_retry_policy,
        custom_tags,
    } = proto;
    let objects = !filter_state_objects_to_log.is_empty();
    cx.refuse("filter_state_objects_to_log", objects)?;
    cx.refuse(
        "grpc_stream_retry_policy",
        grpc_stream_retry_policy.is_some(),
    )?;
    cx.refuse("custom_tags", !custom_tags.is_empty())?;
    let target = cx.required("grpc_service", target, grpc_service)?;
    let interval = duration::optional(cx, "buffer_flush_interval", buffer_flush_interval)?;
    let identifier = Identifier {
        node: Some(node::of(cx.env())),
        log_name,
    };
    let settings = BatchSettings {
        size: buffer_size_bytes.map_or(SIZE, |size| size.value as usize),
        interval: interval.unwrap_or(INTERVAL),
    };
    let identifier = identifier.encode_to_vec();
    let stats = LogStats::new(&cx.env().scope());
    let made = LogService::new(kind, target, identifier, settings, stats);
    let mut services = services.0.borrow_mut();
    services.retain(|_, known| known.strong_count() > 0);
    services.insert(key, Arc::downgrade(&made));
    Ok(made)
}
