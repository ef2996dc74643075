//! What the filter, or a route, is configured with.

use nuncio_base::HeaderName;
use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_stats::{Group, stat_group};

stat_group! {
    /// `<stat_prefix>.http_bandwidth_limit.*`
    pub struct BandwidthStats {
        counters {
            request_allowed_total_size,
            request_enabled,
            request_enforced,
            request_incoming_total_size,
            response_allowed_total_size,
            response_enabled,
            response_enforced,
            response_incoming_total_size,
        }
        gauges {
            request_allowed_size,
            request_incoming_size,
            request_pending,
            response_allowed_size,
            response_incoming_size,
            response_pending,
        }
        histograms {
            request_transfer_duration: Milliseconds,
            response_transfer_duration: Milliseconds,
        }
    }
}

/// The trailers that tell of delays.
#[derive(Debug)]
pub struct Trailers {
    /// How long the request took.
    pub request_delay: HeaderName,
    /// How long the response took.
    pub response_delay: HeaderName,
    /// How long the filter held the request.
    pub request_filter_delay: HeaderName,
    /// How long the filter held the response.
    pub response_filter_delay: HeaderName,
}

/// The settings of the filter, or of a route.
pub struct Settings {
    /// Whether it does anything.
    pub enabled: RuntimeFlag,
    /// Whether requests are limited.
    pub request: bool,
    /// Whether responses are limited.
    pub response: bool,
    /// The tokens: those of a second, of which each is for so many bytes.
    pub bucket: TokenBucket,
    /// How many bytes a token is for.
    pub bytes_per_token: usize,
    /// Trailers that tell of delays.
    pub trailers: Option<Trailers>,
    /// What is counted.
    pub stats: Group<BandwidthStats>,
}
