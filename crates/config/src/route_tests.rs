//! Routes as YAML: what they become, and what is refused.

use crate::route::route_table;
use crate::testing::convert;
use nuncio_route::rewrite::{HostRewrite, PathRewrite};
use nuncio_route::{Action, ClusterTarget, RetryOn, RouteTable};
use std::time::Duration;

fn table(yaml: &str) -> Result<RouteTable, String> {
    let table = convert(yaml, route_table)?;
    table
        .check_clusters(|name| matches!(name, "u0" | "u1"))
        .map_err(|error| error.message().to_owned())?;
    Ok(table)
}

/// A table with one route, which is flow-style YAML without its braces.
fn route(yaml: &str) -> Result<RouteTable, String> {
    table(&format!(
        "{{name: rc, virtual_hosts: [{{name: v, domains: ['*'], routes: [{{{yaml}}}]}}]}}"
    ))
}

/// A route that sends to u0 and says this besides.
fn action(yaml: &str) -> Result<RouteTable, String> {
    route(&format!(
        "match: {{prefix: /}}, route: {{cluster: u0, {yaml}}}"
    ))
}

fn the_action(table: &RouteTable) -> &nuncio_route::RouteAction {
    match &table.virtual_hosts()[0].routes[0].action {
        Action::Route(action) => action,
        other => panic!("no route action: {other:?}"),
    }
}

// Envoy 1.40.0 refuses each of these in these words, or names the field by a constraint.
fn refused<const N: usize>(cases: [(Result<RouteTable, String>, &str); N]) {
    for (result, error) in cases {
        match result {
            Ok(table) => panic!("taken, but {error}: {table:?}"),
            Err(got) => assert!(got.contains(error), "{got}, not {error}"),
        }
    }
}

#[test]
fn refused_hosts_and_clusters() {
    let hosts = |yaml: &str| table(&format!("{{name: rc, virtual_hosts: {yaml}}}"));
    let weights = |yaml: &str| {
        route(&format!(
            "match: {{prefix: /}}, route: {{weighted_clusters: {{clusters: {yaml}}}}}"
        ))
    };
    refused([
        (
            hosts("[{name: a, domains: [x.test]}, {name: b, domains: [X.test]}]"),
            "Only unique values for domains are permitted. Duplicate entry of domain x.test in \
             route rc",
        ),
        (
            hosts("[{name: a, domains: ['*']}, {name: b, domains: ['*']}]"),
            "Only a single wildcard domain is permitted in route rc",
        ),
        (
            hosts("[{name: a, domains: ['*'], virtual_clusters: [{name: b}]}]"),
            "virtual clusters must define 'headers'",
        ),
        (hosts("[{name: a}]"), "domains"),
        (hosts("[{domains: ['*']}]"), "name"),
        (
            weights("[{name: u0, weight: 0}]"),
            "Sum of weights in the weighted_cluster must be greater than 0.",
        ),
        (weights("[{name: u0}]"), "Field 'weight' is missing in"),
        (
            weights("[{name: u0, weight: 4294967295}, {name: u1, weight: 1}]"),
            "The sum of weights of all weighted clusters of route  exceeds 4294967295",
        ),
        (
            weights("[{name: u0, cluster_header: x, weight: 1}]"),
            "Only one of name or cluster_header can be specified",
        ),
        (
            weights("[{weight: 1}]"),
            "At least one of name or cluster_header need to be specified",
        ),
        (
            weights("[{name: nope, weight: 1}]"),
            "route: unknown weighted cluster 'nope'",
        ),
        (
            route("match: {prefix: /}, route: {cluster: nope}"),
            "route: unknown cluster 'nope'",
        ),
        (
            action("request_mirror_policies: [{cluster: nope}]"),
            "route: unknown shadow cluster 'nope'",
        ),
        (
            action("request_mirror_policies: [{}]"),
            "Exactly one of cluster or cluster_header in request mirror policy need to be \
             specified",
        ),
        (
            action("request_mirror_policies: [{cluster: u0, cluster_header: a}]"),
            "Only one of cluster 'u0' or cluster_header 'a' in request mirror policy can be \
             specified",
        ),
    ]);
}

