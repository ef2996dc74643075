//! Cross-origin requests through a chain with the filter.

use super::Cors;
use crate::testing::{Outcome, Script, route_errors};
use nuncio_base::runtime_flags::FlagValue;

fn host(policy: &str, routes: &str) -> String {
    format!(
        "typed_per_filter_config: {{envoy.filters.http.cors: {{
           '@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy,
           {policy}}}}},
         routes: [{routes}{{match: {{prefix: /}}, route: {{cluster: c}}}}]"
    )
}

fn route(prefix: &str, policy: &str) -> String {
    format!(
        "{{match: {{prefix: {prefix}}}, route: {{cluster: c}}, typed_per_filter_config: {{
           envoy.filters.http.cors: {{
             '@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy,
             {policy}}}}}}},"
    )
}

const FULL: &str = "allow_origin_string_match: [{exact: 'https://a'}, {suffix: .b}],
    allow_methods: 'GET,POST', allow_headers: 'x-1', expose_headers: x-e, max_age: '60',
    allow_credentials: true";

const PREFLIGHT: &[(&str, &str)] = &[
    (":method", "OPTIONS"),
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "x-h"),
    ("access-control-request-private-network", "true"),
];

fn run(routes: &str, path: &str, request: &[(&str, &str)], origin: &str) -> Outcome {
    Script::new()
        .filter(&Cors, "{}")
        .routes(routes)
        .request(request)
        .request(&[(":path", path), ("origin", origin)])
        .run()
}

#[test]
fn preflights_are_answered() {
    let routes = host(
        FULL,
        &[
            route(
                "/star",
                "allow_methods: '*', allow_headers: '*', allow_credentials: false",
            ),
            route("/pna", "allow_private_network_access: true"),
            route(
                "/keep",
                "allow_origin_string_match: [{exact: none}], \
                 forward_not_matching_preflights: false",
            ),
        ]
        .concat(),
    );
    let full = ":status=200 access-control-allow-origin=https://a \
                access-control-allow-credentials=true access-control-allow-methods=GET,POST \
                access-control-allow-headers=x-1 access-control-max-age=60";
    for (path, origin, expected) in [
        (
            "/",
            "https://a",
            format!("{full} access-control-expose-headers=x-e"),
        ),
        (
            "/star",
            "https://a",
            ":status=200 access-control-allow-origin=https://a access-control-allow-methods=PUT \
             access-control-allow-headers=x-h access-control-max-age=60 \
             access-control-expose-headers=x-e"
                .to_owned(),
        ),
        (
            "/pna",
            "https://a",
            format!(
                "{full} access-control-allow-private-network=true \
                 access-control-expose-headers=x-e"
            ),
        ),
        (
            "/keep",
            "https://a",
            ":status=200 access-control-allow-credentials=true \
             access-control-allow-methods=GET,POST access-control-allow-headers=x-1 \
             access-control-max-age=60"
                .to_owned(),
        ),
    ] {
        let outcome = run(&routes, path, PREFLIGHT, origin);
        assert_eq!(outcome.downstream, expected, "{path}");
        assert_eq!(outcome.details, "cors_response");
        assert_eq!(outcome.upstream, "");
    }
    let outcome = run(&routes, "/", PREFLIGHT, "https://evil");
    assert_eq!(outcome.downstream, ":status=200");
    assert_ne!(outcome.upstream, "");
    assert_eq!(outcome.stat("http.test.cors.origin_invalid"), 1);
}

#[test]
fn responses_to_allowed_origins_get_headers() {
    let routes = host(FULL, "");
    let added = " access-control-allow-credentials=true access-control-expose-headers=x-e";
    for (origin, expected, valid) in [
        (
            "http://x.b",
            format!(":status=200 access-control-allow-origin=http://x.b{added}"),
            1,
        ),
        (
            "http://evil",
            ":status=200 access-control-allow-origin=peer".to_owned(),
            0,
        ),
        (
            "",
            ":status=200 access-control-allow-origin=peer".to_owned(),
            0,
        ),
    ] {
        let outcome = Script::new()
            .filter(&Cors, "{}")
            .routes(&routes)
            .request(&[("origin", origin)])
            .answer(
                &[(":status", "200"), ("access-control-allow-origin", "peer")],
                &[],
            )
            .run();
        assert_eq!(outcome.downstream, expected);
        assert_eq!(outcome.stat("http.test.cors.origin_valid"), valid);
        let invalid = u64::from(valid == 0 && !origin.is_empty());
        assert_eq!(outcome.stat("http.test.cors.origin_invalid"), invalid);
    }
}

#[test]
fn a_policy_may_be_off_or_only_count() {
    let off = "filter_enabled: {default_value: {numerator: 0}, runtime_key: cors.on}";
    let shadow = "shadow_enabled: {default_value: {numerator: 100}}";
    for (policy, flag, expected, counted) in [
        (FULL.to_owned(), 0.0, true, 1),
        (format!("{FULL}, {off}"), 0.0, false, 0),
        (format!("{FULL}, {off}"), 100.0, true, 1),
        (format!("{FULL}, {off}, {shadow}"), 0.0, false, 1),
        (format!("{FULL}, {shadow}"), 0.0, true, 1),
    ] {
        let outcome = Script::new()
            .filter(&Cors, "{}")
            .routes(&host(&policy, ""))
            .request(&[("origin", "https://a")])
            .flag("cors.on", FlagValue::Number(flag))
            .run();
        assert_eq!(
            outcome.downstream.contains("allow-origin"),
            expected,
            "{policy}"
        );
        assert_eq!(outcome.stat("http.test.cors.origin_valid"), counted);
    }
}

#[test]
fn the_old_place_counts_where_the_new_one_is_silent() {
    let old = "cors: {allow_origin_string_match: [{exact: 'https://a'}], allow_credentials: true},
        routes: [
          {match: {prefix: /own}, route: {cluster: c, cors: {allow_credentials: false}}},
          {match: {prefix: /direct}, direct_response: {status: 200}},
          {match: {prefix: /}, route: {cluster: c}}]";
    for (path, expected) in [
        (
            "/",
            ":status=200 access-control-allow-origin=https://a \
             access-control-allow-credentials=true",
        ),
        ("/own", ":status=200 access-control-allow-origin=https://a"),
        ("/direct", ":status=200"),
    ] {
        assert_eq!(run(old, path, &[], "https://a").downstream, expected);
    }
}

#[test]
fn any_origin() {
    for origins in ["[{exact: '*'}]", "[{safe_regex: {regex: '.*'}}]"] {
        let routes = host(&format!("allow_origin_string_match: {origins}"), "");
        let outcome = run(&routes, "/", &[], "null");
        assert_eq!(
            outcome.downstream,
            ":status=200 access-control-allow-origin=null"
        );
    }
    let bad = "allow_origin_string_match: [{safe_regex: {regex: '('}}]";
    assert!(route_errors(&Cors, bad).contains("missing"));
}
