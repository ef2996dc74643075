//! What a gRPC service is asked and answers: `envoy.service.auth.v3.Authorization`.

use super::check::sent_headers;
use super::settings::{BodySettings, ExtAuthzSpec};
use super::shadow::{CheckResult, ShadowDecision};
use super::verdict::{Consent, Denial, Fields, ResponseField, Verdict};
use nuncio_base::metadata::Value;
use nuncio_base::{Buffer, HeaderMap, HeaderName, names};
use nuncio_config::authorization::{certificate, metadata, peer};
use nuncio_config::common::structure;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use nuncio_proto::envoy::extensions::filters::http::ext_authz::v3 as ext_authz;
use nuncio_proto::envoy::service::auth::v3 as proto;
use nuncio_proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Request, TlsSession};
use nuncio_proto::envoy::service::auth::v3::check_response::HttpResponse;
use nuncio_proto::google::protobuf::{Struct, Timestamp};
use nuncio_proto::json::{Options, print};
use nuncio_proto::{Name, reflect};
use nuncio_route::mutation::AppendAction;
use nuncio_stream_info::{Protocol, StreamInfo};
use prost::Message;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// The method that is called.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Who a check is about.
pub(super) struct Subject<'a> {
    pub headers: &'a HeaderMap,
    pub info: &'a StreamInfo,
    /// Any number.
    pub id: u64,
    /// The request's body, how it is packed, and whether it is the beginning only.
    pub body: Option<(Buffer, BodySettings, bool)>,
    pub context_extensions: &'a BTreeMap<String, String>,
}

/// The check's message.
pub(super) fn request(spec: &ExtAuthzSpec, subject: Subject<'_>) -> Vec<u8> {
    let (info, connection) = (subject.info, &subject.info.connection);
    let tls = connection.tls.as_ref();
    let peer_certificate = tls.and_then(|tls| tls.peer_certificate());
    let own_certificate = tls.and_then(|tls| tls.local.as_deref());
    let remote = info.remote_address.as_ref();
    let mut source = peer(
        remote.unwrap_or(&connection.remote_address),
        peer_certificate,
    );
    source.service = text(subject.headers.get("x-envoy-downstream-service-cluster"));
    if spec.grpc.include_peer_certificate {
        source.certificate = peer_certificate.map(certificate).unwrap_or_default();
    }
    let start = info.timings.start_time.duration_since(UNIX_EPOCH);
    let start = start.unwrap_or_default();
    let context = proto::AttributeContext {
        source: Some(source),
        destination: Some(peer(&connection.local_address, own_certificate)),
        request: Some(Request {
            time: Some(Timestamp {
                seconds: start.as_secs() as i64,
                nanos: start.subsec_nanos() as i32,
            }),
            http: Some(http(spec, &subject)),
        }),
        context_extensions: subject.context_extensions.clone().into_iter().collect(),
        metadata_context: Some(metadata(
            &spec.grpc.metadata_namespaces,
            &[Some(&info.metadata)],
        )),
        route_metadata_context: Some(metadata(
            &spec.grpc.route_metadata_namespaces,
            &[info.route_metadata()],
        )),
        tls_session: spec.grpc.include_tls_session.then(|| TlsSession {
            sni: connection
                .requested_server_name
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        }),
    };
    let request = proto::CheckRequest {
        attributes: Some(context),
    };
    request.encode_to_vec()
}

fn http(spec: &ExtAuthzSpec, subject: &Subject<'_>) -> HttpRequest {
    let get = |name| text(subject.headers.get(name));
    let mut http = HttpRequest {
        id: subject.id.to_string(),
        method: get(names::METHOD),
        path: get(names::PATH),
        host: get(names::AUTHORITY),
        scheme: get(names::SCHEME),
        size: subject.info.bytes_received as i64,
        protocol: match subject.info.protocol {
            Some(Protocol::Http10) => "HTTP/1.0",
            Some(Protocol::Http2) => "HTTP/2",
            Some(Protocol::Http3) => "HTTP/3",
            Some(Protocol::Http11) | None => "HTTP/1.1",
        }
        .to_owned(),
        ..HttpRequest::default()
    };
    let mut headers = sent_headers(spec, subject.headers);
    if let Some((body, settings, partial)) = &subject.body {
        let bytes = body.to_bytes();
        if settings.pack_as_bytes {
            http.raw_body = bytes.to_vec();
        } else {
            http.body = String::from_utf8_lossy(&bytes).into_owned();
        }
        let partial = partial.to_string().into_bytes();
        headers.push(("x-envoy-auth-partial-body".to_owned(), partial));
    }
    if spec.encode_raw_headers {
        let field = |(key, raw_value)| core::HeaderValue {
            key,
            raw_value,
            ..core::HeaderValue::default()
        };
        let headers = headers.into_iter().map(field).collect();
        http.header_map = Some(core::HeaderMap { headers });
    } else {
        let field = |(name, value): (String, Vec<u8>)| (name, text(Some(&value)));
        http.headers = headers.into_iter().map(field).collect();
    }
    http
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

/// What the service's answer means.
pub(super) fn verdict(answer: &[u8]) -> Verdict {
    let Ok(answer) = proto::CheckResponse::decode(answer) else {
        return Verdict::Error;
    };
    let metadata = fields_of(answer.dynamic_metadata);
    if answer.status.is_none_or(|status| status.code == 0) {
        return match answer.http_response {
            Some(HttpResponse::OkResponse(ok)) => Verdict::Ok(consent(ok, metadata)),
            Some(_) | None => Verdict::Ok(Consent {
                metadata,
                ..Consent::default()
            }),
        };
    }
    let denied = match answer.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied,
        Some(HttpResponse::ErrorResponse(_)) => return Verdict::Error,
        Some(HttpResponse::OkResponse(_)) | None => proto::DeniedHttpResponse::default(),
    };
    let status = denied.status.map_or(0, |status| status.code);
    Verdict::Denied(Denial {
        status: u16::try_from(status)
            .ok()
            .filter(|status| *status > 0)
            .unwrap_or(403),
        headers: denied.headers.into_iter().filter_map(header).collect(),
        body: denied.body.into(),
        metadata,
    })
}

