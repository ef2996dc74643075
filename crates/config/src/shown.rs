//! Values back to protos, as the admin and logs of events show them.

use nuncio_base::address::Address;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::google::protobuf as google;

/// An address.
pub fn address(address: &Address) -> core::Address {
    use core::address::Address as Kind;
    let kind = match address {
        Address::Ip(ip) => Kind::SocketAddress(core::SocketAddress {
            address: ip.ip().to_string(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(
                ip.port().into(),
            )),
            ..Default::default()
        }),
        other => Kind::Pipe(core::Pipe {
            path: other.to_string(),
            mode: 0,
        }),
    };
    core::Address {
        address: Some(kind),
    }
}

/// Metadata by filter.
pub fn metadata(metadata: &Metadata) -> core::Metadata {
    let filters = metadata
        .iter()
        .filter_map(|(filter, fields)| match value(fields) {
            google::value::Kind::StructValue(fields) => Some((filter.to_owned(), fields)),
            _ => None,
        });
    core::Metadata {
        filter_metadata: filters.collect(),
        ..Default::default()
    }
}

fn value(from: &Value) -> google::value::Kind {
    use google::value::Kind;
    let wrap = |from: &Value| google::Value {
        kind: Some(value(from)),
    };
    match from {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(*number),
        Value::Text(text) => Kind::StringValue(text.to_string()),
        Value::List(list) => Kind::ListValue(google::ListValue {
            values: list.iter().map(wrap).collect(),
        }),
        Value::Struct(fields) => Kind::StructValue(google::Struct {
            fields: fields
                .iter()
                .map(|(name, field)| (name.to_string(), wrap(field)))
                .collect(),
        }),
    }
}
