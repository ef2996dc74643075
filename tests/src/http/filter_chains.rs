//! Chains besides the usual one: those of upgrades, and those towards hosts.

use crate::harness::{Config, Upstream, http_filter, route};
use serde_json::{Value, json};

const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";

/// A chain that adds a header to requests.
fn adding(header: &str, terminal: &str) -> Value {
    let added = json!({"append": {"header": {"key": header, "value": "yes"}}});
    let (name, message) = terminal.split_once(' ').unwrap();
    json!([
        {"name": "add", "typed_config": {
            "@type": format!("{FILTERS}.header_mutation.v3.HeaderMutation"),
            "mutations": {"request_mutations": [added]},
        }},
        {"name": name, "typed_config": {"@type": format!("{FILTERS}.{message}")}},
    ])
}

#[test]
fn upgrades_may_have_filters_of_their_own() {
    let upstream = Upstream::ok("hello");
    let filters = adding("x-upgrade", "router router.v3.Router");
    let config = json!({"upgrade_type": "websocket", "filters": filters});
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"upgrade_configs": [config, {"upgrade_type": "other"}]}))
        .cluster("up", &[upstream.address()])
        .start();
    for (kind, expected) in [
        (None, None),
        (Some("WebSocket"), Some("yes")),
        (Some("other"), None),
    ] {
        let headers = kind.map_or(String::new(), |kind| {
            format!("connection: upgrade\r\nupgrade: {kind}\r\n")
        });
        let response = proxy.connect().request("GET", "/", &headers, "");
        assert_eq!(response.status, 200, "{kind:?}");
        let requests = upstream.requests();
        assert_eq!(requests.last().unwrap().header("x-upgrade"), expected);
    }
}

#[test]
fn hosts_may_have_filters_before_them() {
    let upstream = Upstream::ok("hello");
    let codec = "codec upstream_codec.v3.UpstreamCodec";
    let mut of_router = json!({"@type": format!("{FILTERS}.router.v3.Router")});
    of_router["upstream_http_filters"] = adding("x-of-router", codec);
    let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": adding("x-of-cluster", codec),
    }});
    let proxy = Config::http(&[route("/own", "own"), route("/", "up")])
        .manager(json!({"http_filters": [{"name": "router", "typed_config": of_router}]}))
        .cluster("up", &[upstream.address()])
        .cluster_with(
            "own",
            &[upstream.address()],
            json!({"typed_extension_protocol_options": options}),
        )
        .start();
    let body = "b".repeat(100_000);
    for (path, header, other) in [
        ("/own", "x-of-cluster", "x-of-router"),
        ("/", "x-of-router", "x-of-cluster"),
    ] {
        let response = proxy.connect().request("POST", path, "", &body);
        assert_eq!(response.brief(), (200, "hello".to_owned()));
        let request = upstream.requests().last().unwrap().clone();
        assert_eq!(request.header(header), Some("yes"), "{path}");
        assert_eq!(request.header(other), None, "{path}");
        assert_eq!(request.body.len(), body.len());
    }
}

#[test]
fn bodies_are_buffered_before_hosts() {
    let upstream = Upstream::ok("hello");
    let codec = http_filter(
        "upstream_codec",
        "upstream_codec.v3.UpstreamCodec",
        json!({}),
    );
    let buffer = http_filter(
        "buffer",
        "buffer.v3.Buffer",
        json!({"max_request_bytes": 10}),
    );
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let fields = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": [buffer, codec],
    }}});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with("up", &[upstream.address()], fields)
        .start();
    let chunked = "transfer-encoding: chunked\r\n";
    for (body, status) in [
        ("5\r\nhello\r\n0\r\n\r\n", 200),
        ("b\r\nhello world\r\n0\r\n\r\n", 413),
    ] {
        let mut connection = proxy.connect();
        connection.send(format!(
            "POST / HTTP/1.1\r\nhost: a.test\r\n{chunked}\r\n{body}"
        ));
        assert_eq!(connection.response("POST").status, status, "{body}");
    }
}

#[test]
fn a_filter_may_be_named_by_its_empty_route_configuration() {
    let cors = json!({"@type": format!("{FILTERS}.cors.v3.CorsPolicy")});
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .http_filters(&[json!({"name": "cors", "typed_config": cors})])
        .start();
    assert_eq!(proxy.get("/").brief(), (200, "hello".to_owned()));
    assert_eq!(proxy.stat("http.http.cors.origin_valid"), 0);
}

#[test]
fn an_empty_chain_answers_nothing() {
    // A filter of no type is unknown to all.
    for filters in [json!([]), json!([{"name": "a.b", "is_optional": true}])] {
        let proxy = Config::http(&[route("/", "up")])
            .manager(json!({"stream_idle_timeout": "0.2s", "http_filters": filters}))
            .cluster("up", &[])
            .start();
        assert_eq!(proxy.get("/").brief(), (504, "stream timeout".to_owned()));
    }
}
