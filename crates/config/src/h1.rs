//! `envoy.config.core.v3.Http1ProtocolOptions`, for both sides.

use nuncio_codec::h1::{H1Settings, HeaderCase, UnderscoresAction};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::http_protocol_options::HeadersWithUnderscoresAction;
use nuncio_proto::envoy::config::core::v3::http1_protocol_options::HeaderKeyFormat;
use nuncio_proto::envoy::config::core::v3::http1_protocol_options::header_key_format::HeaderFormat;
use nuncio_proto::envoy::config::core::v3::{Http1ProtocolOptions, HttpProtocolOptions};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

/// Converts the options; defaults where there are none.
///
/// # Errors
/// Recorded in `cx`.
pub fn settings(cx: &mut ParseCx, options: Option<Http1ProtocolOptions>) -> Parsed<H1Settings> {
    let options = options.unwrap_or_default();
    let mut settings = H1Settings {
        allow_absolute_url: options.allow_absolute_url.is_none_or(|value| value.value),
        accept_http_10: options.accept_http_10,
        default_host_for_http_10: options.default_host_for_http_10,
        allow_chunked_length: options.allow_chunked_length,
        enable_trailers: options.enable_trailers,
        allow_custom_methods: options.allow_custom_methods,
        send_fully_qualified_url: options.send_fully_qualified_url,
        header_case: header_case(cx, options.header_key_format)?,
        ..H1Settings::default()
    };
    settings.ignore_http_11_upgrade = cx.list(
        "ignore_http_11_upgrade",
        options.ignore_http_11_upgrade,
        |cx, matcher| {
            let matcher = crate::matching::string_matcher(cx, matcher)?;
            let matches: nuncio_codec::h1::UpgradeMatcher =
                Box::new(move |name| matcher.matches(name.as_bytes()));
            Ok(matches)
        },
    )?;
    cx.refuse(
        "use_balsa_parser",
        options.use_balsa_parser.is_some_and(|value| !value.value),
    )?;
    Ok(settings)
}

/// Converts what a connection manager says of HTTP/1.
///
/// # Errors
/// Recorded in `cx`.
pub fn downstream(cx: &mut ParseCx, proto: &HttpConnectionManager) -> Parsed<H1Settings> {
    let options = proto.http_protocol_options.clone();
    let mut settings = cx.field("http_protocol_options", |cx| settings(cx, options))?;
    if let Some(limit) = &proto.max_request_headers_kb {
        settings.max_headers_kb = limit.value;
    }
    if let Some(common) = &proto.common_http_protocol_options {
        if let Some(limit) = &common.max_headers_count {
            settings.max_headers_count = limit.value;
        }
        settings.underscores = underscores(common);
    }
    Ok(settings)
}

/// What becomes of header names with underscores.
pub(crate) fn underscores(common: &HttpProtocolOptions) -> UnderscoresAction {
    match common.headers_with_underscores_action() {
        HeadersWithUnderscoresAction::Allow => UnderscoresAction::Allow,
        HeadersWithUnderscoresAction::RejectRequest => UnderscoresAction::RejectRequest,
        HeadersWithUnderscoresAction::DropHeader => UnderscoresAction::DropHeader,
    }
}

fn header_case(cx: &mut ParseCx, format: Option<HeaderKeyFormat>) -> Parsed<HeaderCase> {
    let Some(HeaderKeyFormat {
        header_format: Some(format),
    }) = format
    else {
        return Ok(HeaderCase::Lower);
    };
    cx.field("header_key_format", |cx| match format {
        HeaderFormat::ProperCaseWords(_) => Ok(HeaderCase::Proper),
        HeaderFormat::StatefulFormatter(extension) => cx.field("stateful_formatter", |cx| {
            crate::header_case::preserve(cx, &extension)
        }),
    })
}
