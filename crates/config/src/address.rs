//! `envoy.config.core.v3.Address` and its kinds.

use nuncio_base::address::{Address, InternalAddress};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3 as proto;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The longest path of a Unix socket, and one byte more.
const UNIX_PATH_SIZE: usize = 108;

/// An address with what only listeners want to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedAddress {
    /// The address.
    pub address: Address,
    /// `protocol: UDP`.
    pub udp: bool,
    /// An IPv6 wildcard takes IPv4 too.
    pub ipv4_compat: bool,
    /// A Unix socket's file mode, if it is set.
    pub mode: Option<u32>,
    /// The file of the network namespace that the socket is made in.
    pub network_namespace: Option<Arc<str>>,
}

impl From<Address> for ParsedAddress {
    fn from(address: Address) -> Self {
        Self {
            address,
            udp: false,
            ipv4_compat: false,
            mode: None,
            network_namespace: None,
        }
    }
}

/// Converts an address that needs no resolving, in the network namespace of the process.
///
/// # Errors
/// Host names, named ports, resolvers, network namespaces; malformed paths.
pub fn address(cx: &mut ParseCx, proto: proto::Address) -> Parsed<ParsedAddress> {
    let parsed = listen_address(cx, proto)?;
    cx.field("socket_address", |cx| refuse_namespace(cx, &parsed))?;
    Ok(parsed)
}

fn refuse_namespace(cx: &mut ParseCx, parsed: &ParsedAddress) -> Parsed<()> {
    cx.refuse(
        "network_namespace_filepath",
        parsed.network_namespace.is_some(),
    )
}

/// Converts an address to listen on, in any network namespace.
///
/// # Errors
/// Host names, named ports, resolvers; malformed paths.
pub fn listen_address(cx: &mut ParseCx, proto: proto::Address) -> Parsed<ParsedAddress> {
    use proto::address::Address as Kind;
    match proto.address {
        Some(Kind::SocketAddress(socket)) => {
            cx.field("socket_address", |cx| any_socket_address(cx, socket))
        }
        Some(Kind::Pipe(unix)) => cx.field("pipe", |cx| pipe(cx, unix)),
        Some(Kind::EnvoyInternalAddress(internal)) => cx.field("envoy_internal_address", |cx| {
            internal_address(cx, internal)
        }),
        None => Err(cx.error("field: 'address', reason: is required")),
    }
}

/// Converts an IP address and port.
///
/// # Errors
/// As [`address`].
pub fn socket_address(cx: &mut ParseCx, proto: proto::SocketAddress) -> Parsed<ParsedAddress> {
    let parsed = any_socket_address(cx, proto)?;
    refuse_namespace(cx, &parsed)?;
    Ok(parsed)
}

fn any_socket_address(cx: &mut ParseCx, proto: proto::SocketAddress) -> Parsed<ParsedAddress> {
    use proto::socket_address::{PortSpecifier, Protocol};
    let udp = proto.protocol() == Protocol::Udp;
    let proto::SocketAddress {
        protocol: _,
        address,
        resolver_name,
        ipv4_compat,
        network_namespace_filepath,
        port_specifier,
    } = proto;
    let port = match port_specifier {
        Some(PortSpecifier::PortValue(port)) => port,
        Some(PortSpecifier::NamedPort(_)) => {
            let message = "IP resolver can't handle port specifier type 4";
            return Err(cx.error_at("named_port", message));
        }
        None => 0,
    };
    let Ok(port) = u16::try_from(port) else {
        return Err(cx.error_at("port_value", "value must be less than or equal to 65535"));
    };
    if !matches!(resolver_name.as_str(), "" | "envoy.ip") {
        let message = format!("Unknown address resolver: {resolver_name}");
        return Err(cx.error_at("resolver_name", message));
    }
    let Ok(ip) = address.parse::<IpAddr>() else {
        return Err(cx.error_at("address", format!("malformed IP address: {address}")));
    };
    let address = SocketAddr::new(ip, port);
    let takes_ipv4 = match ip {
        IpAddr::V6(v6) => v6.is_unspecified() || v6.to_ipv4_mapped().is_some(),
        IpAddr::V4(_) => false,
    };
    if ipv4_compat && !takes_ipv4 {
        let message = format!(
            "Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set ipv4_compat: \
             {address}"
        );
        return Err(cx.error_at("ipv4_compat", message));
    }
    Ok(ParsedAddress {
        udp,
        ipv4_compat,
        network_namespace: match network_namespace_filepath.as_str() {
            "" => None,
            path => Some(path.into()),
        },
        ..Address::Ip(address).into()
    })
}

