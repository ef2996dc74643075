//! `/listeners`: names and addresses.

use nuncio_base::address::Address;
use nuncio_proto::envoy::admin::v3::{ListenerStatus, Listeners};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::core::v3::address::Address as Kind;
use nuncio_proto::envoy::config::core::v3::envoy_internal_address::AddressNameSpecifier;
use nuncio_proto::envoy::config::core::v3::socket_address::PortSpecifier;

use crate::{AdminResponse, Call, json};

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let listeners = call.server.listeners();
    if call.parameter("format").as_deref() != Some("json") {
        let mut out = String::new();
        for listener in &listeners {
            let more = listener.additional_addresses.iter();
            for address in std::iter::once(&listener.address).chain(more) {
                out.push_str(&format!("{}::{address}\n", listener.name));
            }
        }
        return AdminResponse::text(out);
    }
    let message = Listeners {
        listener_statuses: listeners
            .into_iter()
            .map(|listener| ListenerStatus {
                name: listener.name,
                local_address: Some(address(&listener.address)),
                additional_local_addresses: listener
                    .additional_addresses
                    .iter()
                    .map(address)
                    .collect(),
            })
            .collect(),
    };
    AdminResponse::json(json::typed(&message, false))
}

/// An address as the proto has it.
pub fn address(address: &Address) -> core::Address {
    let kind = match address {
        Address::Ip(address) => Kind::SocketAddress(core::SocketAddress {
            address: address.ip().to_string(),
            port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
            ..Default::default()
        }),
        Address::Pipe(path) => Kind::Pipe(core::Pipe {
            path: path.to_string(),
            mode: 0,
        }),
        Address::Internal(address) => Kind::EnvoyInternalAddress(core::EnvoyInternalAddress {
            endpoint_id: address.endpoint_id.clone(),
            address_name_specifier: Some(AddressNameSpecifier::ServerListenerName(
                address.listener.clone(),
            )),
        }),
    };
    core::Address {
        address: Some(kind),
    }
}
