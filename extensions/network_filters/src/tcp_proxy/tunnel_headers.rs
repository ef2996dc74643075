//! Heads and trailers of responses that open tunnels, kept as filter state for logs and other
//! filters (`propagate_response_headers`, `propagate_response_trailers`).

use nuncio_base::HeaderMap;
use nuncio_base::metadata::Value;
use nuncio_stream_info::{ConnectionInfo, FilterStateObject, LifeSpan};
use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Envoy's name for the head.
const HEADERS: &str = "envoy.tcp_proxy.propagate_response_headers";

/// Envoy's name for the trailers.
const TRAILERS: &str = "envoy.tcp_proxy.propagate_response_trailers";

/// What is kept of responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TunnelHeaders {
    /// Whether heads are, of refusals too.
    pub headers: bool,
    /// Whether trailers are.
    pub trailers: bool,
}

impl TunnelHeaders {
    /// Keeps a head, if that is wanted.
    pub(super) fn keep_headers(self, head: HeaderMap, info: &ConnectionInfo) {
        if self.headers {
            keep(HEADERS, head, info);
        }
    }

    /// Keeps trailers, if that is wanted.
    pub(super) fn keep_trailers(self, trailers: HeaderMap, info: &ConnectionInfo) {
        if self.trailers {
            keep(TRAILERS, trailers, info);
        }
    }
}

fn keep(key: &str, fields: HeaderMap, info: &ConnectionInfo) {
    let mut state = info.filter_state.borrow_mut();
    state.set(key, LifeSpan::Connection, Rc::new(Kept(fields)));
}

/// Fields, shown as `envoy.config.core.v3.HeaderMap` is.
struct Kept(HeaderMap);

impl FilterStateObject for Kept {
    fn as_value(&self) -> Option<Value> {
        let text = |bytes: &[u8]| Value::Text(String::from_utf8_lossy(bytes).as_ref().into());
        let structure = |fields| Value::Struct(Arc::new(fields));
        let fields = self.0.iter().map(|(name, value)| {
            let parts = [("key", text(name)), ("value", text(value))];
            structure(BTreeMap::from(
                parts.map(|(key, value)| (key.into(), value)),
            ))
        });
        let list = Value::List(fields.collect());
        Some(structure(BTreeMap::from([("headers".into(), list)])))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