fn pipe(cx: &mut ParseCx, proto: proto::Pipe) -> Parsed<ParsedAddress> {
    let proto::Pipe { path, mode } = proto;
    if path.len() >= UNIX_PATH_SIZE {
        let message = format!(
            "Path \"{path}\" exceeds maximum UNIX domain socket path size of {UNIX_PATH_SIZE}."
        );
        return Err(cx.error_at("path", message));
    }
    if mode != 0 && path.starts_with('@') {
        return Err(cx.error_at("mode", "Cannot set mode for Abstract AF_UNIX sockets"));
    }
    Ok(ParsedAddress {
        mode: Some(mode).filter(|mode| *mode != 0),
        ..Address::Pipe(path.into()).into()
    })
}

fn internal_address(cx: &mut ParseCx, proto: proto::EnvoyInternalAddress) -> Parsed<ParsedAddress> {
    use proto::envoy_internal_address::AddressNameSpecifier;
    let Some(AddressNameSpecifier::ServerListenerName(listener)) = proto.address_name_specifier
    else {
        return Err(cx.error("field: 'address_name_specifier', reason: is required"));
    };
    let address = InternalAddress {
        listener,
        endpoint_id: proto.endpoint_id,
    };
    Ok(Address::Internal(address.into()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    #[test]
    fn addresses_are_converted_or_refused() {
        let long = format!("pipe: {{path: /{}}}", "a".repeat(107));
        let cases = [
            (
                "socket_address: {address: 127.0.0.1, port_value: 80}",
                Ok("127.0.0.1:80"),
            ),
            (
                "socket_address: {address: '::', port_value: 80, ipv4_compat: true}",
                Ok("[::]:80 compat"),
            ),
            (
                "socket_address: {address: 127.0.0.1, port_value: 0, protocol: UDP}",
                Ok("127.0.0.1:0 udp"),
            ),
            ("pipe: {path: '@a'}", Ok("@a")),
            ("pipe: {path: /a, mode: 384}", Ok("/a mode 384")),
            (
                "envoy_internal_address: {server_listener_name: a, endpoint_id: b}",
                Ok("envoy://a/b"),
            ),
            (
                "socket_address: {address: localhost, port_value: 80}",
                Err("malformed IP address: localhost"),
            ),
            (
                "socket_address: {address: '::1', port_value: 80, ipv4_compat: true}",
                Err("can set ipv4_compat: [::1]:80"),
            ),
            (
                "socket_address: {address: 127.0.0.1, named_port: http}",
                Err("IP resolver can't handle port specifier type 4"),
            ),
            (
                "socket_address: {address: 127.0.0.1, port_value: 1, resolver_name: x}",
                Err("Unknown address resolver: x"),
            ),
            (
                "socket_address: {address: 127.0.0.1, port_value: 1, \
                 network_namespace_filepath: /x}",
                Err(
                    "socket_address.network_namespace_filepath: network_namespace_filepath is not supported",
                ),
            ),
            (
                "pipe: {path: '@a', mode: 384}",
                Err("Cannot set mode for Abstract AF_UNIX sockets"),
            ),
            (
                &long,
                Err("exceeds maximum UNIX domain socket path size of 108."),
            ),
        ];
        for (yaml, expected) in cases {
            let shown = convert(yaml, address).map(|parsed| {
                let mut shown = parsed.address.to_string();
                shown.push_str(if parsed.ipv4_compat { " compat" } else { "" });
                shown.push_str(if parsed.udp { " udp" } else { "" });
                parsed
                    .mode
                    .map_or(shown.clone(), |mode| format!("{shown} mode {mode}"))
            });
            match (shown, expected) {
                (Ok(shown), Ok(expected)) => assert_eq!(shown, expected, "{yaml}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{yaml}: {error}"),
                (shown, _) => panic!("{yaml}: {shown:?}"),
            }
        }
    }
}
