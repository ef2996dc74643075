//! The configuration.

use super::filter::{ConnectionLimitFactory, LimitStats};
use nuncio_config::common::runtime_flag;
use nuncio_config::duration;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit as Proto;
use std::sync::Arc;

/// The extension.
pub struct ConnectionLimit;

impl NetworkFilterExtension for ConnectionLimit {
    const NAME: &'static str = "envoy.filters.network.connection_limit";
    type Proto = Proto;
    type Spec = ConnectionLimitFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<ConnectionLimitFactory> {
        let Proto {
            stat_prefix,
            max_connections,
            delay,
            runtime_enabled,
        } = proto;
        let delay = duration::limit(cx, "delay", delay, None)?;
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("connection_limit.{stat_prefix}"));
        Ok(ConnectionLimitFactory {
            // Not set it is nothing, as in Envoy.
            max: max_connections.map_or(0, |max| max.value),
            delay,
            enabled: runtime_flag(runtime_enabled),
            stats: scope.group::<LimitStats>(),
            open: Arc::default(),
        })
    }
}
