//! HTTP filters as extensions.

use crate::parse_cx::{ParseCx, Parsed};
use nuncio_http::factory::HttpFilterSpec;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};
use std::any::Any as AnyValue;
use std::sync::Arc;

/// What configuration of a filter chain tells its filters.
#[derive(Clone, Debug)]
pub struct HttpFilterCx {
    /// The prefix of their stats: `http.<stat_prefix>.`, `cluster.<name>.` in an upstream chain.
    pub stat_prefix: String,
    /// Whether the chain is an upstream one.
    pub upstream: bool,
    /// The types of the configurations in the chain, in its order; of a filter whose configuration
    /// is delivered, all that it may have.
    pub chain: Arc<[String]>,
}

impl HttpFilterCx {
    /// For the filters of a chain.
    pub fn new(stat_prefix: String, upstream: bool) -> Self {
        Self {
            stat_prefix,
            upstream,
            chain: Arc::default(),
        }
    }
}

/// An HTTP filter, as its author writes it.
pub trait HttpFilterExtension: Send + Sync + 'static {
    /// Envoy's name for it, as `envoy.filters.http.buffer`.
    const NAME: &'static str;
    /// Whether it ends a chain.
    const TERMINAL: bool = false;
    /// Whether it may stand in a connection manager's chain.
    const DOWNSTREAM: bool = true;
    /// Whether it may stand in an upstream chain.
    const UPSTREAM: bool = false;
    /// Its configuration.
    type Proto: Message + Name + Default;
    /// Its configuration at routes.
    type RouteProto: Message + Name + Default;
    /// Its configuration, parsed.
    type Spec: HttpFilterSpec;
    /// Its configuration at routes, parsed.
    type RouteSpec: Send + Sync + 'static;

    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        proto: Self::Proto,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Self::Spec>;

    /// Parses its configuration at a route.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse_route(&self, proto: Self::RouteProto, cx: &mut ParseCx) -> Parsed<Self::RouteSpec>;
}

/// An HTTP filter, as the registry lists it.
pub trait HttpFilterFactory: Send + Sync {
    /// Envoy's name for it.
    fn name(&self) -> &'static str;
    /// Whether it ends a chain.
    fn is_terminal(&self) -> bool;
    /// Whether it may stand in a connection manager's chain.
    fn is_downstream(&self) -> bool;
    /// Whether it may stand in an upstream chain.
    fn is_upstream(&self) -> bool;
    /// The full name of its configuration's message.
    fn type_name(&self) -> String;
    /// The full name of its route configuration's message.
    fn route_type_name(&self) -> String;
    /// Parses its configuration.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse(
        &self,
        config: &Any,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn HttpFilterSpec>>;
    /// Parses its configuration at a route.
    ///
    /// # Errors
    /// Recorded in `cx`.
    fn parse_route(
        &self,
        config: &Any,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn AnyValue + Send + Sync>>;
}

impl<E: HttpFilterExtension> HttpFilterFactory for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn is_terminal(&self) -> bool {
        E::TERMINAL
    }

    fn is_downstream(&self) -> bool {
        E::DOWNSTREAM
    }

    fn is_upstream(&self) -> bool {
        E::UPSTREAM
    }

    fn type_name(&self) -> String {
        E::Proto::full_name()
    }

    fn route_type_name(&self) -> String {
        E::RouteProto::full_name()
    }

    fn parse(
        &self,
        config: &Any,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn HttpFilterSpec>> {
        let proto = cx.unpack(config)?;
        Ok(Arc::new(HttpFilterExtension::parse(
            self, proto, filter, cx,
        )?))
    }

    fn parse_route(
        &self,
        config: &Any,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn AnyValue + Send + Sync>> {
        let proto = cx.unpack(config)?;
        Ok(Arc::new(HttpFilterExtension::parse_route(self, proto, cx)?))
    }
}
