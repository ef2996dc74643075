//! Protos to [`HealthCheckSpec`].

use super::cache::ResponseCache;
use super::{HealthCheck, HealthCheckSpec};
use nuncio_config::{duration, matching};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::server_env::HealthCheckSwitch;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::health_check::v3 as proto;
use std::sync::Arc;

impl HttpFilterExtension for HealthCheck {
    const NAME: &'static str = "envoy.filters.http.health_check";
    type Proto = proto::HealthCheck;
    type RouteProto = proto::HealthCheck;
    type Spec = HealthCheckSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::HealthCheck,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<HealthCheckSpec> {
        let pass_through = proto
            .pass_through_mode
            .as_ref()
            .is_some_and(|mode| mode.value);
        let cache_time = duration::limit(cx, "cache_time", proto.cache_time, None)?;
        if !pass_through && cache_time.is_some() {
            let message = "cache_time_ms must not be set when path_through_mode is disabled";
            return Err(cx.error_at("cache_time", message));
        }
        let mut minimums: Vec<_> = proto
            .cluster_min_healthy_percentages
            .into_iter()
            .map(|(cluster, percent)| (cluster, percent.value))
            .collect();
        minimums.sort_by(|a, b| a.0.cmp(&b.0));
        let start = nuncio_base::time::monotonic();
        let cache = cache_time.map(|time| Arc::new(ResponseCache::new(time, start)));
        let env = cx.env();
        let scope = env.store.scope(&filter.stat_prefix);
        Ok(HealthCheckSpec {
            stats: scope.scope("health_check").group(),
            pass_through,
            failed: Arc::clone(&env.shared(HealthCheckSwitch::default).0),
            node_cluster: env.node.cluster.as_str().into(),
            // Whoever passes requests on asks the service itself.
            minimums: if pass_through { Vec::new() } else { minimums },
            cache,
            headers: cx.list("headers", proto.headers, matching::header_matcher)?,
        })
    }

    fn parse_route(&self, _proto: proto::HealthCheck, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}
