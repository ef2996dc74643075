//! Commands about the addresses and numbers of connections.

use super::command::{Spec, Syntax};
use super::number::{write_to, write_u64};
use super::operator::{Operator, Rendered};
use crate::format_cx::FormatCx;
use nuncio_base::address::Address;
use nuncio_stream_info::UpstreamInfo;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whose address.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    DownstreamLocal,
    DownstreamDirectLocal,
    DownstreamRemote,
    DownstreamDirectRemote,
    UpstreamLocal,
    UpstreamRemote,
    UpstreamHost,
}

impl End {
    fn address<'a>(self, cx: &FormatCx<'a>) -> Option<&'a Address> {
        let connection = &*cx.info.connection;
        let upstream = cx.info.upstream.as_deref();
        match self {
            Self::DownstreamLocal => Some(&connection.local_address),
            Self::DownstreamDirectLocal => Some(connection.direct_local_address()),
            Self::DownstreamRemote => Some(cx.info.downstream_remote_address()),
            Self::DownstreamDirectRemote => Some(connection.direct_remote_address()),
            Self::UpstreamLocal => {
                let address = upstream?.local_address.as_ref();
                // This end of a Unix socket has no name.
                address.filter(|address| !matches!(address, Address::Pipe(path) if path.is_empty()))
            }
            Self::UpstreamRemote => remote_address(upstream?),
            Self::UpstreamHost => upstream?.address.as_ref(),
        }
    }
}

/// The address of a connection that came to be.
fn remote_address(upstream: &UpstreamInfo) -> Option<&Address> {
    let address = upstream.other_address.as_ref();
    upstream
        .connection_id
        .and(address.or(upstream.address.as_ref()))
}

/// Which part of an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Whole,
    /// The IP address, or all of any other.
    WithoutPort,
    /// The network of so many bits; `None` where the number is nonsense.
    Network(Option<u8>),
    Port,
    EndpointId,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ConnectionField {
    Address(End, Part),
    DownstreamId,
    UpstreamId,
    DownstreamCloseType,
    UpstreamCloseType,
    DownstreamCloseReason,
    UpstreamCloseReason,
    ListenerName,
    FilterChainName,
}

pub(super) fn find(name: &str) -> Option<Spec> {
    use ConnectionField as Field;
    if let Some(spec) = find_address(name) {
        return Some(spec);
    }
    let field = match name {
        "CONNECTION_ID" => Field::DownstreamId,
        "UPSTREAM_CONNECTION_ID" => Field::UpstreamId,
        "DOWNSTREAM_DETECTED_CLOSE_TYPE" => Field::DownstreamCloseType,
        "UPSTREAM_DETECTED_CLOSE_TYPE" => Field::UpstreamCloseType,
        "DOWNSTREAM_LOCAL_CLOSE_REASON" => Field::DownstreamCloseReason,
        "UPSTREAM_LOCAL_CLOSE_REASON" => Field::UpstreamCloseReason,
        "LISTENER_NAME" => Field::ListenerName,
        "FILTER_CHAIN_NAME" => Field::FilterChainName,
        _ => return None,
    };
    Some(Spec::fixed(Operator::Connection(field)))
}

fn find_address(name: &str) -> Option<Spec> {
    let (end, rest) = end_of(name)?;
    let fixed = |part| Spec::fixed(Operator::Connection(ConnectionField::Address(end, part)));
    Some(match (end, rest) {
        (_, "ADDRESS") => fixed(Part::Whole),
        (End::UpstreamHost, "") => fixed(Part::Whole),
        (_, "PORT") => fixed(Part::Port),
        (_, "ADDRESS_WITHOUT_PORT") => Spec::with(Syntax::Optional, |name, params| {
            let (end, _) = end_of(name).expect("found under this name");
            let part = if params.is_empty() {
                Part::WithoutPort
            } else {
                network(params)
            };
            Ok(Operator::Connection(ConnectionField::Address(end, part)))
        }),
        (
            End::DownstreamLocal | End::DownstreamDirectLocal | End::UpstreamRemote,
            "ADDRESS_ENDPOINT_ID",
        ) => fixed(Part::EndpointId),
        _ => return None,
    })
}

