//! `LocalReplyConfig`: proto to `nuncio_http::local_reply_config`.

use crate::access_log::log_filter;
use crate::common::data_source;
use crate::format::substitution_format;
use crate::header_mutation::{HeaderFields, header_mutations};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::local_reply_config::{BodyFormat, LocalReplyConfig, ResponseMapper};
use nuncio_proto::envoy::config::core::v3::SubstitutionFormatString;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;

/// What a connection manager makes of local replies.
///
/// # Errors
/// Filters, formats, bodies and headers that are wrong, in Envoy's words.
pub fn local_reply_config(
    cx: &mut ParseCx,
    proto: proto::LocalReplyConfig,
) -> Parsed<LocalReplyConfig> {
    let proto::LocalReplyConfig {
        mappers,
        body_format: format,
    } = proto;
    let mappers = cx.list("mappers", mappers, mapper);
    let body_format = cx.optional("body_format", format, body_format);
    Ok(LocalReplyConfig {
        mappers: mappers?,
        body_format: body_format?,
    })
}

fn mapper(cx: &mut ParseCx, proto: proto::ResponseMapper) -> Parsed<ResponseMapper> {
    let proto::ResponseMapper {
        filter,
        status_code,
        body,
        body_format_override,
        headers_to_add,
    } = proto;
    let filter = cx.required("filter", filter, log_filter);
    let body = cx.optional("body", body, data_source);
    let format = cx.optional("body_format_override", body_format_override, body_format);
    let headers = HeaderFields {
        add_field: "headers_to_add",
        add: headers_to_add,
        remove_field: "",
        remove: Vec::new(),
    };
    let headers = header_mutations(cx, headers);
    Ok(ResponseMapper {
        filter: filter?,
        status: status_code.and_then(|code| u16::try_from(code.value).ok()),
        body: body?.map(Into::into),
        body_format: format?,
        headers: headers?,
    })
}

fn body_format(cx: &mut ParseCx, proto: SubstitutionFormatString) -> Parsed<BodyFormat> {
    let format = substitution_format(cx, proto)?;
    Ok(BodyFormat {
        formatter: format.formatter,
        content_type: format.content_type,
    })
}
