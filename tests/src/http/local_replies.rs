//! What the connection manager makes of local replies, and what it logs while streams last.

use crate::harness::{Config, Reply, Upstream, direct, route};
use serde_json::{Value, json};
use std::time::Duration;

fn has_header(name: &str) -> Value {
    json!({"header_filter": {"header": {"name": name, "present_match": true}}})
}

fn status_is(status: u16) -> Value {
    let value = json!({"default_value": status, "runtime_key": "no.such.key"});
    json!({"status_code_filter": {"comparison": {"op": "EQ", "value": value}}})
}

#[test]
fn mappers_and_formats() {
    let upstream = Upstream::http(|_| Reply::new(404, "", "upstream's own"));
    let added = json!({"header": {"key": "x-mapped", "value": "%REQ(:path)% was %RESPONSE_CODE%"}});
    let json_format = json!({"code": "%RESPONSE_CODE%", "body": "%LOCAL_REPLY_BODY%"});
    let mappers = json!([
        {"filter": status_is(404), "status_code": 410, "body": {"inline_string": "gone"},
         "headers_to_add": [added]},
        {"filter": has_header("x-json"), "body_format_override": {"json_format": json_format}},
        {"filter": has_header("x-empty"), "body": {"inline_string": ""},
         "body_format_override": {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}}},
    ]);
    let format = "%LOCAL_REPLY_BODY%:%RESPONSE_CODE%";
    let config = json!({
        "mappers": mappers,
        "body_format": {"text_format_source": {"inline_string": format}},
    });
    let proxy = Config::http(&[
        route("/up", "up"),
        direct("/direct", 200, "hello"),
        direct("/other", 404, "hello"),
    ])
    .manager(json!({"local_reply_config": config}))
    .cluster("up", &[upstream.address()])
    .start();
    let text = Some("text/plain");
    for (path, headers, status, body, content_type) in [
        ("/up", "", 404, "upstream's own", None),
        ("/direct", "", 200, "hello:200", text),
        ("/other", "", 410, "gone:410", text),
        ("/none", "", 410, "gone:410", text),
        (
            "/direct",
            "x-json: 1\r\n",
            200,
            "{\"body\":\"hello\",\"code\":200}\n",
            Some("application/json"),
        ),
        ("/direct", "x-empty: 1\r\n", 200, "", None),
    ] {
        let response = proxy.connect().request("GET", path, headers, "");
        assert_eq!(response.brief(), (status, body.to_owned()), "{path}");
        assert_eq!(response.header("content-type"), content_type, "{path}");
    }
    let response = proxy.get("/none");
    assert_eq!(response.header("x-mapped"), Some("/none was 404"));
    let grpc = "content-type: application/grpc\r\n";
    let response = proxy.connect().request("POST", "/none", grpc, "");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("grpc-status"), Some("2"));
    assert_eq!(response.header("grpc-message"), Some("gone:410"));
}

#[test]
fn lines_while_streams_last() {
    let upstream = Upstream::http(|_| Reply::ok("late").after(Duration::from_millis(700)));
    let options = json!({
        "flush_access_log_on_new_request": true,
        "access_log_flush_interval": "0.4s",
    });
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"access_log_options": options}))
        .access_log("%ACCESS_LOG_TYPE% %RESPONSE_CODE% %UPSTREAM_CLUSTER%")
        .cluster("up", &[upstream.address()])
        .start();
    assert_eq!(proxy.get("/").text(), "late");
    assert_eq!(
        proxy.access_log(3),
        [
            "DownstreamStart 0 up",
            "DownstreamPeriodic 0 up",
            "DownstreamEnd 200 up",
        ]
    );
}

#[test]
fn headers_are_changed_before_anything_looks_at_them() {
    let extension = json!({
        "name": "early",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation\
                      .header_mutation.v3.HeaderMutation",
            "mutations": [
                {"append": {"header": {"key": "x-route", "value": "%REQ(x-asked)%"},
                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
                {"remove": "x-asked"},
            ],
        },
    });
    let mut chosen = direct("/", 200, "chosen");
    let header = json!({"name": "x-route", "string_match": {"exact": "it"}});
    chosen["match"]["headers"] = json!([header]);
    let proxy = Config::http(&[chosen, direct("/", 200, "other")])
        .manager(json!({"early_header_mutation_extensions": [extension]}))
        .start();
    for (headers, body) in [
        ("x-asked: it\r\n", "chosen"),
        ("x-route: it\r\nx-asked: no\r\n", "other"),
        ("", "other"),
    ] {
        let response = proxy.connect().request("GET", "/", headers, "");
        assert_eq!(response.text(), body, "{headers}");
    }
}
