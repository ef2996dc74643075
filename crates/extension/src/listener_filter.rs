//! Listener filters as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory as ListenerFilterSpec;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use std::sync::Arc;

/// A listener filter, as its author writes it.
pub trait ListenerFilterExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.filters.listener.tls_inspector`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterSpec>>;
}

/// A listener filter, as the registry lists it.
pub trait ListenerFilterFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterSpec>>;
}

impl<E: ListenerFilterExtension> ListenerFilterFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterSpec>> {
        let proto = cx.unpack(config)?;
        ListenerFilterExtension::parse(self, proto, cx)
    }
}
