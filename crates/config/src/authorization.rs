//! What authorization services are told of connections (`AttributeContext`), whoever asks them.

use nuncio_base::address::Address;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::service::auth::v3::attribute_context::Peer;
use nuncio_proto::google::protobuf::value::Kind;
use nuncio_proto::google::protobuf::{ListValue, Struct, Value as ValueProto};
use nuncio_stream_info::{CertificateInfo, SanKind};
use std::collections::HashMap;

/// One end of a connection, and who its certificate says it is.
pub fn peer(address: &Address, certificate: Option<&CertificateInfo>) -> Peer {
    let address = match address {
        Address::Ip(ip) => core::address::Address::SocketAddress(core::SocketAddress {
            address: ip.ip().to_string(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(
                ip.port().into(),
            )),
            ..core::SocketAddress::default()
        }),
        Address::Pipe(path) => core::address::Address::Pipe(core::Pipe {
            path: path.to_string(),
            mode: 0,
        }),
        Address::Internal(internal) => {
            core::address::Address::EnvoyInternalAddress(core::EnvoyInternalAddress {
                endpoint_id: String::new(),
                address_name_specifier: Some(
                    core::envoy_internal_address::AddressNameSpecifier::ServerListenerName(
                        internal.listener.to_string(),
                    ),
                ),
            })
        }
    };
    let principal = certificate.map(|certificate| {
        let uri = certificate.sans_of(SanKind::Uri).next();
        let name = uri.or_else(|| certificate.sans_of(SanKind::Dns).next());
        name.unwrap_or(&certificate.subject).to_owned()
    });
    Peer {
        address: Some(core::Address {
            address: Some(address),
        }),
        principal: principal.unwrap_or_default(),
        ..Peer::default()
    }
}

/// A certificate as URL-encoded PEM.
pub fn certificate(info: &CertificateInfo) -> String {
    let mut pem = Vec::new();
    info.url_encoded_pem(&mut pem);
    String::from_utf8(pem).unwrap_or_default()
}

/// The namespaces of metadata that a service gets, each from the first that has it.
pub fn metadata(namespaces: &[String], from: &[Option<&Metadata>]) -> core::Metadata {
    let find = |name: &String| {
        let found = from.iter().flatten().find_map(|data| data.get(name))?;
        match to_proto(found).kind {
            Some(Kind::StructValue(fields)) => Some((name.clone(), fields)),
            _ => None,
        }
    };
    core::Metadata {
        filter_metadata: namespaces.iter().filter_map(find).collect(),
        typed_filter_metadata: HashMap::new(),
    }
}

fn to_proto(value: &Value) -> ValueProto {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(value) => Kind::NumberValue(*value),
        Value::Text(value) => Kind::StringValue(value.to_string()),
        Value::List(values) => Kind::ListValue(ListValue {
            values: values.iter().map(to_proto).collect(),
        }),
        Value::Struct(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.clone(), to_proto(value)));
            Kind::StructValue(Struct {
                fields: fields.collect(),
            })
        }
    };
    ValueProto { kind: Some(kind) }
}
