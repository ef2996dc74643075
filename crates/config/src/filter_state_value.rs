//! Objects that filters leave in the filter state:
//! `envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue`.

use crate::format::substitution_format;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_observe::Formatter;
use nuncio_proto::envoy::extensions::filters::common::set_filter_state::v3 as proto;
use nuncio_stream_info::filter_state::{KeyText, Sharing, Text};
use nuncio_stream_info::{FilterState, FilterStateObject, LifeSpan};
use proto::filter_state_value::{Key, SharedWithUpstream, Value};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// What an object's text must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Anything.
    Text,
    /// Anything; connections to hosts are told apart by it.
    Key,
    /// An IP address.
    Ip,
    /// An IP address and a port.
    Address,
}

/// The factories of objects, by name.
const FACTORIES: [(&str, Kind); 7] = [
    (
        "envoy.filters.listener.original_dst.local_ip",
        Kind::Address,
    ),
    (
        "envoy.filters.listener.original_dst.remote_ip",
        Kind::Address,
    ),
    ("envoy.hashable_string", Kind::Key),
    ("envoy.network.ip", Kind::Ip),
    (
        "envoy.network.transport_socket.original_dst_address",
        Kind::Address,
    ),
    ("envoy.string", Kind::Text),
    ("envoy.tcp_proxy.cluster", Kind::Text),
];

/// An object to leave.
#[derive(Debug)]
pub struct FilterStateValue {
    key: Arc<str>,
    kind: Kind,
    /// Its text.
    pub format: Formatter,
    skip_if_empty: bool,
    sharing: Sharing,
}

impl FilterStateValue {
    /// Leaves an object that says `text`, unless that can't be.
    pub fn leave(&self, state: &mut FilterState, span: LifeSpan, text: Vec<u8>) {
        if text.is_empty() && self.skip_if_empty {
            return;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let object: Rc<dyn FilterStateObject> = match self.kind {
            Kind::Ip if text.parse::<IpAddr>().is_err() => return,
            Kind::Address if text.parse::<SocketAddr>().is_err() => return,
            Kind::Text => Rc::new(Text(text)),
            Kind::Key | Kind::Ip | Kind::Address => Rc::new(KeyText(text)),
        };
        state.set_shared(&self.key, span, self.sharing, object);
    }
}

/// Converts a list of them.
///
/// # Errors
/// Objects that nothing makes.
pub fn filter_state_values(
    cx: &mut ParseCx,
    field: &'static str,
    proto: Vec<proto::FilterStateValue>,
) -> Parsed<Arc<[FilterStateValue]>> {
    Ok(cx.list(field, proto, filter_state_value)?.into())
}

fn filter_state_value(
    cx: &mut ParseCx,
    proto: proto::FilterStateValue,
) -> Parsed<FilterStateValue> {
    let sharing = match proto.shared_with_upstream() {
        SharedWithUpstream::None => Sharing::None,
        SharedWithUpstream::Once => Sharing::Once,
        SharedWithUpstream::Transitive => Sharing::Transitive,
    };
    let Some(Key::ObjectKey(key)) = proto.key else {
        return Err(cx.error("field: 'key', reason: is required"));
    };
    let factory = match proto.factory_key.as_str() {
        "" => &key,
        factory => factory,
    };
    let Some((_, kind)) = FACTORIES.iter().find(|(name, _)| *name == factory) else {
        return Err(match factory.starts_with("envoy.") {
            true => cx.not_built("factory_key"),
            false => cx.error(format!("'{factory}' does not have an object factory")),
        });
    };
    let Some(Value::FormatString(format)) = proto.value else {
        return Err(cx.error("field: 'value', reason: is required"));
    };
    let format = cx.field("format_string", |cx| substitution_format(cx, format))?;
    Ok(FilterStateValue {
        key: Arc::from(key),
        kind: *kind,
        format: format.formatter,
        skip_if_empty: proto.skip_if_empty,
        sharing,
    })
}
