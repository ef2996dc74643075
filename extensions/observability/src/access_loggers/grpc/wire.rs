//! A stream's or connection's facts as `envoy.data.accesslog.v3`, and the messages that carry them.

use super::service::EntryKind;
use nuncio_base::time::since_epoch;
use nuncio_base::{HeaderMap, HeaderName, Known, names};
use nuncio_config::shown::{address, metadata};
use nuncio_observe::FormatCx;
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3::RequestMethod;
use nuncio_proto::envoy::data::accesslog::v3 as proto;
use nuncio_proto::envoy::data::accesslog::v3::TlsProperties;
use nuncio_proto::envoy::data::accesslog::v3::tls_properties::CertificateProperties;
use nuncio_proto::envoy::data::accesslog::v3::tls_properties::TlsVersion;
use nuncio_proto::envoy::data::accesslog::v3::tls_properties::certificate_properties as san;
use nuncio_proto::google::protobuf as google;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_proto::wire;
use nuncio_stream_info::{
    CertificateInfo, Protocol, ResponseFlag, ResponseFlags, SanKind, StreamInfo, TlsInfo,
};
use proto::http_access_log_entry::HttpVersion;
use std::collections::HashMap;
use std::time::Duration;

/// `StreamAccessLogsMessage.identifier`, and the entries in each of its lists.
const IDENTIFIER: u32 = 1;
const LOG_ENTRY: u32 = 1;

/// Adds an encoded entry to an encoded list.
pub fn put_entry(list: &mut Vec<u8>, entry: &[u8]) {
    wire::put_bytes(list, LOG_ENTRY, entry);
}

/// A `StreamAccessLogsMessage` with an encoded list; who sends it stands in the first of a stream.
pub fn message(kind: EntryKind, list: &[u8], identifier: Option<&[u8]>) -> Vec<u8> {
    let mut message = Vec::with_capacity(list.len() + 16);
    if let Some(identifier) = identifier {
        wire::put_bytes(&mut message, IDENTIFIER, identifier);
    }
    wire::put_bytes(&mut message, kind as u32, list);
    message
}

/// What entries say.
#[derive(Debug)]
pub struct EntrySpec {
    /// Of what.
    pub kind: EntryKind,
    /// Request headers that are told besides.
    pub request_headers: Vec<HeaderName>,
    /// Response headers that are told besides.
    pub response_headers: Vec<HeaderName>,
    /// Response trailers that are told besides.
    pub response_trailers: Vec<HeaderName>,
}

impl EntrySpec {
    /// An encoded entry.
    pub fn encode(&self, cx: &FormatCx<'_>) -> Vec<u8> {
        let common = Some(common(cx));
        match self.kind {
            EntryKind::Http => proto::HttpAccessLogEntry {
                common_properties: common,
                protocol_version: version(cx.info.protocol) as i32,
                request: cx.request_headers.map(|headers| self.request(cx, headers)),
                response: Some(self.response(cx)),
            }
            .encode_to_vec(),
            EntryKind::Tcp => proto::TcpAccessLogEntry {
                common_properties: common,
                connection_properties: Some(proto::ConnectionProperties {
                    received_bytes: cx.info.bytes_received,
                    sent_bytes: cx.info.bytes_sent,
                }),
            }
            .encode_to_vec(),
        }
    }

    fn request(&self, cx: &FormatCx<'_>, headers: &HeaderMap) -> proto::HttpRequestProperties {
        let info = cx.info;
        let text = |name: Known| headers.get(name).map(lossy).unwrap_or_default();
        let upstream = info.upstream.as_ref();
        let method = headers.get_str(names::METHOD).unwrap_or_default();
        let method = RequestMethod::from_str_name(method);
        proto::HttpRequestProperties {
            request_method: method.unwrap_or(RequestMethod::MethodUnspecified) as i32,
            scheme: text(names::SCHEME),
            authority: text(names::AUTHORITY),
            port: None,
            path: text(names::PATH),
            user_agent: text(names::USER_AGENT),
            referer: text(names::REFERER),
            forwarded_for: text(names::X_FORWARDED_FOR),
            request_id: text(names::X_REQUEST_ID),
            original_path: text(names::X_ENVOY_ORIGINAL_PATH),
            request_headers_bytes: info.header_bytes[0],
            request_body_bytes: info.bytes_received,
            request_headers: chosen(Some(headers), &self.request_headers),
            upstream_header_bytes_sent: upstream.map_or(0, |it| it.bytes.header_sent),
            downstream_header_bytes_received: info.downstream_bytes.header_received,
        }
    }

