//! Commands about what happened on the stream: codes, flags, bytes, names.

use super::command::{Spec, Syntax};
use super::connection_fields::{write_address, write_without_port};
use super::error::FormatError;
use super::number::write_u64;
use super::operator::{Operator, Rendered};
use crate::format_cx::FormatCx;
use nuncio_base::address::Address;
use nuncio_base::random::uuid_of;
use nuncio_stream_info::wanted::{ROUND_TRIP_TIME, ROUTE_RESOLUTIONS, Wanted};
use nuncio_stream_info::{BytesMeter, Protocol, StreamInfo, UpstreamInfo};

/// A number of the stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    /// Always 0: what only QUIC counts.
    Zero,
    ResponseCode,
    BytesReceived,
    BytesSent,
    Attempts,
    Downstream(Meter),
    DownstreamDecompressed {
        sent: bool,
    },
    Upstream(Meter),
}

/// A number of a [`BytesMeter`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Meter {
    WireReceived,
    WireSent,
    HeaderReceived,
    HeaderSent,
}

impl Meter {
    fn of(self, bytes: &BytesMeter) -> u64 {
        match self {
            Self::WireReceived => bytes.wire_received,
            Self::WireSent => bytes.wire_sent,
            Self::HeaderReceived => bytes.header_received,
            Self::HeaderSent => bytes.header_sent,
        }
    }
}

/// Which hosts' list, and how each is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempted {
    Hosts { port: bool },
    HostNames { port: bool },
    ConnectionIds,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum StreamField {
    Count(Count),
    CodeDetails { spaces: bool },
    Flags,
    FlagsLong,
    Protocol,
    UpstreamProtocol,
    TerminationDetails,
    RouteName,
    VirtualClusterName,
    UpstreamCluster,
    UpstreamClusterRaw,
    UpstreamFailure,
    RoundTripTime,
    RouteResolutions,
    RouteResolutionTime,
    HostName { port: bool },
    Attempted(Attempted),
    PoolReady,
    StreamId,
    UniqueId,
    LogType,
    CustomFlags,
}

pub(super) fn find(name: &str) -> Option<Spec> {
    use StreamField as Field;
    let field = match name {
        "CONNECTION_TERMINATION_DETAILS" => Field::TerminationDetails,
        "CUSTOM_FLAGS" => Field::CustomFlags,
        "ACCESS_LOG_TYPE" => Field::LogType,
        "PROTOCOL" => Field::Protocol,
        "RESPONSE_FLAGS" => Field::Flags,
        "RESPONSE_FLAGS_LONG" => Field::FlagsLong,
        "ROUTE_NAME" => Field::RouteName,
        "STREAM_ID" => Field::StreamId,
        "UNIQUE_ID" => Field::UniqueId,
        "UPSTREAM_CLUSTER" => Field::UpstreamCluster,
        "UPSTREAM_CLUSTER_RAW" => Field::UpstreamClusterRaw,
        "UPSTREAM_CONNECTION_IDS_ATTEMPTED" => Field::Attempted(Attempted::ConnectionIds),
        "UPSTREAM_CONNECTION_POOL_READY_DURATION" => Field::PoolReady,
        "UPSTREAM_HOST_NAME" => Field::HostName { port: true },
        "UPSTREAM_HOST_NAME_WITHOUT_PORT" => Field::HostName { port: false },
        "UPSTREAM_HOST_NAMES_ATTEMPTED" => Field::Attempted(Attempted::HostNames { port: true }),
        "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT" => {
            Field::Attempted(Attempted::HostNames { port: false })
        }
        "UPSTREAM_HOSTS_ATTEMPTED" => Field::Attempted(Attempted::Hosts { port: true }),
        "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT" => {
            Field::Attempted(Attempted::Hosts { port: false })
        }
        "UPSTREAM_PROTOCOL" => Field::UpstreamProtocol,
        "UPSTREAM_TRANSPORT_FAILURE_REASON" => Field::UpstreamFailure,
        "VIRTUAL_CLUSTER_NAME" => Field::VirtualClusterName,
        _ => return find_other(name),
    };
    Some(Spec::fixed(Operator::Stream(field)))
}

fn find_other(name: &str) -> Option<Spec> {
    if let Some(count) = count(name) {
        let field = StreamField::Count(count);
        return Some(Spec::fixed(Operator::Stream(field)));
    }
    if is_of_tracing(name) {
        return Some(Spec::fixed(Operator::Absent));
    }
    Some(match name {
        "RESPONSE_CODE_DETAILS" => Spec::with(Syntax::Optional, |_, params| {
            let spaces = params == "ALLOW_WHITESPACES";
            Ok(Operator::Stream(StreamField::CodeDetails { spaces }))
        }),
        "ENVIRONMENT" => Spec::with(Syntax::RequiredLength, |_, params| environment(params)),
        "DOWNSTREAM_CX_RTT" => wanting(&ROUND_TRIP_TIME, StreamField::RoundTripTime),
        "ROUTE_RESOLUTION_COUNT" => wanting(&ROUTE_RESOLUTIONS, StreamField::RouteResolutions),
        "ROUTE_RESOLUTION_TIME_US" => wanting(&ROUTE_RESOLUTIONS, StreamField::RouteResolutionTime),
        "HOSTNAME" => Spec::fixed(Operator::Constant(hostname())),
        _ => return None,
    })
}

