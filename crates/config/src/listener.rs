//! `envoy.config.listener.v3.Listener`.

use crate::access_log::access_logs;
use crate::address::{self, ParsedAddress};
use crate::common::metadata;
use crate::duration;
use crate::filter_chains::filter_chains;
use crate::internal_listener::{internal_address, internal_buffer_limit};
use crate::listener_filters::listener_filters;
use crate::socket_option::{ConvertedOption, SocketState, keepalive, stream_options};
use nuncio_base::address::Address;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_listener::{
    ConnectionBalance, DrainType, FilterChainSpec, ListenAddress, ListenSocketOptions,
    ListenerSpec, TrafficDirection,
};
use nuncio_net::SocketOption;
use nuncio_proto::envoy::config::core::v3 as core_proto;
use nuncio_proto::envoy::config::listener::v3 as proto;
use std::sync::Arc;
use std::time::Duration;

/// A listener's default `per_connection_buffer_limit_bytes`.
const DEFAULT_BUFFER_LIMIT: u32 = 1024 * 1024;

/// A filter chain as it was configured and as it was converted: an update that has it unchanged
/// keeps it, and its connections.
pub type ConvertedChain = (proto::FilterChain, Arc<FilterChainSpec>);

/// A listener, converted.
pub struct ConvertedListener {
    /// What is run.
    pub spec: ListenerSpec,
    /// Its chains; the default one, if there is one, is the last.
    pub chains: Vec<ConvertedChain>,
}

/// Converts a listener. Of its filter chains those that are among `known` are taken from there.
///
/// # Errors
/// Recorded in `cx`: what is malformed, contradictory, or not built.
pub fn listener(
    cx: &mut ParseCx,
    proto: proto::Listener,
    known: &[ConvertedChain],
) -> Parsed<ConvertedListener> {
    let refused = refuse_not_built(cx, &proto);
    let internal = internal_buffer_limit(cx, &proto)?;
    let addresses = match internal {
        Some(_) => Ok(vec![internal_address(&proto)]),
        None => addresses(cx, &proto),
    };
    let filters = listener_filters(cx, &proto);
    let balance = connection_balance(cx, proto.connection_balance_config.as_ref());
    let timeout = duration::limit(
        cx,
        "listener_filters_timeout",
        proto.listener_filters_timeout,
        Some(Duration::from_secs(15)),
    );
    let access_logs = access_logs(cx, "access_log", proto.access_log.clone());
    let addresses = addresses?;
    let (spec_chains, chains) = filter_chains(cx, &proto, &addresses, known)?;
    refused?;
    let mut spec = ListenerSpec::new(&proto.name, addresses, spec_chains);
    let bound_by_v1 = proto.deprecated_v1.and_then(|v1| v1.bind_to_port);
    spec.drain_type = match proto.drain_type() {
        proto::listener::DrainType::Default => DrainType::Default,
        proto::listener::DrainType::ModifyOnly => DrainType::ModifyOnly,
    };
    spec.traffic_direction = traffic_direction(&proto);
    spec.metadata = proto.metadata.map(|data| metadata(Some(data)));
    spec.stat_prefix = proto.stat_prefix;
    spec.listener_filters_timeout = timeout?;
    spec.continue_on_listener_filters_timeout = proto.continue_on_listener_filters_timeout;
    spec.per_connection_buffer_limit = buffer_limit(proto.per_connection_buffer_limit_bytes);
    spec.backlog = proto.tcp_backlog_size.map(|size| size.value);
    spec.reuse_port = proto.enable_reuse_port.is_none_or(|value| value.value);
    spec.bind_to_port = proto
        .bind_to_port
        .or(bound_by_v1)
        .is_none_or(|value| value.value)
        && internal.is_none();
    spec.hands_over = proto.use_original_dst.is_some_and(|value| value.value);
    spec.internal_buffer_limit = internal;
    spec.connection_balance = balance?;
    spec.max_connections_to_accept_per_socket_event = proto
        .max_connections_to_accept_per_socket_event
        .map(|value| value.value);
    spec.ignore_global_conn_limit = proto.ignore_global_conn_limit;
    spec.bypass_overload_manager = proto.bypass_overload_manager;
    spec.listener_filters = filters?;
    spec.access_logs = access_logs?;
    Ok(ConvertedListener { spec, chains })
}

pub(crate) fn buffer_limit(proto: Option<nuncio_proto::google::protobuf::UInt32Value>) -> usize {
    proto.map_or(DEFAULT_BUFFER_LIMIT, |value| value.value) as usize
}

pub(crate) fn traffic_direction(proto: &proto::Listener) -> TrafficDirection {
    match proto.traffic_direction() {
        core_proto::TrafficDirection::Unspecified => TrafficDirection::Unspecified,
        core_proto::TrafficDirection::Inbound => TrafficDirection::Inbound,
        core_proto::TrafficDirection::Outbound => TrafficDirection::Outbound,
    }
}

