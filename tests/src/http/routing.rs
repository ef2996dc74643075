//! Which route a request takes, and what becomes of it.

use crate::harness::{Config, Upstream, direct, route};
use serde_json::json;

#[test]
fn the_first_route_that_matches_is_taken() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let exact = json!({"match": {"path": "/exact"}, "route": {"cluster": "two"}});
    let regex = json!({
        "match": {"safe_regex": {"regex": "/[a-z]+\\.png"}},
        "direct_response": {"status": 418},
    });
    let redirect = json!({"match": {"prefix": "/old"}, "redirect": {"prefix_rewrite": "/new"}});
    let header = json!({
        "match": {
            "prefix": "/",
            "headers": [{"name": "x-two", "string_match": {"exact": "yes"}}],
        },
        "route": {"cluster": "two"},
    });
    let proxy = Config::http(&[
        direct("/direct", 203, "directly"),
        exact,
        regex,
        redirect,
        header,
        route("/one", "one"),
    ])
    .cluster("one", &[one.address()])
    .cluster("two", &[two.address()])
    .start();
    let mut connection = proxy.connect();
    for (path, headers, expected) in [
        ("/direct", "", (203, "directly")),
        ("/direct/below?a=b", "", (203, "directly")),
        ("/exact", "", (200, "two")),
        ("/exact?a=b", "", (200, "two")),
        ("/exactly", "", (404, "")),
        ("/a.png", "", (418, "")),
        ("/a.png/b", "", (404, "")),
        ("/old/x", "", (301, "")),
        ("/one/x", "", (200, "one")),
        ("/one/x", "x-two: yes\r\n", (200, "two")),
        ("/one/x", "x-two: no\r\n", (200, "one")),
        ("/One", "", (404, "")),
    ] {
        let response = connection.request("GET", path, headers, "");
        assert_eq!(
            response.brief(),
            (expected.0, expected.1.to_owned()),
            "{path} {headers}"
        );
        if path == "/old/x" {
            assert_eq!(response.header("location"), Some("http://a.test/new/x"));
        }
    }
}

#[test]
fn virtual_hosts_are_found_by_their_domains() {
    let host = |name: &str, domains: &[&str]| json!({"name": name, "domains": domains, "routes": [direct("/", 200, name)]});
    let hosts = json!([
        host("exact", &["a.test", "a.test:81"]),
        host("suffix", &["*.b.test", "*-c.test"]),
        host("longer suffix", &["*.x.b.test"]),
        host("prefix", &["d.*"]),
    ]);
    let fields = json!({"route_config": {"virtual_hosts": hosts}});
    let proxy = Config::http(&[]).manager(fields).start();
    let mut connection = proxy.connect();
    for (host, expected) in [
        ("a.test", (200, "exact")),
        ("A.Test", (200, "exact")),
        ("a.test:81", (200, "exact")),
        ("a.test:82", (404, "")),
        ("y.b.test", (200, "suffix")),
        ("b.test", (404, "")),
        ("y.x.b.test", (200, "longer suffix")),
        ("y-c.test", (200, "suffix")),
        ("d.test", (200, "prefix")),
        ("d.", (404, "")),
        ("e.test", (404, "")),
    ] {
        let response = connection.request("GET", "/", &format!("host: {host}\r\n"), "");
        assert_eq!(
            response.brief(),
            (expected.0, expected.1.to_owned()),
            "{host}"
        );
    }
}

#[test]
fn requests_reach_the_upstream_as_the_route_rewrites_them() {
    let upstream = Upstream::ok("");
    let rewrite = json!({
        "match": {"prefix": "/api/"},
        "route": {"cluster": "up", "prefix_rewrite": "/v1/", "host_rewrite_literal": "up.test"},
        "request_headers_to_add": [{"header": {"key": "x-added", "value": "%PROTOCOL%"}}],
        "request_headers_to_remove": ["x-gone"],
        "response_headers_to_add": [{"header": {"key": "x-route", "value": "api"}}],
    });
    let proxy = Config::http(&[rewrite])
        .cluster("up", &[upstream.address()])
        .start();
    let response = proxy
        .connect()
        .request("GET", "/api/x?y", "x-gone: 1\r\nX-Kept: 1\r\n", "");
    assert_eq!(response.header("x-route"), Some("api"));
    let request = upstream.requests()[0].clone();
    assert_eq!(request.path, "/v1/x?y");
    let headers = ["host", "x-added", "x-gone", "x-kept"].map(|name| request.header(name));
    assert_eq!(
        headers,
        [Some("up.test"), Some("HTTP/1.1"), None, Some("1")]
    );
    assert_eq!(request.header("x-envoy-original-path"), Some("/api/x?y"));
    assert_eq!(request.header("x-forwarded-proto"), Some("http"));
    assert!(
        request
            .header("x-request-id")
            .is_some_and(|id| id.len() == 36)
    );
}

#[test]
fn weighted_clusters_share_the_requests() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let clusters = json!([{"name": "one", "weight": 1}, {"name": "two", "weight": 3}]);
    let action = json!({"weighted_clusters": {"clusters": clusters}});
    let proxy = Config::http(&[json!({"match": {"prefix": "/"}, "route": action})])
        .cluster("one", &[one.address()])
        .cluster("two", &[two.address()])
        .start();
    let mut connection = proxy.connect();
    let first = (0..400)
        .filter(|_| connection.get("/").text() == "one")
        .count();
    // 100 expected; ten standard deviations to either side.
    assert!((14..186).contains(&first), "{first} of 400");
}

#[test]
fn a_route_changes_the_replies_made_here_for_its_requests() {
    let mut refused = route("/one", "none");
    refused["response_headers_to_add"] =
        json!([{"header": {"key": "x-why", "value": "%RESPONSE_CODE_DETAILS%"}}]);
    let proxy = Config::http(&[refused]).cluster("none", &[]).start();
    let response = proxy.get("/one");
    assert_eq!(response.status, 503);
    assert_eq!(response.header("x-why"), Some("no_healthy_upstream"));
    assert_eq!(proxy.get("/two").header("x-why"), None);
}
