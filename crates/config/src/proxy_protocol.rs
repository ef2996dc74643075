//! What is passed on of the PROXY protocol's headers, and what hosts add to them.

use crate::format::substitution_format;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_observe::Formatter;
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_stream_info::proxy_protocol::PassThrough;
use proto::proxy_protocol_pass_through_tl_vs::PassTlVsMatchType;
use std::sync::Arc;

/// Where a host's metadata says what is added.
const HOST_KEY: &str = "envoy.transport_sockets.proxy_protocol";

/// A value that a header brings along.
#[derive(Debug)]
pub enum TlvValue {
    /// As it is.
    Bytes(Vec<u8>),
    /// Made for each connection, of what is known of it.
    Format(Formatter),
}

/// Converts a type and its value.
///
/// # Errors
/// Not exactly one of a value and a format, in Envoy's words.
pub fn tlv(cx: &mut ParseCx, proto: proto::TlvEntry) -> Parsed<(u8, TlvValue)> {
    let proto::TlvEntry {
        r#type: kind,
        value,
        format_string,
    } = proto;
    let value = match (value.is_empty(), format_string) {
        (false, None) => TlvValue::Bytes(value),
        (true, Some(format)) => {
            let format = cx.field("format_string", |cx| substitution_format(cx, format))?;
            TlvValue::Format(format.formatter)
        }
        (false, Some(_)) => {
            let message = "Invalid TLV configuration: only one of 'value' or 'format_string' may \
                           be set.";
            return Err(cx.error(message));
        }
        (true, None) => {
            let message = "Invalid TLV configuration: one of 'value' or 'format_string' must be \
                           set.";
            return Err(cx.error(message));
        }
    };
    // Validation has seen to the range.
    Ok((u8::try_from(kind).unwrap_or(u8::MAX), value))
}

/// Converts `pass_through_tlvs`.
pub fn passed_tlvs(proto: Option<proto::ProxyProtocolPassThroughTlVs>) -> PassThrough {
    let Some(proto) = proto else {
        return PassThrough::None;
    };
    match proto.match_type() {
        PassTlVsMatchType::IncludeAll => PassThrough::All,
        PassTlVsMatchType::Include => {
            let kinds = proto.tlv_type.into_iter();
            PassThrough::Some(kinds.filter_map(|kind| u8::try_from(kind).ok()).collect())
        }
    }
}

/// What a host adds. As in Envoy something else under its name adds nothing, and formats are not
/// looked at.
pub(crate) fn added_by_host(metadata: Option<&proto::Metadata>) -> Arc<[(u8, Vec<u8>)]> {
    let config = metadata.and_then(|metadata| metadata.typed_filter_metadata.get(HOST_KEY));
    let config = config.filter(|config| {
        nuncio_proto::any::type_name(config) == "envoy.config.core.v3.PerHostConfig"
    });
    let config = config.and_then(|config| proto::PerHostConfig::decode(&*config.value).ok());
    let added = config.unwrap_or_default().added_tlvs.into_iter();
    added
        .filter_map(|tlv| Some((u8::try_from(tlv.r#type).ok()?, tlv.value)))
        .collect()
}
