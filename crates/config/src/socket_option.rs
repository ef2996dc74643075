//! `envoy.config.core.v3.{SocketOption, TcpKeepalive}`.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::{Keepalive, SocketOption};
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_proto::envoy::config::core::v3::socket_option as option_proto;
use std::time::Duration;

pub use option_proto::SocketState;

/// An option and the sockets it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedOption {
    /// The option.
    pub option: SocketOption,
    /// When it is set.
    pub state: SocketState,
    /// Only for IPv4 (`false`) or IPv6 (`true`) sockets.
    only_v6: Option<bool>,
}

impl ConvertedOption {
    /// Whether it is for stream sockets of this kind: IPv6, IPv4, or neither (`None`).
    pub fn is_for(&self, v6: Option<bool>) -> bool {
        self.only_v6.is_none_or(|only| v6 == Some(only))
    }
}

/// Converts options for stream sockets; those for others are left out.
///
/// # Errors
/// Numbers that no system call takes.
pub fn stream_options(
    cx: &mut ParseCx,
    field: &'static str,
    protos: Vec<proto::SocketOption>,
) -> Parsed<Vec<ConvertedOption>> {
    let options = cx.list(field, protos, convert)?;
    Ok(options.into_iter().flatten().collect())
}

fn convert(cx: &mut ParseCx, proto: proto::SocketOption) -> Parsed<Option<ConvertedOption>> {
    use option_proto::{SocketIpVersion, Value};
    let state = proto.state();
    let only_v6 = match proto.ip_version() {
        SocketIpVersion::Unspecified => None,
        SocketIpVersion::Ipv4 => Some(false),
        SocketIpVersion::Ipv6 => Some(true),
    };
    let proto::SocketOption {
        description: _,
        level,
        name,
        state: _,
        r#type,
        ip_version: _,
        value,
    } = proto;
    let number = |cx: &mut ParseCx, field, number: i64| {
        i32::try_from(number).map_err(|_| {
            cx.error_at(
                field,
                format!("{number} is no number that setsockopt takes"),
            )
        })
    };
    let option = SocketOption {
        level: number(cx, "level", level)?,
        name: number(cx, "name", name)?,
        value: match value {
            Some(Value::IntValue(value)) => number(cx, "int_value", value)?.to_ne_bytes().to_vec(),
            Some(Value::BufValue(bytes)) => bytes,
            None => return Err(cx.error("field: 'value', reason: is required")),
        },
    };
    // Of several types the stream counts.
    let streams = r#type.is_none_or(|kind| kind.stream.is_some() || kind.datagram.is_none());
    Ok(streams.then_some(ConvertedOption {
        option,
        state,
        only_v6,
    }))
}

/// Converts TCP keep-alive.
pub fn keepalive(proto: proto::TcpKeepalive) -> Keepalive {
    let proto::TcpKeepalive {
        keepalive_probes,
        keepalive_time,
        keepalive_interval,
    } = proto;
    let seconds = |value: u32| Duration::from_secs(value.into());
    Keepalive {
        probes: keepalive_probes.map(|value| value.value),
        time: keepalive_time.map(|value| seconds(value.value)),
        interval: keepalive_interval.map(|value| seconds(value.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert as convert_yaml;

    #[test]
    fn options_keep_their_numbers_and_state() {
        for (yaml, expected) in [
            (
                "{level: 1, name: 9, int_value: 1}",
                Ok(Some((1, 9, vec![1, 0, 0, 0], [true, true, true]))),
            ),
            (
                "{level: 6, name: 2, buf_value: AQI=, ip_version: SOCKET_IP_VERSION_IPV6}",
                Ok(Some((6, 2, vec![1, 2], [false, true, false]))),
            ),
            (
                "{level: 1, name: 9, int_value: 1, type: {datagram: {}}}",
                Ok(None),
            ),
            (
                "{level: 1, name: 9, int_value: 1, type: {stream: {}, datagram: {}}}",
                Ok(Some((1, 9, vec![1, 0, 0, 0], [true, true, true]))),
            ),
            (
                "{level: 1, name: 9, int_value: 5000000000}",
                Err("int_value"),
            ),
        ] {
            let converted = convert_yaml(yaml, convert).map(|converted| {
                converted.map(|converted| {
                    let kinds = [Some(false), Some(true), None];
                    let is_for = kinds.map(|kind| converted.is_for(kind));
                    let option = converted.option;
                    (option.level, option.name, option.value, is_for)
                })
            });
            match (converted, expected) {
                (Ok(converted), Ok(expected)) => assert_eq!(converted, expected, "{yaml}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{yaml}: {error}"),
                (converted, _) => panic!("{yaml}: {converted:?}"),
            }
        }
    }
}
