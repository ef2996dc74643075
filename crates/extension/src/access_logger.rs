//! Access loggers as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_observe::AccessLoggerSpec;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use std::sync::Arc;

/// An access logger, as its author writes it.
pub trait AccessLoggerExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.access_loggers.file`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>>;
}

/// An access logger, as the registry lists it.
pub trait AccessLoggerFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>>;
}

impl<E: AccessLoggerExtension> AccessLoggerFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        let proto = cx.unpack(config)?;
        AccessLoggerExtension::parse(self, proto, cx)
    }
}