#[test]
fn refused_actions() {
    refused([
        (
            action("prefix_rewrite: /a, regex_rewrite: {pattern: {regex: a}, substitution: b}"),
            "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy",
        ),
        (
            action("path_rewrite: '%NOPE%'"),
            "Failed to create path rewrite formatter: INVALID_ARGUMENT: Not supported field in \
             StreamInfo: NOPE",
        ),
        (
            action("host_rewrite: '%NOPE%'"),
            "Failed to create host rewrite formatter: INVALID_ARGUMENT: Not supported field in \
             StreamInfo: NOPE",
        ),
        (
            action("upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: WebSocket}]"),
            "Duplicate upgrade WebSocket",
        ),
        (
            action("upgrade_configs: [{upgrade_type: websocket, connect_config: {}}]"),
            "Non-CONNECT upgrade type websocket has ConnectConfig",
        ),
        (
            action("retry_policy: {retry_back_off: {base_interval: 1s, max_interval: 0.5s}}"),
            "retry_policy.max_interval must greater than or equal to the base_interval",
        ),
        (
            action("retry_policy: {retry_priority: {name: x}}"),
            "Didn't find a registered implementation for 'x' with type URL: ''",
        ),
        (
            action("retry_policy: {retry_host_predicate: [{name: x}]}"),
            "Didn't find a registered implementation for 'x' with type URL: ''",
        ),
        (
            action("internal_redirect_policy: {response_headers_to_copy: [host]}"),
            ":-prefixed headers or Hosts may not be specified here.",
        ),
        (
            action(
                "hash_policy: [{header: {header_name: a, regex_rewrite: {pattern: {regex: (}}}}]",
            ),
            "missing ): (",
        ),
        (action("timeout: -1s"), "Expected positive duration"),
        (
            route("match: {prefix: /}, route: {cluster_specifier_plugin: p}"),
            "Unknown cluster specifier plugin name: p is used in the route",
        ),
    ]);
}

#[test]
fn refused_matches_headers_and_filters() {
    let to = "route: {cluster: u0}";
    refused([
        (
            route(&format!("match: {{safe_regex: {{regex: 'a(b'}}}}, {to}")),
            "missing ): a(b",
        ),
        (
            route(&format!("match: {{safe_regex: {{regex: '(?!a)b'}}}}, {to}")),
            "invalid perl operator: (?!",
        ),
        (
            route(&format!(
                "match: {{prefix: /, headers: [{{name: a, string_match: {{ignore_case: true, \
                 safe_regex: {{regex: a}}}}}}]}}, {to}"
            )),
            "ignore_case has no effect for safe_regex.",
        ),
        (
            route(&format!("match: {{path_separated_prefix: /a/}}, {to}")),
            "path_separated_prefix",
        ),
        (route("match: {prefix: /}"), "action"),
        (route(to), "match"),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, request_headers_to_add: \
                 [{{header: {{key: ':path', value: /}}}}]"
            )),
            ":-prefixed or host headers may not be modified",
        ),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, request_headers_to_remove: [Host]"
            )),
            ":-prefixed or host headers may not be removed",
        ),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, response_headers_to_add: \
                 [{{header: {{key: a, value: '50%'}}}}]"
            )),
            "Incorrect configuration: 50%. Couldn't find valid command at position 2",
        ),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, response_headers_to_add: \
                 [{{header: {{key: a}}, append: true, append_action: ADD_IF_ABSENT}}]"
            )),
            "Both append and append_action are set and it's not allowed",
        ),
        (
            route(&format!(
                "match: {{prefix: /, filter_state: [{{key: a, address_match: \
                 {{ranges: [{{address_prefix: bad, prefix_len: 3}}]}}}}]}}, {to}"
            )),
            "invalid ip/mask combo 'bad/3' (format is <ip>/<# mask bits>)",
        ),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, typed_per_filter_config: {{x: \
                 {{'@type': type.googleapis.com/google.protobuf.Duration, value: 1s}}}}"
            )),
            "Didn't find a registered implementation for 'x' with type URL: \
             'google.protobuf.Duration'",
        ),
        (
            route(&format!(
                "match: {{prefix: /}}, {to}, typed_per_filter_config: {{x: \
                 {{'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig}}}}"
            )),
            "Empty route/virtual host per filter configuration for x filter",
        ),
    ]);
}

