//! Protos to [`SetFilterStateSpec`].

use super::{SetFilterState, SetFilterStateSpec};
use nuncio_config::filter_state_value::filter_state_values;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::set_filter_state::v3 as proto;

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
        Ok(SetFilterStateSpec {
            objects: filter_state_values(cx, "on_request_headers", on_request_headers)?,
            clear_route_cache,
        })
    }

    fn parse_route(&self, _proto: proto::Config, cx: &mut ParseCx) -> Parsed<()> {
        Err(cx.not_built("typed_per_filter_config"))
    }
}
