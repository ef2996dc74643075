//! Redirects of upstreams that are followed inside.

use crate::harness::{Config, Reply, Request, Upstream, route};
use serde_json::{Value, json};

const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions.internal_redirect";

fn redirecting(name: &str, policy: Value) -> Value {
    let mut route = route(&format!("/{name}"), "up");
    route["name"] = name.into();
    route["route"]["internal_redirect_policy"] = policy;
    route
}

fn predicate(message: &str, mut fields: Value) -> Value {
    fields["@type"] = format!("{EXTENSIONS}.{message}").into();
    json!([{"name": "predicate", "typed_config": fields}])
}

/// Redirects what has `x-status` to `x-to`; where it was redirected to, only if that is the same.
fn answer(request: &Request) -> Reply {
    let to = request.header("x-to").unwrap_or_default();
    let arrived = to.ends_with(&request.path);
    match request.header("x-status") {
        Some(status) if !arrived => {
            let location = format!("location: {to}\r\n");
            Reply::new(status.parse().unwrap(), &location, "elsewhere")
        }
        _ => Reply::ok(&format!(
            "{} {}",
            request.method,
            String::from_utf8_lossy(&request.body)
        )),
    }
}

#[test]
fn requests_begin_anew_with_their_bodies() {
    let upstream = Upstream::http(answer);
    let policy = json!({"redirect_response_codes": [302, 303, 307]});
    let proxy = Config::http(&[redirecting("any", policy), route("/next", "up")])
        .access_log("%REQ(:path)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED%")
        .cluster("up", &[upstream.address()])
        .start();
    for (method, status, body, expected) in [
        ("GET", 302, "", (200, "GET ")),
        ("POST", 307, "hello", (200, "POST hello")),
        ("POST", 303, "hello", (200, "GET ")),
        // Not one of the route's codes.
        ("GET", 301, "", (301, "elsewhere")),
    ] {
        let headers = format!("x-status: {status}\r\nx-to: http://b.test/next\r\n");
        let response = proxy.connect().request(method, "/any", &headers, body);
        let expected = (expected.0, expected.1.to_owned());
        assert_eq!(response.brief(), expected, "{method} {status}");
    }
    assert_eq!(
        proxy.access_log(7),
        [
            "/next 302 internal_redirect 0",
            "/next 200 via_upstream 0",
            "/next 307 internal_redirect 5",
            "/next 200 via_upstream 10",
            "/next 303 internal_redirect 5",
            "/next 200 via_upstream 5",
            "/any 301 via_upstream 0",
        ]
    );
    let second = &upstream.requests()[1];
    assert_eq!(second.header("host"), Some("b.test"));
    let original = second.header("x-envoy-original-url");
    assert_eq!(original, Some("http://a.test/any"));
    assert_eq!(proxy.stat("http.http.downstream_rq_completed"), 4);
    assert_eq!(proxy.stat("http.http.downstream_rq_total"), 7);
    let followed = "cluster.up.upstream_internal_redirect_succeeded_total";
    assert_eq!(proxy.stat(followed), 3);
}

#[test]
fn predicates_and_limits_are_asked() {
    let upstream = Upstream::http(answer);
    let listed = json!({"allowed_route_names": ["next"]});
    let listed = predicate("allow_listed_routes.v3.AllowListedRoutesConfig", listed);
    let previous = predicate("previous_routes.v3.PreviousRoutesConfig", json!({}));
    let safe = predicate("safe_cross_scheme.v3.SafeCrossSchemeConfig", json!({}));
    let mut next = route("/next", "up");
    next["name"] = "next".into();
    let proxy = Config::http(&[
        redirecting("listed", json!({"predicates": listed})),
        redirecting(
            "previous",
            json!({"predicates": previous, "max_internal_redirects": 5}),
        ),
        redirecting(
            "safe",
            json!({"predicates": safe, "allow_cross_scheme_redirect": true}),
        ),
        redirecting("once", json!({})),
        next,
    ])
    .cluster("up", &[upstream.address()])
    .start();
    for (path, to, status) in [
        ("/listed", "http://b.test/next", 200),
        ("/listed", "http://b.test/once", 302),
        ("/previous", "http://b.test/next", 200),
        // The second time: the upstream knows another end of the path than this.
        ("/previous", "http://b.test/previous#x", 302),
        ("/safe", "https://b.test/next", 302),
        ("/once", "https://b.test/next", 302),
        ("/once", "http://b.test/nowhere", 302),
        ("/once", "/next", 302),
        ("/once", "http://b.test/once#x", 302),
    ] {
        let headers = format!("x-status: 302\r\nx-to: {to}\r\n");
        let response = proxy.connect().request("GET", path, &headers, "");
        assert_eq!(response.status, status, "{path} {to}");
    }
    for (name, value) in [
        ("predicate", 3),
        ("unsafe_scheme", 1),
        ("no_route", 1),
        ("bad_location", 1),
        ("too_many_redirects", 1),
    ] {
        let stat = format!("http.http.passthrough_internal_redirect_{name}");
        assert_eq!(proxy.stat(&stat), value, "{name}");
    }
}
