//! Protos to [`SetFilterStateSpec`].

use super::{Object, SetFilterState, SetFilterStateSpec};
use nuncio_config::format::substitution_format;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::common::set_filter_state::v3 as common;
use nuncio_proto::envoy::extensions::filters::http::set_filter_state::v3 as proto;
use std::sync::Arc;

/// The factories of objects that are text.
const TEXTS: [&str; 2] = ["envoy.hashable_string", "envoy.string"];

impl HttpFilterExtension for SetFilterState {
    const NAME: &'static str = "envoy.filters.http.set_filter_state";
    type Proto = proto::Config;
    type RouteProto = proto::Config;
    type Spec = SetFilterStateSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::Config,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<SetFilterStateSpec> {
        let proto::Config {
            on_request_headers,
            clear_route_cache,
        } = proto;
        let objects = cx.list("on_request_headers", on_request_headers, object)?;
        Ok(SetFilterStateSpec {
            objects: objects.into(),
            clear_route_cache,
        })
    }

    fn parse_route(&self, _proto: proto::Config, cx: &mut ParseCx) -> Parsed<()> {
        Err(cx.not_built("typed_per_filter_config"))
    }
}

fn object(cx: &mut ParseCx, proto: common::FilterStateValue) -> Parsed<Object> {
    use common::filter_state_value::{Key, SharedWithUpstream, Value};
    let shared = proto.shared_with_upstream() != SharedWithUpstream::None;
    cx.refuse("shared_with_upstream", shared)?;
    let Some(Key::ObjectKey(key)) = proto.key else {
        return Err(cx.error("field: 'key', reason: is required"));
    };
    let factory = match proto.factory_key.as_str() {
        "" => &key,
        factory => factory,
    };
    if !TEXTS.contains(&factory) {
        return Err(match factory.starts_with("envoy.") {
            true => cx.not_built("factory_key"),
            false => cx.error(format!("'{factory}' does not have an object factory")),
        });
    }
    let Some(Value::FormatString(format)) = proto.value else {
        return Err(cx.error("field: 'value', reason: is required"));
    };
    let format = cx.field("format_string", |cx| substitution_format(cx, format))?;
    Ok(Object {
        key: Arc::from(key),
        format: format.formatter,
        skip_if_empty: proto.skip_if_empty,
    })
}
