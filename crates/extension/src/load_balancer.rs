//! Load-balancing policies as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use nuncio_upstream::LbSpec;
use std::sync::Arc;

/// A load-balancing policy, as its author writes it.
pub trait LoadBalancerExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.load_balancing_policies.round_robin`.
    const NAME: &'static str;
    /// Its configuration.
    type Proto: Message + Name + Default;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>>;
}

/// A load-balancing policy, as the registry lists it.
pub trait LoadBalancerFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>>;
}

impl<E: LoadBalancerExtension> LoadBalancerFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn parse(&self, config: &Any, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let proto = cx.unpack(config)?;
        LoadBalancerExtension::parse(self, proto, cx)
    }
}
