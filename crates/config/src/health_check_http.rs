//! `envoy.config.core.v3.HealthCheck.HttpHealthCheck`.

use crate::health_check::payload;
use crate::matching::string_matcher;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use nuncio_proto::envoy::config::core::v3::health_check::HttpHealthCheck;
use nuncio_proto::envoy::config::core::v3::{HeaderValueOption, RequestMethod};
use nuncio_proto::envoy::r#type::v3::{CodecClientType, Int64Range};
use nuncio_upstream::health_check::{HttpProbe, Payload, StatusRange};

/// Converts what is asked and expected.
///
/// # Errors
/// HTTP/3; ranges that are none; values with operators.
pub(crate) fn http_probe(cx: &mut ParseCx, proto: &HttpHealthCheck) -> Parsed<HttpProbe> {
    let http3 = proto.codec_client_type() == CodecClientType::Http3;
    cx.refuse("codec_client_type", http3)?;
    let method = method(proto.method());
    let send = cx.optional("send", proto.send.as_ref(), payload)?;
    if send.is_some() && !matches!(method, "POST" | "PUT" | "PATCH" | "OPTIONS") {
        return Err(cx.error(format!(
            "HTTP health check cannot specify a request payload with method '{method}'. Only \
             methods that support a request body (POST, PUT, PATCH, OPTIONS) can be used with \
             payload."
        )));
    }
    let expected = statuses(
        cx,
        "expected_statuses",
        "expected",
        &proto.expected_statuses,
    )?;
    let retriable = statuses(
        cx,
        "retriable_statuses",
        "retriable",
        &proto.retriable_statuses,
    )?;
    let service_name = proto.service_name_matcher.clone();
    let add = &proto.request_headers_to_add;
    let size = proto.response_buffer_size.as_ref().map(|size| size.value);
    Ok(HttpProbe {
        http2: proto.codec_client_type() == CodecClientType::Http2,
        method,
        host: proto.host.as_str().into(),
        path: proto.path.as_str().into(),
        send: send.unwrap_or_default(),
        receive: Payload(cx.list("receive", &proto.receive, payload)?),
        // 0 stands for no limit.
        response_buffer_size: size
            .filter(|size| *size > 0)
            .map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
        add_headers: cx.list("request_headers_to_add", add, header)?,
        remove_headers: lower(&proto.request_headers_to_remove),
        expected: match expected.is_empty() {
            true => vec![StatusRange {
                start: 200,
                end: 201,
            }],
            false => expected,
        },
        retriable,
        service_name: cx.optional("service_name_matcher", service_name, string_matcher)?,
    })
}

fn lower(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn method(proto: RequestMethod) -> &'static str {
    match proto {
        RequestMethod::MethodUnspecified => "GET",
        other => other.as_str_name(),
    }
}

fn statuses(
    cx: &mut ParseCx,
    field: &'static str,
    kind: &str,
    ranges: &[Int64Range],
) -> Parsed<Vec<StatusRange>> {
    cx.list(field, ranges, |cx, range| {
        let Int64Range { start, end } = *range;
        let message = if start >= end {
            format!(
                "Invalid http {kind} status range: expecting start < end, but found start={start} \
                 and end={end}"
            )
        } else if start < 100 {
            format!(
                "Invalid http {kind} status range: expecting start >= 100, but found start={start}"
            )
        } else if end > 600 {
            format!("Invalid http {kind} status range: expecting end <= 600, but found end={end}")
        } else {
            // Both are between 100 and 600.
            return Ok(StatusRange {
                start: start as u16,
                end: end as u16,
            });
        };
        Err(cx.error(message))
    })
}

/// A field of the request: name, value, whether it takes the place of others.
#[expect(deprecated, reason = "the older field is still in use")]
pub(crate) fn header(
    cx: &mut ParseCx,
    option: &HeaderValueOption,
) -> Parsed<(String, Vec<u8>, bool)> {
    let header = option.header.clone().unwrap_or_default();
    let value = match header.raw_value.is_empty() {
        true => header.value.into_bytes(),
        false => header.raw_value,
    };
    // A check is no stream: operators have nothing to tell of.
    cx.field("header", |cx| cx.refuse("value", value.contains(&b'%')))?;
    let appends = option.append.as_ref().is_none_or(|append| append.value);
    let replaces = match option.append_action() {
        HeaderAppendAction::AppendIfExistsOrAdd => !appends,
        HeaderAppendAction::OverwriteIfExistsOrAdd => true,
        HeaderAppendAction::AddIfAbsent | HeaderAppendAction::OverwriteIfExists => {
            return Err(cx.not_built("append_action"));
        }
    };
    Ok((header.key.to_ascii_lowercase(), value, replaces))
}
