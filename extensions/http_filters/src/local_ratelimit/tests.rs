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
            ", rate_limits: [{apply_on_stream_done: true, actions: [{remote_address: {}}]}]",
            "apply_on_stream_done is not supported by this build",
        ),
        (
            ", descriptors: [{entries: [{key: a}], token_bucket: {max_tokens: 1, \
             fill_interval: 1s}}]",
            "value is not supported by this build",
        ),
        (
            ", descriptors: [{entries: [{key: a, value: b}], token_bucket: {max_tokens: 1, \
             fill_interval: 1s}}, {entries: [{key: a, value: b}], token_bucket: {max_tokens: 2, \
             fill_interval: 1s}}]",
            "duplicate descriptor in the local rate descriptor: [a=b]",
        ),
    ] {
        let errors = errors(&LocalRateLimit, &config(1, more));
        assert!(errors.contains(expected), "{more}: {errors}");
    }
}

#[test]
fn descriptors_have_buckets_of_their_own() {
    let routes = "routes: [{match: {prefix: /}, route: {cluster: c, rate_limits: [{actions: \
                  [{request_headers: {header_name: x-k, descriptor_key: k}}]}]}}]";
    let bucket = |value: &str, tokens: u32, more: &str| {
        format!(
            "{{entries: [{{key: k, value: {value}}}], token_bucket: {{max_tokens: {tokens}, \
             fill_interval: 60s}}{more}}}"
        )
    };
    let more = format!(
        ", filter_enforced: {ALL}, enable_x_ratelimit_headers: DRAFT_VERSION_03, \
         descriptors: [{}, {}, {}]",
        bucket("none", 0, ""),
        bucket("seven", 7, ""),
        bucket("shadow", 0, ", shadow_mode: true"),
    );
    for (value, status, limit, shadowed) in [
        ("none", 429, 0, 0),
        ("seven", 200, 7, 0),
        ("other", 200, 9, 0),
        ("shadow", 200, 0, 1),
    ] {
        let outcome = Script::new()
            .filter(&LocalRateLimit, &config(9, &more))
            .routes(routes)
            .request(&[("x-k", value)])
            .run();
        let expected = [
            format!(":status={status}"),
            format!("x-ratelimit-limit={limit}"),
        ];
        for part in expected {
            let shown = &outcome.downstream;
            assert!(shown.contains(&part), "{value}: {part}: {shown}");
        }
        let stat = outcome.stat("p.http_local_rate_limit.shadow_mode");
        assert_eq!(stat, shadowed, "{value}");
    }
}
