//! What is passed on of the PROXY protocol's headers, and what hosts add to them.

use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_stream_info::proxy_protocol::PassThrough;
use proto::proxy_protocol_pass_through_tl_vs::PassTlVsMatchType;
use std::sync::Arc;

/// Where a host's metadata says what is added.
const HOST_KEY: &str = "envoy.transport_sockets.proxy_protocol";

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