/// A field whose fact is found out from now on.
fn wanting(fact: &Wanted, field: StreamField) -> Spec {
    fact.want();
    Spec::fixed(Operator::Stream(field))
}

fn count(name: &str) -> Option<Count> {
    Some(match name {
        "BYTES_RETRANSMITTED" | "PACKETS_RETRANSMITTED" => Count::Zero,
        "BYTES_RECEIVED" => Count::BytesReceived,
        "BYTES_SENT" => Count::BytesSent,
        "RESPONSE_CODE" => Count::ResponseCode,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Count::Attempts,
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED" => {
            Count::DownstreamDecompressed { sent: false }
        }
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT" => Count::DownstreamDecompressed { sent: true },
        _ => {
            let (side, rest): (fn(Meter) -> Count, _) = match name.split_once('_')? {
                ("DOWNSTREAM", rest) => (Count::Downstream, rest),
                ("UPSTREAM", rest) => (Count::Upstream, rest),
                _ => return None,
            };
            side(match rest {
                "WIRE_BYTES_RECEIVED" => Meter::WireReceived,
                "WIRE_BYTES_SENT" => Meter::WireSent,
                // Nothing is compressed in HTTP/1.
                "HEADER_BYTES_RECEIVED" | "DECOMPRESSED_HEADER_BYTES_RECEIVED" => {
                    Meter::HeaderReceived
                }
                "HEADER_BYTES_SENT" | "DECOMPRESSED_HEADER_BYTES_SENT" => Meter::HeaderSent,
                _ => return None,
            })
        }
    })
}

/// What only a tracer gives, which is not built.
fn is_of_tracing(name: &str) -> bool {
    matches!(name, "TRACE_ID" | "SPAN_ID")
}

/// A variable of this process's environment, `-` where there is none.
fn environment(name: &str) -> Result<Operator, FormatError> {
    // `var_os` panics at names that no variable can have.
    let possible = !name.contains(['=', '\0']);
    let value = possible.then(|| std::env::var_os(name)).flatten();
    let value = value.map_or_else(
        || "-".to_owned(),
        |text| text.to_string_lossy().into_owned(),
    );
    Ok(Operator::Constant(value.into()))
}

/// The system's name, `-` where it can't be read.
fn hostname() -> Box<str> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim_end() {
        "" => "-".into(),
        name => name.into(),
    }
}

impl StreamField {
    pub(super) fn write(self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        let info = cx.info;
        let upstream = info.upstream.as_deref();
        match self {
            Self::Count(count) => Rendered::count(out, count.of(info)),
            Self::CodeDetails { spaces: true } => {
                Rendered::maybe_text(out, info.response_code_details.as_deref())
            }
            Self::CodeDetails { spaces: false } => {
                write_without_spaces(out, info.response_code_details.as_deref())
            }
            Self::Flags => write_flags(info, out, false),
            Self::FlagsLong => write_flags(info, out, true),
            Self::Protocol => Rendered::maybe_text(out, info.protocol.map(|p| p.as_str())),
            Self::UpstreamProtocol => {
                let protocol = upstream.and_then(|upstream| upstream.protocol);
                Rendered::maybe_text(out, protocol.map(|protocol| protocol.as_str()))
            }
            Self::TerminationDetails => {
                let of_stream = info.connection_termination_details.as_deref();
                let of_connection = info.connection.termination_details.borrow();
                Rendered::maybe_text(out, of_stream.or(of_connection.as_deref()))
            }
            Self::RouteName => write_name(out, info.route_name()),
            Self::VirtualClusterName => write_name(out, info.virtual_cluster_name.as_deref()),
            Self::UpstreamCluster => write_name(
                out,
                info.cluster().map(|cluster| &*cluster.observability_name),
            ),
            Self::UpstreamClusterRaw => {
                write_name(out, info.cluster().map(|cluster| &*cluster.name))
            }
            Self::UpstreamFailure => {
                let reason = upstream.and_then(|info| info.transport_failure_reason.as_deref());
                write_without_spaces(out, reason.filter(|reason| !reason.is_empty()))
            }
            Self::RoundTripTime => match info.connection.round_trip_time.get() {
                None => Rendered::Absent,
                Some(micros) => Rendered::count(out, u64::from(micros.get() / 1000)),
            },
            Self::RouteResolutions => Rendered::count(out, info.route_resolutions.0.into()),
            Self::RouteResolutionTime => match info.route_resolutions {
                (0, _) => Rendered::Absent,
                (_, micros) => Rendered::count(out, micros.into()),
            },
            Self::HostName { port } => {
                let host = upstream.and_then(|of| {
                    let name = of.host_name.as_deref().unwrap_or_default();
                    Some((of.address.as_ref()?, name))
                });
                host.map_or(Rendered::Absent, |(address, name)| {
                    write_host_name(out, address, name, port);
                    Rendered::Text
                })
            }
            Self::Attempted(attempted) => attempted.write(upstream, out),
            Self::PoolReady => match upstream.and_then(|upstream| upstream.pool_ready) {
                None => Rendered::Absent,
                Some(span) => Rendered::count(out, nuncio_base::time::millis(span)),
            },
            Self::StreamId => Rendered::maybe_text(out, cx.stream_id()),
            Self::UniqueId => {
                out.extend_from_slice(&uuid_of((cx.random)(), (cx.random)()));
                Rendered::Text
            }
            Self::LogType => Rendered::text(out, cx.log_type.as_str()),
            // No extension sets such flags.
            Self::CustomFlags => Rendered::Text,
        }
    }
}

