//! Where events of health checks go, as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use nuncio_upstream::health_check::HealthEventSink;
use std::sync::Arc;

/// A sink of health check events, as its author writes it.
pub trait HealthCheckSinkExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.health_check.event_sink.file`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn HealthEventSink>>;
}

/// A sink of health check events, as the registry lists it.
pub trait HealthCheckSinkFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn HealthEventSink>>;
}

impl<E: HealthCheckSinkExtension> HealthCheckSinkFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn HealthEventSink>> {
        let proto = cx.unpack(config)?;
        HealthCheckSinkExtension::parse(self, proto, cx)
    }
}
