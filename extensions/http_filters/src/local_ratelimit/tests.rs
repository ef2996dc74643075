//! Whole requests through a chain with the filter; what its configuration refuses.

use super::LocalRateLimit;
use crate::testing::{Script, errors, route_errors};

const ALL: &str = "{default_value: {numerator: 100}}";

fn config(tokens: u32, more: &str) -> String {
    format!(
        "{{stat_prefix: p, token_bucket: {{max_tokens: {tokens}, fill_interval: 60s}}, \
         filter_enabled: {ALL}{more}}}"
    )
}

#[test]
fn a_request_without_a_token_is_refused() {
    let more = format!(
        ", filter_enforced: {ALL}, enable_x_ratelimit_headers: DRAFT_VERSION_03, \
         enable_retry_after_header: true, \
         response_headers_to_add: [{{header: {{key: x-lr, value: '%REQ(:path)%'}}}}]"
    );
    let outcome = Script::new()
        .filter(&LocalRateLimit, &config(0, &more))
        .run();
    assert_eq!(outcome.details, "local_rate_limited");
    assert_eq!(outcome.flags, "RL");
    for part in [
        ":status=429",
        "x-lr=/",
        "retry-after=60",
        "x-ratelimit-limit=0 x-ratelimit-remaining=0 x-ratelimit-reset=60",
        "[local_rate_limited]",
    ] {
        assert!(
            outcome.downstream.contains(part),
            "{part}: {}",
            outcome.downstream
        );
    }
    for (name, expected) in [
        ("enabled", 1),
        ("rate_limited", 1),
        ("enforced", 1),
        ("ok", 0),
    ] {
        let stat = outcome.stat(&format!("p.http_local_rate_limit.{name}"));
        assert_eq!(stat, expected, "{name}");
    }
}

#[test]
fn others_pass() {
    let not_enforced =
        ", request_headers_to_add_when_not_enforced: [{header: {key: x-n, value: '1'}}]";
    let per_connection = format!(
        ", local_rate_limit_per_downstream_connection: true, filter_enforced: {ALL}, \
         enable_x_ratelimit_headers: DRAFT_VERSION_03"
    );
    for (tokens, more, upstream, downstream) in [
        (0, not_enforced, "x-n=1", ":status=200"),
        (2, not_enforced, ":path=/", ":status=200"),
        (2, &*per_connection, ":path=/", "x-ratelimit-remaining=1"),
    ] {
        let script = Script::new().filter(&LocalRateLimit, &config(tokens, more));
        let outcome = script.run();
        assert!(outcome.upstream.contains(upstream), "{}", outcome.upstream);
        assert!(
            outcome.downstream.contains(downstream),
            "{}",
            outcome.downstream
        );
        assert_eq!(outcome.upstream.contains("x-n=1"), tokens == 0);
    }
}

#[test]
fn a_route_has_a_bucket_of_its_own() {
    let own = config(
        0,
        &format!(", filter_enforced: {ALL}, status: {{code: 503}}"),
    );
    let own = own.trim_start_matches('{');
    let kind = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3";
    let routes = format!(
        "routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, typed_per_filter_config: \
         {{envoy.filters.http.local_ratelimit: {{'@type': {kind}.LocalRateLimit, {own}}}}}]"
    );
    let script = Script::new()
        .filter(&LocalRateLimit, "{stat_prefix: q}")
        .routes(&routes);
    let outcome = script.run();
    assert!(
        outcome.downstream.contains(":status=503"),
        "{}",
        outcome.downstream
    );
    assert_eq!(outcome.stat("p.http_local_rate_limit.enforced"), 1);
}

#[test]
fn what_is_wrong_or_not_built_is_said() {
    let error = route_errors(&LocalRateLimit, "{stat_prefix: p}");
    assert!(
        error.contains("token bucket must be set for per filter configs"),
        "{error}"
    );
    for (more, expected) in [
        (
            ", rate_limits: [{actions: [{remote_address: {}}]}]",
            "rate_limits",
        ),
        (
            ", descriptors: [{entries: [{key: a}], token_bucket: {max_tokens: 1, \
             fill_interval: 1s}}]",
            "descriptors",
        ),
    ] {
        let errors = errors(&LocalRateLimit, &config(1, more));
        let expected = format!("{expected} is not supported by this build");
        assert!(errors.contains(&expected), "{more}: {errors}");
    }
}