    fn response(&self, cx: &FormatCx<'_>) -> proto::HttpResponseProperties {
        let info = cx.info;
        let upstream = info.upstream.as_ref();
        let details = info.response_code_details.as_deref();
        proto::HttpResponseProperties {
            response_code: info
                .response_code
                .map(|code| UInt32Value { value: code.into() }),
            response_headers_bytes: info.header_bytes[1],
            response_body_bytes: info.bytes_sent,
            response_headers: chosen(cx.response_headers, &self.response_headers),
            response_trailers: chosen(cx.response_trailers, &self.response_trailers),
            response_code_details: details.unwrap_or_default().to_owned(),
            upstream_header_bytes_received: upstream.map_or(0, |it| it.bytes.header_received),
            downstream_header_bytes_sent: info.downstream_bytes.header_sent,
        }
    }
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// The headers of these names that are there; of several values all, with commas.
fn chosen(headers: Option<&HeaderMap>, names: &[HeaderName]) -> HashMap<String, String> {
    let Some(headers) = headers else {
        return HashMap::new();
    };
    let value = |name: &HeaderName| {
        let values: Vec<_> = headers.get_all(name).map(lossy).collect();
        (!values.is_empty()).then(|| (name.as_str().to_owned(), values.join(",")))
    };
    names.iter().filter_map(value).collect()
}

fn version(protocol: Option<Protocol>) -> HttpVersion {
    match protocol {
        None => HttpVersion::ProtocolUnspecified,
        Some(Protocol::Http10) => HttpVersion::Http10,
        Some(Protocol::Http11) => HttpVersion::Http11,
        Some(Protocol::Http2) => HttpVersion::Http2,
        Some(Protocol::Http3) => HttpVersion::Http3,
    }
}

fn common(cx: &FormatCx<'_>) -> proto::AccessLogCommon {
    let info = cx.info;
    let connection = &info.connection;
    let times = &info.timings;
    let since = |point| times.since_start(point).map(duration);
    let end = times.end.unwrap_or(cx.now);
    let mut entry = proto::AccessLogCommon {
        downstream_remote_address: Some(address(info.downstream_remote_address())),
        downstream_direct_remote_address: Some(address(connection.direct_remote_address())),
        downstream_local_address: Some(address(&connection.local_address)),
        tls_properties: connection.tls.as_deref().map(tls_properties),
        start_time: Some(timestamp(since_epoch(times.start_time))),
        time_to_last_rx_byte: since(times.last_downstream_rx),
        time_to_first_upstream_tx_byte: since(times.first_upstream_tx),
        time_to_last_upstream_tx_byte: since(times.last_upstream_tx),
        time_to_first_upstream_rx_byte: since(times.first_upstream_rx),
        time_to_last_upstream_rx_byte: since(times.last_upstream_rx),
        time_to_first_downstream_tx_byte: since(times.first_downstream_tx),
        time_to_last_downstream_tx_byte: since(times.last_downstream_tx),
        duration: since(Some(end)),
        route_name: info.route_name().unwrap_or_default().to_owned(),
        upstream_request_attempt_count: info.attempt_count,
        connection_termination_details: termination(info),
        response_flags: (!info.flags.is_empty()).then(|| response_flags(info.flags)),
        metadata: (!info.metadata.is_empty()).then(|| metadata(&info.metadata)),
        stream_id: cx.stream_id().unwrap_or_default().to_owned(),
        downstream_wire_bytes_sent: info.downstream_bytes.wire_sent,
        downstream_wire_bytes_received: info.downstream_bytes.wire_received,
        access_log_type: access_log_type(cx),
        ..Default::default()
    };
    if let Some(reason) = &connection.transport_failure_reason {
        entry.downstream_transport_failure_reason = reason.to_string();
    }
    if let Some(upstream) = &info.upstream {
        let remote = upstream.other_address.as_ref();
        let remote = remote.or(upstream.address.as_ref());
        entry.upstream_remote_address = remote.map(address);
        entry.upstream_local_address = upstream.local_address.as_ref().map(address);
        entry.upstream_cluster = upstream
            .cluster
            .as_ref()
            .map_or_else(String::new, |cluster| {
                cluster.observability_name.to_string()
            });
        let reason = upstream.transport_failure_reason.as_deref();
        entry.upstream_transport_failure_reason = reason.unwrap_or_default().to_owned();
        entry.upstream_wire_bytes_sent = upstream.bytes.wire_sent;
        entry.upstream_wire_bytes_received = upstream.bytes.wire_received;
    }
    entry
}

fn access_log_type(cx: &FormatCx<'_>) -> i32 {
    let kind = proto::AccessLogType::from_str_name(cx.log_type.as_str());
    kind.unwrap_or(proto::AccessLogType::NotSet) as i32
}

fn termination(info: &StreamInfo) -> String {
    if let Some(details) = &info.connection_termination_details {
        return details.to_string();
    }
    let details = info.connection.termination_details.borrow();
    details.as_deref().unwrap_or_default().to_owned()
}

fn duration(time: Duration) -> google::Duration {
    google::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.subsec_nanos()).unwrap_or_default(),
    }
}