impl Count {
    fn of(self, info: &StreamInfo) -> u64 {
        match self {
            Self::Zero => 0,
            Self::ResponseCode => u64::from(info.response_code.unwrap_or(0)),
            Self::BytesReceived => info.bytes_received,
            Self::BytesSent => info.bytes_sent,
            Self::Attempts => u64::from(info.attempt_count),
            Self::Downstream(meter) => meter.of(&info.downstream_bytes),
            Self::DownstreamDecompressed { sent } => decompressed(info, sent),
            Self::Upstream(meter) => info
                .upstream
                .as_deref()
                .map_or(0, |upstream| meter.of(&upstream.bytes)),
        }
    }
}

/// Names and values, which HTTP/2 compresses; HTTP/1 has them as they are on the wire.
fn decompressed(info: &StreamInfo, sent: bool) -> u64 {
    let meter = &info.downstream_bytes;
    match (info.protocol, sent) {
        (Some(Protocol::Http2), false) => info.header_bytes[0],
        (Some(Protocol::Http2), true) => info.header_bytes[1],
        (_, false) => meter.header_received,
        (_, true) => meter.header_sent,
    }
}

fn write_name(out: &mut Vec<u8>, name: Option<&str>) -> Rendered {
    name.map_or(Rendered::Absent, |name| Rendered::name(out, name))
}

/// Logs are split at spaces: Envoy makes them underscores.
fn write_without_spaces(out: &mut Vec<u8>, text: Option<&str>) -> Rendered {
    let Some(text) = text else {
        return Rendered::Absent;
    };
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    for byte in &mut out[start..] {
        if byte.is_ascii_whitespace() {
            *byte = b'_';
        }
    }
    Rendered::Text
}

fn write_flags(info: &StreamInfo, out: &mut Vec<u8>, long: bool) -> Rendered {
    if info.flags.is_empty() {
        return Rendered::text(out, "-");
    }
    for (at, flag) in info.flags.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let name = if long { flag.long() } else { flag.short() };
        out.extend_from_slice(name.as_bytes());
    }
    Rendered::Text
}

/// A host without a name has its address for one.
fn write_host_name(out: &mut Vec<u8>, address: &Address, name: &str, port: bool) {
    match (name.is_empty(), port) {
        (true, true) => return write_address(out, address),
        (true, false) => return write_without_port(out, address),
        (false, true) => return out.extend_from_slice(name.as_bytes()),
        (false, false) => {}
    }
    if let Ok(address) = name.parse::<std::net::SocketAddr>() {
        return write_without_port(out, &Address::Ip(address));
    }
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let name = match name.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => name,
    };
    out.extend_from_slice(name.as_bytes());
}

impl Attempted {
    /// The attempt that got a connection. The names promise a list, but what Envoy prints is the
    /// last attempt alone.
    fn write(self, upstream: Option<&UpstreamInfo>, out: &mut Vec<u8>) -> Rendered {
        let Some(upstream) = upstream else {
            return Rendered::Absent;
        };
        let (Some(address), Some(id)) = (&upstream.address, upstream.connection_id) else {
            return Rendered::Absent;
        };
        let name = upstream.host_name.as_deref().unwrap_or_default();
        match self {
            Self::Hosts { port: true } => write_address(out, address),
            Self::Hosts { port: false } => write_without_port(out, address),
            Self::HostNames { port } => write_host_name(out, address, name, port),
            Self::ConnectionIds => write_u64(out, id),
        }
        Rendered::Text
    }
}
