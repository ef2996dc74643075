//! A cluster's transport sockets.

use crate::common::{metadata, value};
use crate::unknown_extension::unknown_extension;
use nuncio_extension::transport_socket::UpstreamSocketCx;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::core::v3::TransportSocket;
use nuncio_proto::envoy::config::core::v3::transport_socket::ConfigType;
use nuncio_proto::google::protobuf::Any;
use nuncio_upstream::transport::{TransportSocketMatch, TransportSockets, UpstreamSocket};

/// Names that need no configuration to mean the plain socket.
const RAW_BUFFER: [&str; 2] = ["envoy.transport_sockets.raw_buffer", "raw_buffer"];

/// Converts `transport_socket` and `transport_socket_matches`.
///
/// # Errors
/// What the transport sockets refuse, and those that are not built.
pub fn transport_sockets(cx: &mut ParseCx, cluster: &proto::Cluster) -> Parsed<TransportSockets> {
    let name = match cluster.alt_stat_name.as_str() {
        "" => &cluster.name,
        alternative => alternative,
    };
    let socket_cx = UpstreamSocketCx {
        cluster_scope: cx.env().store.scope("cluster").scope(name),
        metadata: cluster.metadata.clone().map(|data| metadata(Some(data))),
    };
    let default = cx.optional(
        "transport_socket",
        cluster.transport_socket.as_ref(),
        |cx, socket| transport_socket(cx, socket, &socket_cx),
    );
    let matches = cx.list(
        "transport_socket_matches",
        &cluster.transport_socket_matches,
        |cx, candidate| {
            let criteria = candidate.r#match.clone().unwrap_or_default();
            let socket = cx.optional(
                "transport_socket",
                candidate.transport_socket.as_ref(),
                |cx, socket| transport_socket(cx, socket, &socket_cx),
            )?;
            let fields = criteria.fields.into_iter();
            Ok(TransportSocketMatch {
                name: candidate.name.clone(),
                criteria: fields.map(|(name, field)| (name, value(field))).collect(),
                socket: socket.flatten(),
            })
        },
    );
    Ok(TransportSockets {
        default: default?.flatten(),
        matches: matches?,
    })
}

/// Converts a transport socket, wrapped or not.
///
/// # Errors
/// What it refuses; one that is not built.
pub fn transport_socket(
    cx: &mut ParseCx,
    socket: &TransportSocket,
    cluster: &UpstreamSocketCx,
) -> Parsed<UpstreamSocket> {
    let config = match &socket.config_type {
        Some(ConfigType::TypedConfig(config)) => config.clone(),
        None if RAW_BUFFER.contains(&socket.name.as_str()) => return Ok(None),
        None => Any::default(),
    };
    let Some(factory) = cx.env().registry.upstream_socket(&config) else {
        return Err(unknown_extension(cx, &socket.name, &config));
    };
    cx.field("typed_config", |cx| factory.parse(&config, cluster, cx))
}
