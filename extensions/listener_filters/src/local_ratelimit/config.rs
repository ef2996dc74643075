//! The configuration.

use super::filter::{LimitSpec, RateLimitStats};
use nuncio_config::common::runtime_flag;
use nuncio_config::token_bucket;
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::extensions::filters::listener::local_ratelimit::v3 as proto;
use std::sync::Arc;

/// The extension.
pub struct LocalRateLimit;

impl ListenerFilterExtension for LocalRateLimit {
    const NAME: &'static str = "envoy.filters.listener.local_ratelimit";
    type Proto = proto::LocalRateLimit;

    fn parse(
        &self,
        proto: proto::LocalRateLimit,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let proto::LocalRateLimit {
            stat_prefix,
            token_bucket: bucket,
            runtime_enabled,
        } = proto;
        let settings = cx.required("token_bucket", bucket, token_bucket::settings)?;
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("listener_local_ratelimit.{stat_prefix}"));
        Ok(Arc::new(LimitSpec {
            bucket: Arc::new(settings.bucket()),
            enabled: runtime_flag(runtime_enabled),
            stats: scope.group::<RateLimitStats>(),
        }))
    }
}