#[test]
fn refused_direct_responses() {
    let direct = |yaml: &str| {
        route(&format!(
            "match: {{prefix: /}}, direct_response: {{{yaml}}}"
        ))
    };
    refused([
        (direct("status: 99"), "status"),
        (
            direct(&format!(
                "status: 200, body: {{inline_string: {}}}",
                "x".repeat(4097)
            )),
            "response body size is 4097 bytes; maximum is 4096",
        ),
        (
            direct("status: 200, body: {filename: /nonexist}"),
            "file /nonexist does not exist",
        ),
        (
            direct("status: 200, body: {environment_variable: NUNCIO_NOT_SET}"),
            "Environment variable doesn't exist: NUNCIO_NOT_SET",
        ),
    ]);
}

#[test]
fn what_is_not_built_is_refused_by_its_name() {
    let lua = "{'@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute}";
    for (result, name) in [
        (
            action(
                "rate_limits: [{actions: [{metadata: {descriptor_key: k, metadata_key: \
                    {key: a, path: [{key: b}]}, source: CLUSTER_LOCALITY_ENTRY}}]}]",
            ),
            "source",
        ),
        (
            action("upgrade_configs: [{upgrade_type: CONNECT-UDP, connect_config: {}}]"),
            "",
        ),
        (action("hedge_policy: {}"), ""),
        (
            action("hedge_policy: {hedge_on_per_try_timeout: true}"),
            "hedge_on_per_try_timeout",
        ),
        // No chain can have the filter that these would be for.
        (
            route(&format!(
                "match: {{prefix: /}}, route: {{cluster: u0}}, \
                 typed_per_filter_config: {{l: {lua}}}"
            )),
            "",
        ),
        (
            route(
                "match: {prefix: /}, route: {cluster: u0}, \
                 tracing: {custom_tags: [{tag: a, literal: {value: b}}]}",
            ),
            "",
        ),
        (table("{vhds: {config_source: {ads: {}}}}"), "vhds"),
    ] {
        match result {
            Ok(_) => assert_eq!(name, ""),
            Err(error) => assert!(!name.is_empty() && error.contains(name), "{error}"),
        }
    }
}

#[test]
fn all_errors_of_a_table_come_together() {
    let errors = table(
        "{virtual_hosts: [{name: v, domains: ['*'], routes: [\
         {match: {safe_regex: {regex: '('}}, route: {cluster: u0, timeout: -1s}}, \
         {match: {prefix: /}, redirect: {regex_rewrite: {pattern: {regex: '['}}}}]}]}",
    )
    .unwrap_err();
    for part in [
        "virtual_hosts[0].routes[0].match.safe_regex: missing ): (",
        "virtual_hosts[0].routes[0].route.timeout: ",
        "virtual_hosts[0].routes[1].redirect.regex_rewrite.pattern: missing ]: [",
    ] {
        assert!(errors.contains(part), "{errors}");
    }
}

#[test]
fn defaults_are_envoys() {
    let table = action("").unwrap();
    let action_of_none = the_action(&table);
    assert_eq!(action_of_none.timeout, Some(Duration::from_secs(15)));
    assert_eq!(action_of_none.cluster_not_found_response_code, 503);
    assert!(action_of_none.retry_policy.is_none());
    let route = &table.virtual_hosts()[0].routes[0];
    assert!(route.matcher.case_sensitive && route.stat_prefix.is_none());

    let table = action("timeout: 0s, retry_policy: {retry_on: '5xx,unavailable'}").unwrap();
    let retries = the_action(&table).retry_policy.clone().unwrap();
    assert_eq!(the_action(&table).timeout, None);
    assert_eq!(
        (retries.num_retries, retries.host_selection_max_attempts),
        (1, 1)
    );
    assert!(retries.retry_on.has(RetryOn::FIVE_XX));
    assert!(retries.retry_on.has(RetryOn::GRPC_UNAVAILABLE));
}