/// Whose address a command is about, and the rest of its name.
fn end_of(name: &str) -> Option<(End, &str)> {
    const ENDS: [(&str, End); 6] = [
        ("DOWNSTREAM_LOCAL_", End::DownstreamLocal),
        ("DOWNSTREAM_DIRECT_LOCAL_", End::DownstreamDirectLocal),
        ("DOWNSTREAM_REMOTE_", End::DownstreamRemote),
        ("DOWNSTREAM_DIRECT_REMOTE_", End::DownstreamDirectRemote),
        ("UPSTREAM_LOCAL_", End::UpstreamLocal),
        ("UPSTREAM_REMOTE_", End::UpstreamRemote),
    ];
    if name == "UPSTREAM_HOST" {
        return Some((End::UpstreamHost, ""));
    }
    ENDS.iter()
        .find_map(|(prefix, end)| name.strip_prefix(prefix).map(|rest| (*end, rest)))
}

/// Envoy takes any text here: what is no number means the whole address, a negative one nothing.
fn network(params: &str) -> Part {
    match params.trim().parse::<i32>() {
        Ok(bits) => Part::Network(u8::try_from(bits.min(128)).ok()),
        Err(_) => Part::WithoutPort,
    }
}

impl ConnectionField {
    pub(super) fn write(self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        let connection = &*cx.info.connection;
        let upstream = cx.info.upstream.as_deref();
        match self {
            Self::Address(end, part) => match end.address(cx) {
                None => Rendered::Absent,
                Some(address) => write_part(address, part, out),
            },
            Self::DownstreamId => Rendered::count(out, connection.id),
            Self::UpstreamId => {
                let id = upstream.and_then(|upstream| upstream.connection_id);
                Rendered::count(out, id.unwrap_or(0))
            }
            Self::DownstreamCloseType => Rendered::text(out, connection.close_type.get().as_str()),
            Self::UpstreamCloseType => {
                Rendered::maybe_text(out, upstream.map(|upstream| upstream.close_type.as_str()))
            }
            Self::DownstreamCloseReason => {
                Rendered::maybe_text(out, connection.local_close_reason.get())
            }
            Self::UpstreamCloseReason => {
                Rendered::maybe_text(out, upstream.and_then(|info| info.local_close_reason))
            }
            Self::ListenerName => Rendered::name(out, connection.listener_name()),
            Self::FilterChainName => Rendered::name(out, connection.filter_chain_name()),
        }
    }
}

fn write_part(address: &Address, part: Part, out: &mut Vec<u8>) -> Rendered {
    match (part, address) {
        (Part::Whole, _) => write_address(out, address),
        (Part::WithoutPort, _) => write_without_port(out, address),
        (Part::Network(Some(bits)), Address::Ip(address)) => {
            write_network(out, address.ip(), bits);
        }
        (Part::Port, Address::Ip(address)) => {
            return Rendered::count(out, u64::from(address.port()));
        }
        (Part::EndpointId, Address::Internal(address)) => {
            out.extend_from_slice(address.endpoint_id.as_bytes());
        }
        (Part::EndpointId, _) => {}
        (Part::Network(_) | Part::Port, _) => return Rendered::Blank,
    }
    Rendered::Text
}

/// Appends a whole address.
pub(super) fn write_address(out: &mut Vec<u8>, address: &Address) {
    match address {
        Address::Ip(SocketAddr::V4(v4)) => {
            write_v4(out, *v4.ip());
            out.push(b':');
            write_u64(out, u64::from(v4.port()));
        }
        other => write_to(out, format_args!("{other}")),
    }
}

/// Appends an address without its port.
pub(super) fn write_without_port(out: &mut Vec<u8>, address: &Address) {
    match address {
        Address::Ip(SocketAddr::V4(v4)) => write_v4(out, *v4.ip()),
        Address::Ip(SocketAddr::V6(v6)) => write_to(out, format_args!("{}", v6.ip())),
        other => write_to(out, format_args!("{other}")),
    }
}

fn write_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        write_u64(out, u64::from(octet));
    }
}

fn write_network(out: &mut Vec<u8>, address: IpAddr, bits: u8) {
    let bits = match address {
        IpAddr::V4(address) => {
            let bits = bits.min(32);
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            write_v4(out, Ipv4Addr::from_bits(address.to_bits() & mask));
            bits
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            let network = Ipv6Addr::from_bits(address.to_bits() & mask);
            write_to(out, format_args!("{network}"));
            bits
        }
    };
    out.push(b'/');
    write_u64(out, u64::from(bits));
}
