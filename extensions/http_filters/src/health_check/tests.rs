//! What configurations are refused; the rest is tested with whole proxies.

use super::HealthCheck;
use crate::testing::errors;

#[test]
fn only_what_is_passed_on_can_be_cached() {
    let found = errors(&HealthCheck, "{pass_through_mode: false, cache_time: 1s}");
    let message = "cache_time_ms must not be set when path_through_mode is disabled";
    assert!(found.contains(message), "{found}");
}
