//! Requests through filters that let them pass or answer themselves.

use crate::harness::{Config, Proxy, Reply, Upstream, direct, http_filter};
use serde_json::{Value, json};

/// A filter in front of a direct response.
fn proxy(name: &str, message: &str, fields: Value) -> Proxy {
    Config::http(&[direct("/", 200, "in")])
        .http_filters(&[http_filter(name, message, fields)])
        .access_log("%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%")
        .start()
}

/// Sends requests of `(method, path, headers, body)` and holds the log against `expected`.
fn check(proxy: &Proxy, requests: &[([&str; 4], &str)]) {
    for ([method, path, headers, body], _) in requests {
        proxy.connect().request(method, path, headers, body);
    }
    let expected: Vec<_> = requests.iter().map(|(_, line)| *line).collect();
    assert_eq!(proxy.access_log(requests.len()), expected);
}

#[test]
fn csrf() {
    let share = json!({"default_value": {"numerator": 100}});
    let proxy = proxy(
        "csrf",
        "csrf.v3.CsrfPolicy",
        json!({"filter_enabled": share}),
    );
    let requests = [
        (["GET", "/", "", ""], "200 direct_response"),
        (["POST", "/", "", ""], "403 csrf_origin_mismatch"),
        (
            ["POST", "/", "origin: http://a.test\r\n", "x"],
            "200 direct_response",
        ),
        (
            ["PUT", "/", "origin: http://b.test\r\n", "x"],
            "403 csrf_origin_mismatch",
        ),
    ];
    check(&proxy, &requests);
}

#[test]
fn basic_auth() {
    let users = json!({"inline_string": "user1:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw="});
    let proxy = proxy(
        "basic_auth",
        "basic_auth.v3.BasicAuth",
        json!({"users": users}),
    );
    let good = "authorization: Basic dXNlcjE6dGVzdDE=\r\n";
    let bad = "authorization: Basic dXNlcjE6d3Jvbmc=\r\n";
    let requests = [
        (["GET", "/", "", ""], "401 no_credential_for_basic_auth"),
        (["GET", "/", good, ""], "200 direct_response"),
        (
            ["GET", "/", bad, ""],
            "401 invalid_credential_for_basic_auth",
        ),
    ];
    check(&proxy, &requests);
}

#[test]
fn api_key_auth() {
    let fields = json!({
        "credentials": [{"key": "k", "client": "c"}],
        "key_sources": [{"header": "x-key"}, {"query": "key"}],
    });
    let proxy = proxy("api_key_auth", "api_key_auth.v3.ApiKeyAuth", fields);
    let requests = [
        (["GET", "/", "", ""], "401 missing_api_key"),
        (["GET", "/?key=k", "", ""], "200 direct_response"),
        (["GET", "/", "x-key: z\r\n", ""], "401 unknown_api_key"),
    ];
    check(&proxy, &requests);
}

#[test]
fn cdn_loop() {
    let proxy = proxy(
        "cdn_loop",
        "cdn_loop.v3.CdnLoopConfig",
        json!({"cdn_id": "me"}),
    );
    let requests = [
        (
            ["GET", "/", "cdn-loop: other\r\n", ""],
            "200 direct_response",
        ),
        (
            ["GET", "/", "cdn-loop: me\r\n", ""],
            "502 cdn_loop_detected",
        ),
        (
            ["GET", "/", "cdn-loop: a b\r\n", ""],
            "400 invalid_cdn_loop_header",
        ),
    ];
    check(&proxy, &requests);
}

#[test]
fn body_size_limit() {
    let fields = json!({"max_request_bytes": 3});
    let proxy = proxy(
        "body_size_limit",
        "body_size_limit.v3.BodySizeLimit",
        fields,
    );
    let requests = [
        (["POST", "/", "", "abc"], "200 direct_response"),
        (["POST", "/", "", "abcd"], "413 request_payload_too_large"),
    ];
    check(&proxy, &requests);
}

#[test]
fn metadata_and_filter_state() {
    let format = json!({"text_format_source": {"inline_string": "%REQ(x-who)%"}});
    let object = json!({"object_key": "envoy.string", "format_string": format});
    let value = json!({"metadata_namespace": "ns", "value": {"a": {"b": "c"}}});
    let proxy = Config::http(&[direct("/", 200, "in")])
        .http_filters(&[
            http_filter(
                "set_metadata",
                "set_metadata.v3.Config",
                json!({"metadata": [value]}),
            ),
            http_filter(
                "set_filter_state",
                "set_filter_state.v3.Config",
                json!({"on_request_headers": [object]}),
            ),
        ])
        .access_log("%DYNAMIC_METADATA(ns:a:b)% %FILTER_STATE(envoy.string:PLAIN)%")
        .start();
    proxy.connect().request("GET", "/", "x-who: ann\r\n", "");
    assert_eq!(proxy.access_log(1), ["c ann"]);
}

#[test]
fn local_ratelimit() {
    let all = json!({"default_value": {"numerator": 100}});
    let fields = json!({
        "stat_prefix": "p",
        "token_bucket": {"max_tokens": 1, "fill_interval": "600s"},
        "filter_enabled": all,
        "filter_enforced": all,
    });
    let proxy = proxy(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        fields,
    );
    let requests = [
        (["GET", "/", "", ""], "200 direct_response"),
        (["GET", "/", "", ""], "429 local_rate_limited"),
    ];
    check(&proxy, &requests);
    assert_eq!(proxy.stat("p.http_local_rate_limit.rate_limited"), 1);
}

#[test]
fn a_shadow_of_ext_authz_decides_nothing() {
    let service = Upstream::http(|request| match request.path.as_str() {
        "/denied" => Reply::new(403, "x-why: no\r\n", "no"),
        "/error" => Reply::new(500, "", ""),
        _ => Reply::ok(""),
    });
    let uri = json!({"uri": "http://service", "cluster": "service", "timeout": "5s"});
    let fields = json!({"shadow_mode": true, "http_service": {"server_uri": uri}});
    let state = |form: &str| format!("%FILTER_STATE(envoy.filters.http.ext_authz.shadow:{form})%");
    let forms = ["TYPED", "FIELD:check_result", "FIELD:status_code"].map(state);
    let proxy = Config::http(&[direct("/", 200, "in")])
        .cluster("service", &[service.address()])
        .http_filters(&[http_filter("ext_authz", "ext_authz.v3.ExtAuthz", fields)])
        .access_log(&forms.join(" "))
        .start();
    for path in ["/ok", "/error", "/denied"] {
        assert_eq!(proxy.get(path).brief(), (200, "in".to_owned()), "{path}");
    }
    let lines = proxy.access_log(3);
    let consent = r#"{"checkResult":"OK","statusCode":200} OK 200"#;
    let error = r#"{"checkResult":"ERROR","statusCode":403} ERROR 403"#;
    assert_eq!(lines[..2], [consent, error]);
    let head = r#"{"checkResult":"DENIED","#;
    let header = r#"{"key":"x-why","value":"no"}"#;
    let denial = &lines[2];
    assert!(
        denial.starts_with(head) && denial.contains(header),
        "{denial}"
    );
    assert!(denial.ends_with(" DENIED 403"), "{denial}");
    assert_eq!(proxy.stat("http.http.ext_authz.shadow_denied"), 1);
}