fn timestamp(since: Duration) -> google::Timestamp {
    let google::Duration { seconds, nanos } = duration(since);
    google::Timestamp { seconds, nanos }
}

fn response_flags(flags: ResponseFlags) -> proto::ResponseFlags {
    use proto::response_flags::Unauthorized;
    use proto::response_flags::unauthorized::Reason;
    let has = |flag| flags.has(flag);
    let unauthorized = has(ResponseFlag::UnauthorizedExternalService);
    proto::ResponseFlags {
        failed_local_healthcheck: has(ResponseFlag::FailedLocalHealthCheck),
        no_healthy_upstream: has(ResponseFlag::NoHealthyUpstream),
        upstream_request_timeout: has(ResponseFlag::UpstreamRequestTimeout),
        local_reset: has(ResponseFlag::LocalReset),
        upstream_remote_reset: has(ResponseFlag::UpstreamRemoteReset),
        upstream_connection_failure: has(ResponseFlag::UpstreamConnectionFailure),
        upstream_connection_termination: has(ResponseFlag::UpstreamConnectionTermination),
        upstream_overflow: has(ResponseFlag::UpstreamOverflow),
        no_route_found: has(ResponseFlag::NoRouteFound),
        delay_injected: has(ResponseFlag::DelayInjected),
        fault_injected: has(ResponseFlag::FaultInjected),
        rate_limited: has(ResponseFlag::RateLimited),
        unauthorized_details: unauthorized.then_some(Unauthorized {
            reason: Reason::ExternalService as i32,
        }),
        rate_limit_service_error: has(ResponseFlag::RateLimitServiceError),
        downstream_connection_termination: has(ResponseFlag::DownstreamConnectionTermination),
        upstream_retry_limit_exceeded: has(ResponseFlag::UpstreamRetryLimitExceeded),
        stream_idle_timeout: has(ResponseFlag::StreamIdleTimeout),
        invalid_envoy_request_headers: has(ResponseFlag::InvalidEnvoyRequestHeaders),
        downstream_protocol_error: has(ResponseFlag::DownstreamProtocolError),
        upstream_max_stream_duration_reached: has(ResponseFlag::UpstreamMaxStreamDurationReached),
        response_from_cache_filter: has(ResponseFlag::ResponseFromCacheFilter),
        no_filter_config_found: has(ResponseFlag::NoFilterConfigFound),
        duration_timeout: has(ResponseFlag::DurationTimeout),
        upstream_protocol_error: has(ResponseFlag::UpstreamProtocolError),
        no_cluster_found: has(ResponseFlag::NoClusterFound),
        overload_manager: has(ResponseFlag::OverloadManager),
        dns_resolution_failure: has(ResponseFlag::DnsResolutionFailed),
        downstream_remote_reset: has(ResponseFlag::DownstreamRemoteReset),
    }
}

/// The numbers of the cipher suites that there are (IANA's "TLS Cipher Suites").
const CIPHERS: [(&str, u32); 9] = [
    ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c),
    ("ECDHE-RSA-AES128-GCM-SHA256", 0xc02f),
    ("ECDHE-RSA-AES256-GCM-SHA384", 0xc030),
    ("ECDHE-RSA-CHACHA20-POLY1305", 0xcca8),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9),
];

/// A connection's TLS.
fn tls_properties(tls: &TlsInfo) -> TlsProperties {
    let cipher = CIPHERS.iter().find(|(name, _)| tls.cipher == Some(name));
    TlsProperties {
        tls_version: (match tls.version {
            Some("TLSv1.3") => TlsVersion::TlSv13,
            Some("TLSv1.2") => TlsVersion::TlSv12,
            _ => TlsVersion::VersionUnspecified,
        }) as i32,
        tls_cipher_suite: cipher.map(|(_, number)| UInt32Value { value: *number }),
        tls_sni_hostname: tls.server_name.as_deref().unwrap_or_default().to_owned(),
        local_certificate_properties: Some(certificate_properties(tls.local.as_deref())),
        peer_certificate_properties: Some(certificate_properties(tls.peer_certificate())),
        ..Default::default()
    }
}

/// Its names, URIs before DNS names, and its subject.
fn certificate_properties(certificate: Option<&CertificateInfo>) -> CertificateProperties {
    use san::subject_alt_name::San;
    let Some(certificate) = certificate else {
        return CertificateProperties::default();
    };
    let uris = certificate
        .sans_of(SanKind::Uri)
        .map(|it| San::Uri(it.to_owned()));
    let dns = certificate
        .sans_of(SanKind::Dns)
        .map(|it| San::Dns(it.to_owned()));
    let sans = uris.chain(dns);
    CertificateProperties {
        subject_alt_name: sans
            .map(|san| san::SubjectAltName { san: Some(san) })
            .collect(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
    }
}
