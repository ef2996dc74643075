//! Protos to [`BufferSpec`] and [`BufferRouteSpec`].

use super::{Buffer, BufferRouteSpec, BufferSpec};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::buffer::v3 as proto;
use nuncio_proto::envoy::extensions::filters::http::buffer::v3::buffer_per_route::Override;

impl HttpFilterExtension for Buffer {
    const NAME: &'static str = "envoy.filters.http.buffer";
    const UPSTREAM: bool = true;
    type Proto = proto::Buffer;
    type RouteProto = proto::BufferPerRoute;
    type Spec = BufferSpec;
    type RouteSpec = BufferRouteSpec;

    fn parse(
        &self,
        proto: proto::Buffer,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<BufferSpec> {
        let max_request_bytes = max_request_bytes(cx, proto)?;
        Ok(BufferSpec { max_request_bytes })
    }

    fn parse_route(
        &self,
        proto: proto::BufferPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<BufferRouteSpec> {
        match proto.r#override {
            Some(Override::Disabled(_)) => Ok(BufferRouteSpec::Disabled),
            Some(Override::Buffer(buffer)) => cx.field("buffer", |cx| {
                Ok(BufferRouteSpec::Limit(max_request_bytes(cx, buffer)?))
            }),
            None => Err(cx.error("field: 'override', reason: is required")),
        }
    }
}

fn max_request_bytes(cx: &mut ParseCx, proto: proto::Buffer) -> Parsed<usize> {
    let proto::Buffer { max_request_bytes } = proto;
    cx.required("max_request_bytes", max_request_bytes, |_, bytes| {
        Ok(bytes.value as usize)
    })
}