fn refuse_not_built(cx: &mut ParseCx, proto: &proto::Listener) -> Parsed<()> {
    let watermark = proto.per_connection_buffer_high_watermark_timeout;
    let checks = [
        ("stats_matcher", proto.stats_matcher.is_some()),
        ("fcds_config", proto.fcds_config.is_some()),
        (
            "per_connection_buffer_high_watermark_timeout",
            watermark.is_some_and(|time| time.seconds != 0 || time.nanos != 0),
        ),
        ("udp_listener_config", proto.udp_listener_config.is_some()),
        ("api_listener", proto.api_listener.is_some()),
        ("enable_mptcp", proto.enable_mptcp),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}

/// Where the listener listens, with all socket options.
fn addresses(cx: &mut ParseCx, proto: &proto::Listener) -> Parsed<Vec<ListenAddress>> {
    let named = |what: &str| format!("error adding listener named '{}': {what}", proto.name);
    let Some(first) = proto.address.clone() else {
        return Err(cx.error_at("address", named("address is necessary")));
    };
    let first = cx.field("address", |cx| address::listen_address(cx, first));
    let options = stream_options(cx, "socket_options", proto.socket_options.clone());
    let keep = proto.tcp_keepalive.map(keepalive);
    let additional = cx.list(
        "additional_addresses",
        proto.additional_addresses.clone(),
        |cx, additional| {
            let proto::AdditionalAddress {
                address: at,
                socket_options,
                tcp_keepalive,
            } = additional;
            let at = cx.required("address", at, address::listen_address)?;
            let own = cx.optional("socket_options", socket_options, |cx, options| {
                stream_options(cx, "socket_options", options.socket_options)
            })?;
            Ok((at, own, tcp_keepalive.map(keepalive)))
        },
    );
    let (first, options, additional) = (first?, options?, additional?);
    let mut all = vec![listen_address(proto, first, &options, keep)];
    for (at, own, own_keep) in additional {
        // An additional address's own options take the place of the listener's.
        let options = own.as_ref().unwrap_or(&options);
        all.push(listen_address(proto, at, options, own_keep.or(keep)));
    }
    for parsed in &all {
        if let Address::Internal(_) = parsed.address {
            let message =
                named("use internal_listener field instead of address for internal listeners");
            return Err(cx.error_at("address", message));
        }
    }
    if let Some(core_proto::Address {
        address: Some(core_proto::address::Address::SocketAddress(socket)),
    }) = &proto.address
        && socket.protocol() == core_proto::socket_address::Protocol::Udp
    {
        return Err(cx.field("address", |cx| {
            cx.field("socket_address", |cx| cx.not_built("protocol"))
        }));
    }
    Ok(all)
}

/// Options by number, as Linux has them.
mod number {
    /// `SOL_IP`, and `IP_TRANSPARENT`, `IP_FREEBIND` of it.
    pub const IP: [i32; 3] = [0, 19, 15];
    /// `SOL_IPV6`, and `IPV6_TRANSPARENT`, `IPV6_FREEBIND` of it.
    pub const IPV6: [i32; 3] = [41, 75, 78];
    /// `IPPROTO_TCP` and `TCP_FASTOPEN`.
    pub const FAST_OPEN: [i32; 2] = [6, 23];
}

fn listen_address(
    proto: &proto::Listener,
    parsed: ParsedAddress,
    options: &[ConvertedOption],
    keepalive: Option<nuncio_net::Keepalive>,
) -> ListenAddress {
    let v6 = parsed.address.ip().map(|address| address.is_ipv6());
    let of = |state: SocketState| -> Vec<SocketOption> {
        let chosen = options.iter();
        let chosen = chosen.filter(|option| option.state == state && option.is_for(v6));
        chosen.map(|option| option.option.clone()).collect()
    };
    let mut options = ListenSocketOptions {
        prebind: of(SocketState::StatePrebind),
        bound: of(SocketState::StateBound),
        listening: of(SocketState::StateListening),
    };
    let option = |level: i32, name: i32, value: i32| SocketOption {
        level,
        name,
        value: value.to_ne_bytes().to_vec(),
    };
    if let Some(v6) = v6 {
        let [level, transparent, freebind] = if v6 { number::IPV6 } else { number::IP };
        for (name, value) in [(transparent, proto.transparent), (freebind, proto.freebind)] {
            let value = value.map(|value| option(level, name, i32::from(value.value)));
            options.prebind.extend(value);
        }
        let [level, name] = number::FAST_OPEN;
        let length = proto.tcp_fast_open_queue_length;
        let length = length.map(|value| i32::try_from(value.value).unwrap_or(i32::MAX));
        options
            .listening
            .extend(length.map(|length| option(level, name, length)));
    }
    ListenAddress {
        address: parsed.address,
        ipv4_compat: parsed.ipv4_compat,
        mode: parsed.mode,
        network_namespace: parsed.network_namespace,
        options,
        keepalive,
    }
}

fn connection_balance(
    cx: &mut ParseCx,
    proto: Option<&proto::listener::ConnectionBalanceConfig>,
) -> Parsed<ConnectionBalance> {
    use proto::listener::connection_balance_config::BalanceType;
    let Some(config) = proto else {
        return Ok(ConnectionBalance::None);
    };
    cx.field("connection_balance_config", |cx| {
        match &config.balance_type {
            Some(BalanceType::ExactBalance(_)) => Ok(ConnectionBalance::Exact),
            Some(BalanceType::ExtendBalance(_)) => Err(cx.not_built("extend_balance")),
            Some(BalanceType::CpuLocalityBalance(_)) => Err(cx.not_built("cpu_locality_balance")),
            None => Err(cx.error("field: 'balance_type', reason: is required")),
        }
    })
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
