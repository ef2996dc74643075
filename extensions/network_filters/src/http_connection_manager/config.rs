//! `HttpConnectionManager`: every field is converted, or refused by its name.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use super::client_cert::config::forward_client_cert;
use super::refused::config::refused;
use super::tracing;
use nuncio_codec::h1::H1Settings;
use nuncio_codec::h2::H2Settings;
use nuncio_config::local_reply::local_reply_config;
use nuncio_config::repeated::Repeated;
use nuncio_config::{
    access_log, client_address, duration, early_header_mutation, h1, h2, http_filters, route_source,
};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_http::conn_manager::{
    CodecType, EscapedSlashes, ForwardProto, HcmLocal, HcmSpec, HttpConnectionManager as Manager,
    ManagerStats, ProxyStatus, RequestIds, ServerHeader, StripPort, Timeouts, Upgrade, UserAgent,
    XffSettings,
};
use nuncio_net::factory::{LocalNetworkFilterFactory, NetworkFilterFactory, NewConnection};
use nuncio_net::host_address::HostAddress;
use nuncio_net::{ConnectionEvent, NetworkFilter};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
use nuncio_worker::Worker;
use proto::http_connection_manager as nested;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

static HTTP1: Repeated<H1Settings> = Repeated::new();
static HTTP2: Repeated<H2Settings> = Repeated::new();

/// The extension.
pub struct HttpConnectionManager;

/// The parsed configuration.
pub struct Spec(Arc<HcmSpec>);

impl NetworkFilterFactory for Spec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Local(HcmLocal::new(&self.0, worker)))
    }
}

struct Local(Rc<HcmLocal>);

impl LocalNetworkFilterFactory for Local {
    fn create(&self, connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Manager::new(&self.0, connection))
    }

    fn count_failed_handshake(&self, event: ConnectionEvent) {
        self.0.count_failed_handshake(event);
    }
}

impl NetworkFilterExtension for HttpConnectionManager {
    const NAME: &'static str = "envoy.filters.network.http_connection_manager";
    const TERMINAL: bool = true;
    type Proto = proto::HttpConnectionManager;
    type Spec = Spec;