#[expect(deprecated, reason = "services still use the old place of metadata")]
fn consent(ok: proto::OkHttpResponse, mut metadata: BTreeMap<String, Value>) -> Consent {
    let (mut set, mut append) = (Fields::new(), Fields::new());
    for option in ok.headers {
        let appends = option.append.as_ref().is_some_and(|append| append.value);
        let to = if appends { &mut append } else { &mut set };
        to.extend(header(option));
    }
    if ok.dynamic_metadata.is_some() {
        metadata = fields_of(ok.dynamic_metadata);
    }
    let removed = ok.headers_to_remove.iter();
    Consent {
        set,
        append,
        remove: removed
            .filter(|name| !name.starts_with(':') && !name.eq_ignore_ascii_case("host"))
            .filter(|name| HeaderName::is_valid(name))
            .map(|name| HeaderName::new(name))
            .collect(),
        response: ok
            .response_headers_to_add
            .into_iter()
            .filter_map(response_field)
            .collect(),
        query_set: ok
            .query_parameters_to_set
            .into_iter()
            .map(|parameter| (parameter.key, parameter.value))
            .collect(),
        query_remove: ok.query_parameters_to_remove,
        metadata,
    }
}

/// A field that a message may have; what frames one is left to us.
fn header(option: core::HeaderValueOption) -> Option<(HeaderName, Vec<u8>)> {
    let header = option.header?;
    let is_ours = super::check::is_message_framing(header.key.to_ascii_lowercase().as_bytes());
    if is_ours || !HeaderName::is_valid(&header.key) {
        return None;
    }
    let value = match header.value.is_empty() {
        true => header.raw_value,
        false => header.value.into_bytes(),
    };
    let is_value = !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    is_value.then(|| (HeaderName::new(&header.key), value))
}

#[expect(deprecated, reason = "services still say append")]
fn response_field(option: core::HeaderValueOption) -> Option<ResponseField> {
    let action = match (&option.append, option.append_action()) {
        (Some(append), _) if append.value => AppendAction::AppendIfExistsOrAdd,
        (Some(_), _) => AppendAction::OverwriteIfExistsOrAdd,
        (None, HeaderAppendAction::AppendIfExistsOrAdd) => AppendAction::AppendIfExistsOrAdd,
        (None, HeaderAppendAction::AddIfAbsent) => AppendAction::AddIfAbsent,
        (None, HeaderAppendAction::OverwriteIfExistsOrAdd) => AppendAction::OverwriteIfExistsOrAdd,
        (None, HeaderAppendAction::OverwriteIfExists) => AppendAction::OverwriteIfExists,
    };
    let (name, value) = header(option)?;
    Some(ResponseField {
        name,
        value,
        action,
    })
}

fn fields_of(data: Option<Struct>) -> BTreeMap<String, Value> {
    match data.map(structure) {
        Some(Value::Struct(fields)) => (*fields).clone(),
        _ => BTreeMap::new(),
    }
}

/// A decision as the JSON of its message.
pub(super) fn shadow_text(decision: &ShadowDecision) -> String {
    use ext_authz::shadow_decision::CheckResult as Result;
    let result = match decision.result {
        CheckResult::Ok => Result::Ok,
        CheckResult::Denied => Result::Denied,
        CheckResult::Error => Result::Error,
    };
    let headers = decision
        .headers
        .iter()
        .map(|(name, value)| core::HeaderValue {
            key: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value).into_owned(),
            raw_value: Vec::new(),
        });
    let message = ext_authz::ShadowDecision {
        check_result: result.into(),
        status_code: decision.status.into(),
        response_headers: headers.collect(),
    };
    let options = Options {
        redact: false,
        always_print: false,
        compact: true,
    };
    let kind = reflect::message(&ext_authz::ShadowDecision::full_name());
    let bytes = message.encode_to_vec();
    kind.map_or_else(String::new, |kind| print(&bytes, kind, &options))
}
