//! Internal listeners: `envoy.extensions.bootstrap.internal_listener.v3.InternalListener`, and what
//! a listener with `internal_listener` may not have.

use crate::unknown_extension::unknown_extension;
use nuncio_base::address::{Address, InternalAddress};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_listener::ListenAddress;
use nuncio_net::internal_listeners::DEFAULT_BUFFER_LIMIT;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::config::listener::v3 as proto;
use nuncio_proto::envoy::extensions::bootstrap::internal_listener::v3::InternalListener;
use std::cell::Cell;

/// How many bytes may wait in one direction of a connection inside the process; none where the
/// bootstrap has no such extension. Shared by `ServerEnv::shared`.
#[derive(Default)]
pub struct InternalBufferLimit(pub Cell<Option<usize>>);

/// Converts the bootstrap's extensions, of which this is the one: the limit above.
///
/// # Errors
/// Extensions that are not here.
pub(crate) fn bootstrap_extensions(
    cx: &mut ParseCx,
    proto: Vec<TypedExtensionConfig>,
) -> Parsed<Option<usize>> {
    const TYPE: &str = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
    let limits = cx.list("bootstrap_extensions", proto, |cx, extension| {
        let config = extension.typed_config.unwrap_or_default();
        if nuncio_proto::any::type_name(&config) != TYPE {
            return Err(unknown_extension(cx, &extension.name, &config));
        }
        let InternalListener { buffer_size_kb } =
            cx.field("typed_config", |cx| cx.unpack(&config))?;
        let size = buffer_size_kb.map(|size| size.value as usize * 1024);
        Ok(size.unwrap_or(DEFAULT_BUFFER_LIMIT))
    });
    Ok(limits?.last().copied())
}

/// The limit of a listener with `internal_listener`; none where it has an address.
///
/// # Errors
/// What such a listener can't have.
pub(crate) fn internal_buffer_limit(
    cx: &mut ParseCx,
    proto: &proto::Listener,
) -> Parsed<Option<usize>> {
    if proto.listener_specifier.is_none() {
        return Ok(None);
    }
    let name = &proto.name;
    let named = |what: &str| format!("error adding listener named '{name}': {what}");
    if proto.address.is_some() || !proto.additional_addresses.is_empty() {
        let message = format!(
            "error adding listener '{name}': address should not be used when an internal \
             listener config is provided"
        );
        return Err(cx.error_at("address", message));
    }
    if proto.api_listener.is_some() {
        let message = named("api_listener and internal_listener cannot be both set");
        return Err(cx.error_at("api_listener", message));
    }
    if proto.enable_mptcp {
        let message = format!("listener {name}: enable_mptcp can only be used with IP addresses");
        return Err(cx.error_at("enable_mptcp", message));
    }
    let of_tcp = [
        (
            "connection_balance_config",
            proto.connection_balance_config.is_some(),
        ),
        ("enable_reuse_port", proto.enable_reuse_port.is_some()),
        ("freebind", proto.freebind.is_some()),
        ("tcp_backlog_size", proto.tcp_backlog_size.is_some()),
        (
            "tcp_fast_open_queue_length",
            proto.tcp_fast_open_queue_length.is_some(),
        ),
        ("transparent", proto.transparent.is_some()),
    ];
    if let Some((field, _)) = of_tcp.into_iter().find(|(_, used)| *used) {
        return Err(cx.error_at(field, named("has unsupported tcp listener feature")));
    }
    if !proto.socket_options.is_empty() {
        return Err(cx.error_at("socket_options", named("does not support socket option")));
    }
    let limit = cx.env().shared(InternalBufferLimit::default).0.get();
    match limit {
        Some(limit) => Ok(Some(limit)),
        None => {
            let message = named("InternalListener bootstrap extension is mandatory");
            Err(cx.error_at("internal_listener", message))
        }
    }
}

/// Where such a listener is found.
pub(crate) fn internal_address(proto: &proto::Listener) -> ListenAddress {
    ListenAddress::new(Address::Internal(
        InternalAddress {
            listener: proto.name.clone(),
            endpoint_id: String::new(),
        }
        .into(),
    ))
}
