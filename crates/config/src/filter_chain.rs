//! `envoy.config.listener.v3.{FilterChain, FilterChainMatch, Filter}`.

use crate::common::metadata;
use crate::duration;
use crate::matching::cidr_range;
use crate::unknown_extension::unknown_extension;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_listener::{FilterChainMatch, FilterChainSpec, SourceType};
use nuncio_net::{NetworkFilterFactory, TransportSocketFactory};
use nuncio_proto::envoy::config::core::v3::TransportSocket;
use nuncio_proto::envoy::config::core::v3::transport_socket::ConfigType as SocketConfig;
use nuncio_proto::envoy::config::listener::v3 as proto;
use nuncio_proto::envoy::config::listener::v3::filter::ConfigType;
use nuncio_proto::google::protobuf::Any;
use std::sync::Arc;

/// Converts a filter chain.
///
/// # Errors
/// What its filters refuse; transport sockets that are not built.
pub fn filter_chain(
    cx: &mut ParseCx,
    proto: proto::FilterChain,
    listener: &NetworkFilterCx,
) -> Parsed<Arc<FilterChainSpec>> {
    let proto::FilterChain {
        filter_chain_match: criteria,
        filters,
        // The first chain's makes a listener filter.
        use_proxy_proto: _,
        metadata: data,
        transport_socket: socket,
        transport_socket_connect_timeout: timeout,
        name,
    } = proto;
    let criteria = cx.field("filter_chain_match", |cx| {
        filter_chain_match(cx, criteria.unwrap_or_default())
    });
    let socket = cx.optional("transport_socket", socket, |cx, socket| {
        transport_socket(cx, socket, listener)
    });
    let timeout = duration::limit(cx, "transport_socket_connect_timeout", timeout, None);
    let filters = network_filters(cx, filters, listener);
    Ok(Arc::new(FilterChainSpec {
        name: name.into(),
        metadata: data.map(|data| metadata(Some(data))),
        criteria: criteria?,
        transport_socket: socket?.flatten(),
        transport_socket_connect_timeout: timeout?,
        filters: filters?,
        draining: Arc::default(),
    }))
}

/// What lies between the socket and the filters, if anything does.
fn transport_socket(
    cx: &mut ParseCx,
    proto: TransportSocket,
    listener: &NetworkFilterCx,
) -> Parsed<Option<Arc<dyn TransportSocketFactory>>> {
    let TransportSocket { name, config_type } = proto;
    let config = match config_type {
        Some(SocketConfig::TypedConfig(config)) => config,
        None => Any::default(),
    };
    let Some(factory) = cx.env().registry.downstream_socket(&config) else {
        return Err(unknown_extension(cx, &name, &config));
    };
    cx.field("typed_config", |cx| factory.parse(&config, listener, cx))
}

/// Converts the criteria by which a chain is chosen.
///
/// # Errors
/// Malformed addresses and ports; fields that Envoy never built.
pub fn filter_chain_match(
    cx: &mut ParseCx,
    proto: proto::FilterChainMatch,
) -> Parsed<FilterChainMatch> {
    use proto::filter_chain_match::ConnectionSourceType;
    let source_type = match proto.source_type() {
        ConnectionSourceType::Any => SourceType::Any,
        ConnectionSourceType::SameIpOrLoopback => SourceType::SameIpOrLoopback,
        ConnectionSourceType::External => SourceType::External,
    };
    let proto::FilterChainMatch {
        destination_port,
        prefix_ranges,
        address_suffix,
        suffix_len,
        direct_source_prefix_ranges,
        source_type: _,
        source_prefix_ranges,
        source_ports,
        server_names,
        transport_protocol,
        application_protocols,
    } = proto;
    let suffix = match (address_suffix.as_str(), suffix_len) {
        ("", None) => Ok(()),
        ("", Some(_)) => Err(cx.not_built("suffix_len")),
        _ => Err(cx.not_built("address_suffix")),
    };
    let destination_port = cx.optional("destination_port", destination_port, |cx, value| {
        port(cx, value.value)
    });
    let prefix_ranges = cx.list("prefix_ranges", prefix_ranges, cidr_range);
    let direct_source_prefix_ranges = cx.list(
        "direct_source_prefix_ranges",
        direct_source_prefix_ranges,
        cidr_range,
    );
    let source_prefix_ranges = cx.list("source_prefix_ranges", source_prefix_ranges, cidr_range);
    let source_ports = cx.list("source_ports", source_ports, port);
    suffix?;
    Ok(FilterChainMatch {
        destination_port: destination_port?,
        prefix_ranges: prefix_ranges?,
        server_names,
        transport_protocol,
        application_protocols,
        direct_source_prefix_ranges: direct_source_prefix_ranges?,
        source_type,
        source_prefix_ranges: source_prefix_ranges?,
        source_ports: source_ports?,
    })
}

fn port(cx: &mut ParseCx, value: u32) -> Parsed<u16> {
    u16::try_from(value).map_err(|_| cx.error("value must be inside range [1, 65535]"))
}

/// Converts a chain of network filters, whose last one must be terminal, and no other. A chain
/// without filters is valid: its connections are closed.
fn network_filters(
    cx: &mut ParseCx,
    filters: Vec<proto::Filter>,
    listener: &NetworkFilterCx,
) -> Parsed<Vec<Arc<dyn NetworkFilterFactory>>> {
    let count = filters.len();
    let mut number = 0;
    cx.list("filters", filters, |cx, filter| {
        number += 1;
        network_filter(cx, filter, number == count, listener)
    })
}

fn network_filter(
    cx: &mut ParseCx,
    proto: proto::Filter,
    last: bool,
    listener: &NetworkFilterCx,
) -> Parsed<Arc<dyn NetworkFilterFactory>> {
    let proto::Filter { name, config_type } = proto;
    let config = match config_type {
        Some(ConfigType::TypedConfig(config)) => config,
        Some(ConfigType::ConfigDiscovery(_)) => return Err(cx.not_built("config_discovery")),
        None => Any::default(),
    };
    let Some(factory) = cx.env().registry.network_filter(&config) else {
        return Err(unknown_extension(cx, &name, &config));
    };
    let (kind, terminal) = (factory.name(), factory.is_terminal());
    if terminal && !last {
        return Err(cx.error(format!(
            "Error: terminal filter named {name} of type {kind} must be the last filter in a \
             network filter chain."
        )));
    }
    if !terminal && last {
        return Err(cx.error(format!(
            "Error: non-terminal filter named {name} of type {kind} is the last filter in a \
             network filter chain."
        )));
    }
    cx.field("typed_config", |cx| factory.parse(&config, listener, cx))
}
