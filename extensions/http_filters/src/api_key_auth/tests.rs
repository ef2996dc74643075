//! Whole requests through a chain with the filter; what its configuration refuses.

use super::ApiKeyAuth;
use crate::testing::{Script, errors};

const CONFIG: &str = "
  credentials: [{key: k-one, client: one}, {key: k-two, client: two}]
  key_sources: [{header: authorization}, {header: x-key}, {query: key}, {cookie: ck}]
  forwarding: {header: x-client, hide_credentials: true}";

const ROUTES: &str = "
  routes: [
    {match: {prefix: /one}, route: {cluster: c}, typed_per_filter_config: {
      envoy.filters.http.api_key_auth: {
        '@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute,
        allowed_clients: [one]}}},
    {match: {prefix: /}, route: {cluster: c}}]";

#[test]
fn keys_and_what_the_upstream_sees() {
    for (fields, expected) in [
        (&[][..], Err("missing_api_key")),
        (
            &[("authorization", "Bearer k-one")],
            Ok(":path=/ x-client=one"),
        ),
        (&[("authorization", "k-one")], Ok(":path=/ x-client=one")),
        (&[("x-key", "k-two")], Ok(":path=/ x-client=two")),
        (&[("x-key", "k-tw")], Err("unknown_api_key")),
        (
            &[("x-key", "no"), ("cookie", "ck=k-two")],
            Err("unknown_api_key"),
        ),
        (
            &[(":path", "/?a=1&key=k-one&b")],
            Ok(":path=/?a=1&b x-client=one"),
        ),
        (&[(":path", "/?key=k-one")], Ok(":path=/ x-client=one")),
        (
            &[("cookie", "z=1; ck=k-two; y")],
            Ok(":path=/ cookie=z=1; y x-client=two"),
        ),
        (&[("cookie", "ck=k-two")], Ok(":path=/ x-client=two")),
        (
            &[(":path", "/one"), ("x-key", "k-two")],
            Err("client_not_allowed"),
        ),
        (
            &[(":path", "/one"), ("x-key", "k-one")],
            Ok(":path=/one x-key=k-one"),
        ),
    ] {
        let script = Script::new().filter(&ApiKeyAuth, CONFIG).routes(ROUTES);
        let outcome = script.request(fields).run();
        match expected {
            Ok(seen) => {
                let at = outcome.upstream.find(":path").expect("it came");
                assert_eq!(&outcome.upstream[at..], seen, "{fields:?}");
            }
            Err(details) => assert_eq!(outcome.details, details, "{fields:?}"),
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (yaml, expected) in [
        (
            "credentials: [{key: k, client: a}, {key: k, client: b}]",
            "Duplicated credential key: 'k'",
        ),
        (
            "key_sources: [{}]",
            "One of 'header'/'query'/'cookie' must be set.",
        ),
    ] {
        let errors = errors(&ApiKeyAuth, yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
}
