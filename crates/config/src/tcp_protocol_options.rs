//! How a cluster keeps TCP connections: `envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions`.

use crate::duration;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::extensions::upstreams::tcp::v3::TcpProtocolOptions;
use nuncio_proto::google::protobuf::Any;
use std::time::Duration;

const NAME: &str = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions";
const OLD_NAME: &str = "envoy.upstreams.tcp.tcp_protocol_options";

/// How long a connection that nobody uses is kept, where the config says nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Whether these are such options, under the name by which Envoy finds them.
pub(crate) fn is(key: &str, config: &Any) -> bool {
    nuncio_proto::any::type_name(config) == NAME && matches!(key, NAME | OLD_NAME)
}

/// How long a connection that nobody uses is kept; `None`: for ever.
///
/// # Errors
/// Recorded in `cx`.
pub fn idle_timeout(cx: &mut ParseCx, cluster: &Cluster) -> Parsed<Option<Duration>> {
    let mut all = cluster.typed_extension_protocol_options.iter();
    let Some((key, config)) = all.find(|(key, config)| is(key, config)) else {
        return Ok(Some(IDLE_TIMEOUT));
    };
    cx.field("typed_extension_protocol_options", |cx| {
        cx.key(key, |cx| {
            let options = cx.unpack::<TcpProtocolOptions>(config)?;
            let limit = options.idle_timeout;
            duration::limit(cx, "idle_timeout", limit, Some(IDLE_TIMEOUT))
        })
    })
}
