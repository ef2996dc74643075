//! Transport sockets as extensions: of accepted connections, and of connections to hosts.

use crate::network_filter::NetworkFilterCx;
use crate::parse_cx::{ParseCx, Parsed};
use nuncio_base::metadata::Metadata;
use nuncio_net::{TransportSocketFactory, UpstreamSocketFactory as UpstreamSocketSpec};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use std::sync::Arc;

/// A transport socket of accepted connections, as its author writes it.
pub trait DownstreamSocketExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.transport_sockets.tls`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration; `None` where nothing lies over the socket.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        proto: Self::Proto,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn TransportSocketFactory>>>;
}

/// A transport socket of accepted connections, as the registry lists it.
pub trait DownstreamSocketFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
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
    ) -> Parsed<Option<Arc<dyn TransportSocketFactory>>>;
}

impl<E: DownstreamSocketExtension> DownstreamSocketFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(
        &self,
        config: &Any,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn TransportSocketFactory>>> {
        let proto = cx.unpack(config)?;
        DownstreamSocketExtension::parse(self, proto, listener, cx)
    }
}

/// What a cluster tells its transport sockets when they are configured.
#[derive(Clone, Debug)]
pub struct UpstreamSocketCx {
    /// The scope of the cluster's stats: `cluster.<name>`.
    pub cluster_scope: nuncio_stats::Scope,
    /// The cluster's metadata.
    pub metadata: Option<Arc<Metadata>>,
}

/// A transport socket of connections to hosts, as its author writes it.
pub trait UpstreamSocketExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.transport_sockets.tls`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration; `None` where nothing lies over the socket.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        proto: Self::Proto,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketSpec>>>;
}

/// A transport socket of connections to hosts, as the registry lists it.
pub trait UpstreamSocketFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        config: &Any,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketSpec>>>;
}

impl<E: UpstreamSocketExtension> UpstreamSocketFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(
        &self,
        config: &Any,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketSpec>>> {
        let proto = cx.unpack(config)?;
        UpstreamSocketExtension::parse(self, proto, cluster, cx)
    }
}