#[test]
fn fields_arrive() {
    let table = action(
        "prefix_rewrite: /x, host_rewrite_header: Host, idle_timeout: 2s, priority: HIGH, \
         cluster_not_found_response_code: NOT_FOUND, append_x_forwarded_host: true, \
         metadata_match: {filter_metadata: {envoy.lb: {a: [1, {b: null}]}}}, \
         max_stream_duration: {grpc_timeout_header_max: 0s}, \
         upgrade_configs: [{upgrade_type: CONNECT}], \
         hash_policy: [{cookie: {name: c, ttl: 0s}}, {connection_properties: {}}], \
         retry_policy: {num_retries: 3, retry_back_off: {base_interval: 0.0000001s}, \
         retry_host_predicate: [{name: x, typed_config: {'@type': type.googleapis.com/\
         envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}",
    )
    .unwrap();
    let action = the_action(&table);
    assert!(matches!(&action.path_rewrite, PathRewrite::Prefix(prefix) if **prefix == *b"/x"));
    assert!(
        matches!(&action.host_rewrite, HostRewrite::Header(name) if name.as_str() == ":authority")
    );
    assert_eq!(action.idle_timeout, Some(Duration::from_secs(2)));
    assert_eq!(action.cluster_not_found_response_code, 404);
    assert_eq!(action.priority, nuncio_route::Priority::High);
    assert!(action.metadata_match.as_ref().unwrap().contains_key("a"));
    let stream = action.max_stream_duration.unwrap();
    assert_eq!(
        (stream.max, stream.grpc_timeout_header_max),
        (None, Some(Duration::ZERO))
    );
    assert!(action.upgrade(b"connect").unwrap().connect.is_none());
    assert_eq!(action.hash_policies.len(), 2);
    let retries = action.retry_policy.as_ref().unwrap();
    let back_off = retries.back_off.unwrap();
    assert_eq!(back_off.base_interval, Duration::from_millis(1));
    assert_eq!(back_off.max_interval, Duration::from_millis(10));
    assert_eq!(retries.host_predicates.len(), 1);
    assert!(matches!(&action.cluster, ClusterTarget::Name(name) if &**name == "u0"));
}

#[test]
fn what_envoy_takes_is_taken() {
    for yaml in [
        "match: {prefix: /}, redirect: {}",
        "match: {prefix: /}, non_forwarding_action: {}",
        "match: {prefix: '/a?b'}, route: {cluster: u0}",
        "match: {connect_matcher: {}}, route: {cluster: u0, prefix_rewrite: /}",
        "match: {prefix: /, headers: [{name: a, range_match: {start: 5, end: 1}}]}, \
         route: {cluster: u0}",
        "match: {prefix: /}, route: {cluster: u0, regex_rewrite: {pattern: {regex: a}, \
         substitution: '\\1'}}",
        "match: {prefix: /}, route: {cluster: u0, retry_policy: {retry_on: nonsense}}",
        "match: {prefix: /}, route: {cluster_header: ':path'}",
        "match: {prefix: /}, route: {cluster: u0, retry_policy: \
         {host_selection_retry_max_attempts: -5}}",
        "match: {prefix: /}, direct_response: {status: 200, body: {filename: /tmp}}",
        "match: {prefix: /}, route: {cluster: u0}, typed_per_filter_config: {x: {'@type': \
         type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}",
        "match: {prefix: /}, route: {cluster: u0}, typed_per_filter_config: {x: {'@type': \
         type.googleapis.com/envoy.config.route.v3.FilterConfig, is_optional: true, config: \
         {'@type': type.googleapis.com/google.protobuf.Duration, value: 1s}}}",
        "match: {prefix: /}, route: {cluster: u0}, request_headers_to_add: [{header: {key: a, \
         raw_value: Yg==}}]",
        "match: {prefix: /}, route: {weighted_clusters: {total_weight: 100, header_name: '', \
         clusters: [{name: u0, weight: 10}]}}",
    ] {
        if let Err(error) = route(yaml) {
            panic!("{yaml}: {error}");
        }
    }
}
