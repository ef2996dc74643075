//! `envoy.config.core.v3.BindConfig`: what upstream sockets are bound to first.

use crate::address::socket_address;
use crate::socket_option::stream_options;
use nuncio_base::address::Address;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::SocketOptions;
use nuncio_proto::envoy::config::core::v3 as proto;

/// Adds what a bind config says.
///
/// # Errors
/// Recorded in `cx`.
pub fn bind_config(
    cx: &mut ParseCx,
    proto: proto::BindConfig,
    options: &mut SocketOptions,
) -> Parsed<()> {
    let checks = [
        (
            "freebind",
            proto.freebind.as_ref().is_some_and(|value| value.value),
        ),
        (
            "extra_source_addresses",
            !proto.extra_source_addresses.is_empty(),
        ),
        (
            "additional_source_addresses",
            !proto.additional_source_addresses.is_empty(),
        ),
        (
            "local_address_selector",
            proto.local_address_selector.is_some(),
        ),
    ];
    for (field, used) in checks {
        cx.refuse(field, used)?;
    }
    if let Some(source) = proto.source_address {
        let source = cx.field("source_address", |cx| socket_address(cx, source))?;
        options.source = match source.address {
            Address::Ip(address) => Some(address),
            Address::Pipe(_) | Address::Internal(_) => None,
        };
    }
    let raw = stream_options(cx, "socket_options", proto.socket_options)?;
    options
        .raw
        .extend(raw.into_iter().map(|converted| converted.option));
    Ok(())
}
