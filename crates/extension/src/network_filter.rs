//! Network filters as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_net::factory::NetworkFilterFactory as NetworkFilterSpec;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use std::sync::Arc;

/// What a listener tells its network filters when they are configured.
#[derive(Clone, Debug)]
pub struct NetworkFilterCx {
    /// The listener's name.
    pub listener: String,
    /// The prefix of the listener's stats: `listener.<address>.`.
    pub listener_stat_prefix: String,
    /// `per_connection_buffer_limit_bytes`.
    pub buffer_limit: usize,
    /// Whether the listener's traffic comes from outside (`traffic_direction: INBOUND`).
    pub inbound: bool,
    /// Whether it goes outside (`traffic_direction: OUTBOUND`).
    pub outbound: bool,
}

/// A network filter, as its author writes it.
pub trait NetworkFilterExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.filters.network.tcp_proxy`.
    const NAME: &'static str;
    /// Whether it ends a chain.
    const TERMINAL: bool = false;
    /// Its configuration.
    type Proto: Message + Name + Default;
    /// Its configuration, parsed.
    type Spec: NetworkFilterSpec + 'static;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        proto: Self::Proto,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Self::Spec>;
}

/// A network filter, as the registry lists it.
pub trait NetworkFilterFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// Whether it ends a chain.
    fn is_terminal(&self) -> bool;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        config: &Any,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn NetworkFilterSpec>>;
}

impl<E: NetworkFilterExtension> NetworkFilterFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn is_terminal(&self) -> bool {
        E::TERMINAL
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(
        &self,
        config: &Any,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn NetworkFilterSpec>> {
        let proto = cx.unpack(config)?;
        Ok(Arc::new(NetworkFilterExtension::parse(
            self, proto, listener, cx,
        )?))
    }
}
