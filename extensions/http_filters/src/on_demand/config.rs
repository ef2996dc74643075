//! Protos to [`OnDemandSpec`].

use super::{OnDemand, OnDemandSpec};
use nuncio_config::vhds::HostsOnDemand;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::on_demand::v3 as proto;

impl HttpFilterExtension for OnDemand {
    const NAME: &'static str = "envoy.filters.http.on_demand";
    type Proto = proto::OnDemand;
    type RouteProto = proto::PerRouteConfig;
    type Spec = OnDemandSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::OnDemand,
        _filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<OnDemandSpec> {
        cx.refuse("odcds", proto.odcds.is_some())?;
        let claim = HostsOnDemand::want(cx)?;
        Ok(OnDemandSpec { _claim: claim })
    }

    fn parse_route(&self, proto: proto::PerRouteConfig, cx: &mut ParseCx) -> Parsed<()> {
        cx.refuse("odcds", proto.odcds.is_some())
    }
}
