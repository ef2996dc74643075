//! `envoy.type.v3.TokenBucket`.

use crate::duration;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::r#type::v3 as proto;
use std::time::Duration;

/// What Envoy's local rate limits allow at least.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// A token bucket's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many it holds.
    pub max: u32,
    /// How many come in each interval.
    pub per_fill: u32,
    /// The interval.
    pub interval: Duration,
}

impl Settings {
    /// A full bucket.
    pub fn bucket(&self) -> TokenBucket {
        let now = nuncio_base::time::monotonic();
        TokenBucket::new(self.max, self.per_fill, self.interval, now)
    }
}

/// Converts the settings of a local rate limit.
///
/// # Errors
/// A missing or too short interval.
pub fn settings(cx: &mut ParseCx, proto: proto::TokenBucket) -> Parsed<Settings> {
    let proto::TokenBucket {
        max_tokens,
        tokens_per_fill,
        fill_interval,
    } = proto;
    let interval = duration::optional(cx, "fill_interval", fill_interval)?;
    let interval = interval.unwrap_or_default();
    if interval < SHORTEST_INTERVAL {
        let message = "local rate limit token bucket fill timer must be >= 50ms";
        return Err(cx.error_at("fill_interval", message));
    }
    Ok(Settings {
        max: max_tokens,
        per_fill: tokens_per_fill.map_or(1, |count| count.value),
        interval,
    })
}
