//! Protos to [`GrpcStatsSpec`].

use super::{GrpcStats, GrpcStatsSpec, Methods};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::grpc_stats::v3 as proto;
use nuncio_proto::envoy::extensions::filters::http::grpc_stats::v3::filter_config::PerMethodStatSpecifier;

impl HttpFilterExtension for GrpcStats {
    const NAME: &'static str = "envoy.filters.http.grpc_stats";
    type Proto = proto::FilterConfig;
    type RouteProto = proto::FilterConfig;
    type Spec = GrpcStatsSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::FilterConfig,
        _filter: &HttpFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<GrpcStatsSpec> {
        let proto::FilterConfig {
            emit_filter_state,
            enable_upstream_stats,
            replace_dots_in_grpc_service_name,
            per_method_stat_specifier,
        } = proto;
        Ok(GrpcStatsSpec {
            emit_filter_state,
            enable_upstream_stats,
            replace_dots: replace_dots_in_grpc_service_name,
            methods: match per_method_stat_specifier {
                None => Methods::Listed(Vec::new()),
                Some(PerMethodStatSpecifier::StatsForAllMethods(all)) => match all.value {
                    true => Methods::All,
                    false => Methods::Listed(Vec::new()),
                },
                Some(PerMethodStatSpecifier::IndividualMethodStatsAllowlist(list)) => {
                    let services = list.services.into_iter();
                    let listed = services.flat_map(|service| {
                        let name = service.name;
                        let methods = service.method_names.into_iter();
                        methods.map(move |method| (name.clone(), method))
                    });
                    Methods::Listed(listed.collect())
                }
            },
        })
    }

    fn parse_route(&self, _proto: proto::FilterConfig, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
