//! The configuration.

use super::filter::{LocalRateLimitFactory, RateLimitStats};
use nuncio_base::token_bucket::TokenBucket;
use nuncio_config::common::runtime_flag;
use nuncio_config::token_bucket;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit as Proto;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The extension.
pub struct LocalRateLimit;

/// The buckets that filters share by `share_key`, with how each is configured.
#[derive(Default)]
struct Shared(RefCell<HashMap<String, (token_bucket::Settings, Weak<TokenBucket>)>>);

impl NetworkFilterExtension for LocalRateLimit {
    const NAME: &'static str = "envoy.filters.network.local_ratelimit";
    type Proto = Proto;
    type Spec = LocalRateLimitFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<LocalRateLimitFactory> {
        let Proto {
            stat_prefix,
            token_bucket: bucket,
            runtime_enabled,
            share_key,
        } = proto;
        let settings = cx.required("token_bucket", bucket, token_bucket::settings)?;
        let bucket = match share_key.as_str() {
            "" => Arc::new(settings.bucket()),
            _ => shared(cx, share_key, settings)?,
        };
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("local_rate_limit.{stat_prefix}"));
        Ok(LocalRateLimitFactory {
            bucket,
            enabled: runtime_flag(runtime_enabled),
            stats: scope.group::<RateLimitStats>(),
        })
    }
}

/// The bucket under a key: it must be configured alike everywhere.
fn shared(
    cx: &mut ParseCx,
    key: String,
    settings: token_bucket::Settings,
) -> Parsed<Arc<TokenBucket>> {
    let all = cx.env().shared(Shared::default);
    let mut all = all.0.borrow_mut();
    if let Some((known, bucket)) = all.get(&key)
        && let Some(bucket) = bucket.upgrade()
    {
        if *known != settings {
            let message = "The share_key is used by another filter with another token bucket";
            return Err(cx.error_at("share_key", message));
        }
        return Ok(bucket);
    }
    let bucket = Arc::new(settings.bucket());
    all.insert(key, (settings, Arc::downgrade(&bucket)));
    Ok(bucket)
}
