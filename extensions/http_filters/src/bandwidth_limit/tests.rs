//! How bytes are held back; whole requests; what is refused.

use super::BandwidthLimit;
use super::limiter::Limiter;
use crate::testing::{Script, route_errors};
use nuncio_base::token_bucket::TokenBucket;
use std::time::Duration;

#[test]
fn bytes_go_at_the_rate_of_the_bucket() {
    let start = nuncio_base::time::monotonic();
    let at = |millis| start + Duration::from_millis(millis);
    let bucket = TokenBucket::new(10, 10, Duration::from_secs(1), start);
    bucket.take(9, start);
    let mut limiter = Limiter::new(start);
    limiter.push(&mut vec![0; 250].into(), true);
    for (millis, len, end) in [
        (0, 100, false),
        (50, 0, false),
        (100, 100, false),
        (200, 50, true),
    ] {
        let allowed = limiter.take(&bucket, 100, at(millis));
        assert_eq!((allowed.data.len(), allowed.end), (len, end), "{millis}");
        assert_eq!(allowed.again.is_none(), end, "{millis}");
    }
    assert_eq!(limiter.held(), 0);
    assert_eq!(limiter.waited, Duration::from_millis(200));
}

#[test]
fn bodies_are_counted_and_arrive() {
    for (mode, request, response) in [
        ("DISABLED", 0, 0),
        ("REQUEST", 1, 0),
        ("RESPONSE", 0, 1),
        ("REQUEST_AND_RESPONSE", 1, 1),
    ] {
        let config =
            format!("{{stat_prefix: b, limit_kbps: 1, enable_mode: {mode}, fill_interval: 0.02s}}");
        let outcome = Script::new()
            .filter(&BandwidthLimit, &config)
            .request(&[(":method", "POST")])
            .body(&["0123456789", "abc"])
            .answer(&[(":status", "200")], &["an answer"])
            .run();
        assert!(
            outcome.upstream.contains("0123456789"),
            "{}",
            outcome.upstream
        );
        assert!(
            outcome.downstream.contains("an answer"),
            "{}",
            outcome.downstream
        );
        let stat = |name: &str| outcome.stat(&format!("b.http_bandwidth_limit.{name}"));
        assert_eq!(stat("request_enabled"), request, "{mode}");
        assert_eq!(stat("response_enabled"), response, "{mode}");
        assert_eq!(stat("request_incoming_total_size"), 13 * request, "{mode}");
        assert_eq!(stat("response_allowed_total_size"), 9 * response, "{mode}");
        assert_eq!(
            stat("request_pending") + stat("response_pending"),
            0,
            "{mode}"
        );
    }
}

#[test]
fn a_route_needs_a_limit() {
    let error = route_errors(&BandwidthLimit, "{stat_prefix: b}");
    assert!(
        error.contains("limit must be set for per route filter config"),
        "{error}"
    );
}