    fn parse(
        &self,
        proto: Self::Proto,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Spec> {
        let refused = refused(cx, &proto);
        let filter_cx = HttpFilterCx::new(format!("http.{}.", proto.stat_prefix), false);
        let codec = codec(cx, &proto);
        let h1 = h1::downstream(cx, &proto);
        let h2 = h2::downstream(cx, &proto);
        let timeouts = timeouts(cx, &proto);
        let request_ids = request_ids(cx, &proto);
        let chain = http_filters::chain(cx, "http_filters", proto.http_filters.clone(), &filter_cx);
        let upgrades = upgrades(cx, &proto, &filter_cx);
        let routes = route_source::route_source(cx, &proto);
        let internal_addresses =
            client_address::internal_addresses(cx, proto.internal_address_config.clone());
        let original_ip = client_address::original_ip(cx, &proto);
        let user_agent = user_agent(cx, &proto);
        let proxy_status = proxy_status(cx, &proto);
        let tracing = tracing::config::settings(cx, &proto, listener.outbound);
        let logs = access_log::of_manager(cx, &proto);
        let early_mutations = early_header_mutation::mutations(cx, &proto);
        let local_reply = proto.local_reply_config.clone();
        let local_reply = cx.optional("local_reply_config", local_reply, local_reply_config);
        refused?;
        let common = proto.common_http_protocol_options.unwrap_or_default();
        Ok(Spec(Arc::new(HcmSpec {
            codec: codec?,
            h1: HTTP1.share(h1?),
            h2: HTTP2.share(h2?),
            chain: chain?,
            routes: routes?,
            logs: logs?,
            early_mutations: early_mutations?,
            local_reply: local_reply?.map(Arc::new),
            server_name: or_default(&proto.server_name, "envoy"),
            server_header: server_header(&proto),
            via: proto.via.clone(),
            request_ids: request_ids?,
            xff: xff(&proto),
            internal_addresses: internal_addresses?,
            original_ip: original_ip?,
            host_ip: cx.env().shared(HostAddress::find).0,
            forward_proto: forward_proto(&proto),
            forward_client_cert: forward_client_cert(&proto),
            user_agent,
            proxy_status,
            tracing: tracing?,
            stream_error_on_invalid_message: stream_error(&proto),
            strip_port: strip_port(&proto),
            strip_trailing_dot: proto.strip_trailing_host_dot,
            normalize_path: proto.normalize_path.is_some_and(|value| value.value),
            merge_slashes: proto.merge_slashes,
            escaped_slashes: escaped_slashes(&proto),
            append_forwarded_port: proto.append_x_forwarded_port,
            scheme_override: scheme_override(&proto),
            proxy_100_continue: proto.proxy_100_continue,
            upgrades: upgrades?,
            timeouts: timeouts?,
            append_local_overload: proto.append_local_overload,
            safe_max_connection_duration: proto.http1_safe_max_connection_duration,
            max_requests_per_connection: common
                .max_requests_per_connection
                .map_or(0, |value| u64::from(value.value)),
            buffer_limit: listener.buffer_limit,
            stats: stats(cx, &proto, &listener.listener_stat_prefix),
            stat_prefix: proto.stat_prefix,
        })))
    }
}

fn stats(cx: &ParseCx, proto: &proto::HttpConnectionManager, listener: &str) -> ManagerStats {
    let store = &cx.env().store;
    let name = format!("http.{}", proto.stat_prefix);
    let scope = store.scope(&name);
    ManagerStats {
        http: scope.group(),
        tracing: Some(scope.scope("tracing").group()),
        http1: store.scope("http1").group(),
        http2: store.scope("http2"),
        listener: store.scope(listener).scope(&name).group(),
    }
}

fn or_default(text: &str, default: &str) -> String {
    if text.is_empty() {
        default.to_owned()
    } else {
        text.to_owned()
    }
}

fn codec(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<CodecType> {
    match proto.codec_type() {
        nested::CodecType::Auto => Ok(CodecType::Auto),
        nested::CodecType::Http1 => Ok(CodecType::Http1),
        nested::CodecType::Http2 => Ok(CodecType::Http2),
        nested::CodecType::Http3 => Err(cx.not_built("codec_type")),
    }
}

fn timeouts(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<Timeouts> {
    let common = proto.common_http_protocol_options.unwrap_or_default();
    let hour = Duration::from_secs(3600);
    let (idle, max_connection_duration, max_stream_duration) =
        cx.field("common_http_protocol_options", |cx| {
            (
                duration::limit(cx, "idle_timeout", common.idle_timeout, Some(hour)),
                duration::limit(
                    cx,
                    "max_connection_duration",
                    common.max_connection_duration,
                    None,
                ),
                duration::limit(cx, "max_stream_duration", common.max_stream_duration, None),
            )
        });
    let five_minutes = Duration::from_secs(300);
    let stream_idle = duration::limit(
        cx,
        "stream_idle_timeout",
        proto.stream_idle_timeout,
        Some(five_minutes),
    );
    let request = duration::limit(cx, "request_timeout", proto.request_timeout, None);
    let request_headers = duration::limit(
        cx,
        "request_headers_timeout",
        proto.request_headers_timeout,
        None,
    );
    let drain = duration::optional(cx, "drain_timeout", proto.drain_timeout);
    let delayed_close =
        duration::optional(cx, "delayed_close_timeout", proto.delayed_close_timeout);
    let stream_flush = duration::optional(cx, "stream_flush_timeout", proto.stream_flush_timeout);
    Ok(Timeouts {
        idle: idle?,
        stream_idle: stream_idle?,
        stream_flush: stream_flush?,
        request: request?,
        request_headers: request_headers?,
        max_connection_duration: max_connection_duration?,
        max_connection_duration_jitter: common
            .max_connection_duration_jitter
            .map_or(0.0, |percent| percent.value),
        max_stream_duration: max_stream_duration?,
        drain_jitter: proto
            .drain_timeout_jitter
            .as_ref()
            .map_or(0.0, |percent| percent.value),
        drain: drain?.unwrap_or(Duration::from_secs(5)),
        delayed_close: delayed_close?.unwrap_or(Duration::from_secs(1)),
    })
}

fn xff(proto: &proto::HttpConnectionManager) -> XffSettings {
    XffSettings {
        use_remote_address: proto.use_remote_address.is_some_and(|value| value.value),
        trusted_hops: proto.xff_num_trusted_hops,
        skip_append: proto.skip_xff_append,
    }
}

fn request_ids(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<RequestIds> {
    let mut pack_trace_reason = true;
    if let Some(extension) = &proto.request_id_extension {
        let config = cx.field("request_id_extension", |cx| {
            let config = extension.typed_config.as_ref();
            cx.optional("typed_config", config, |cx, any| {
                cx.unpack::<UuidRequestIdConfig>(any)
            })
        })?;
        let packs = config.unwrap_or_default().pack_trace_reason;
        pack_trace_reason = packs.is_none_or(|value| value.value);
    }
    Ok(RequestIds {
        generate: proto.generate_request_id.is_none_or(|value| value.value),
        preserve_external: proto.preserve_external_request_id,
        always_set_in_response: proto.always_set_request_id_in_response,
        pack_trace_reason,
    })
}

fn server_header(proto: &proto::HttpConnectionManager) -> ServerHeader {
    match proto.server_header_transformation() {
        nested::ServerHeaderTransformation::Overwrite => ServerHeader::Overwrite,
        nested::ServerHeaderTransformation::AppendIfAbsent => ServerHeader::AppendIfAbsent,
        nested::ServerHeaderTransformation::PassThrough => ServerHeader::PassThrough,
    }
}

fn user_agent(cx: &ParseCx, proto: &proto::HttpConnectionManager) -> Option<UserAgent> {
    let node = &cx.env().node;
    let wanted = proto.add_user_agent.is_some_and(|value| value.value);
    wanted.then(|| UserAgent {
        cluster: node.cluster.clone(),
        node: node.id.clone(),
    })
}

fn proxy_status(cx: &ParseCx, proto: &proto::HttpConnectionManager) -> Option<ProxyStatus> {
    use nested::proxy_status_config::ProxyName;
    let config = proto.proxy_status_config.as_ref()?;
    let name = match &config.proxy_name {
        Some(ProxyName::UseNodeId(true)) => cx.env().node.id.clone(),
        Some(ProxyName::LiteralProxyName(name)) => name.clone(),
        Some(ProxyName::UseNodeId(false)) | None => or_default(&proto.server_name, "envoy"),
    };
    Some(ProxyStatus {
        name,
        details: !config.remove_details,
        termination_details: !config.remove_connection_termination_details,
        flags: !config.remove_response_flags,
        set_recommended_status: config.set_recommended_response_code,
    })
}

fn forward_proto(proto: &proto::HttpConnectionManager) -> Option<Box<ForwardProto>> {
    let config = proto.forward_proto_config.as_ref()?;
    Some(Box::new(ForwardProto {
        https_ports: config.https_destination_ports.clone(),
        http_ports: config.http_destination_ports.clone(),
    }))
}

/// The manager's own setting, where it is there, else its HTTP/1 options'.
fn stream_error(proto: &proto::HttpConnectionManager) -> bool {
    let of_h1 = proto
        .http_protocol_options
        .as_ref()
        .and_then(|options| options.override_stream_error_on_invalid_http_message);
    let of_manager = proto.stream_error_on_invalid_http_message;
    of_h1.or(of_manager).is_some_and(|value| value.value)
}

fn strip_port(proto: &proto::HttpConnectionManager) -> StripPort {
    match proto.strip_port_mode {
        Some(nested::StripPortMode::StripAnyHostPort(true)) => StripPort::Any,
        _ if proto.strip_matching_host_port => StripPort::Matching,
        _ => StripPort::No,
    }
}

fn escaped_slashes(proto: &proto::HttpConnectionManager) -> EscapedSlashes {
    use nested::PathWithEscapedSlashesAction as Action;
    match proto.path_with_escaped_slashes_action() {
        Action::ImplementationSpecificDefault | Action::KeepUnchanged => EscapedSlashes::Keep,
        Action::RejectRequest => EscapedSlashes::Reject,
        Action::UnescapeAndRedirect => EscapedSlashes::UnescapeAndRedirect,
        Action::UnescapeAndForward => EscapedSlashes::UnescapeAndForward,
    }
}

fn scheme_override(proto: &proto::HttpConnectionManager) -> Option<String> {
    use nuncio_proto::envoy::config::core::v3::scheme_header_transformation::Transformation;
    match proto
        .scheme_header_transformation
        .as_ref()?
        .transformation
        .as_ref()?
    {
        Transformation::SchemeToOverwrite(scheme) => Some(scheme.clone()),
    }
}

fn upgrades(
    cx: &mut ParseCx,
    proto: &proto::HttpConnectionManager,
    filter_cx: &HttpFilterCx,
) -> Parsed<Vec<Upgrade>> {
    let mut seen = Vec::new();
    cx.list("upgrade_configs", &proto.upgrade_configs, |cx, upgrade| {
        let (given, name) = (
            &upgrade.upgrade_type,
            upgrade.upgrade_type.to_ascii_lowercase(),
        );
        if seen.contains(&name) {
            let message = format!("Error: multiple upgrade configs with the same name: '{given}'");
            return Err(cx.error_at("upgrade_type", message));
        }
        seen.push(name.clone());
        Ok(Upgrade {
            name,
            enabled: upgrade.enabled.as_ref().is_none_or(|value| value.value),
            chain: http_filters::chain(cx, "filters", upgrade.filters.clone(), filter_cx)?,
        })
    })
}
