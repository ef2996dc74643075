//! Filters that ask others, or change what they pass on, and requests that end meanwhile.

use super::check_alive;
use crate::harness::http2::{END_HEADERS, END_STREAM, Http2, block, kind, request};
use crate::harness::{
    Config, Proxy, Reply, Request, Upstream, direct, http_filter, is_envoy, route,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";
const TEMPLATE: &str = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3\
                        .UriTemplateMatchConfig";

/// What a service is asked by.
fn ext_authz(fields: &Value) -> Value {
    let uri = json!({"uri": "http://service", "cluster": "service", "timeout": "5s"});
    let mut all = json!({"http_service": {"server_uri": uri}});
    let more = fields.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    http_filter("ext_authz", "ext_authz.v3.ExtAuthz", all)
}

/// A request whose origin another filter has taken away when the answer comes.
#[test]
fn cve_2023_35943_origins_that_are_gone() {
    let policy = json!({
        "@type": format!("{FILTERS}.cors.v3.CorsPolicy"),
        "allow_origin_string_match": [{"prefix": "http"}],
    });
    let mut answered = direct("/", 200, "alive");
    answered["typed_per_filter_config"] = json!({"envoy.filters.http.cors": policy});
    let cors = http_filter("cors", "cors.v3.Cors", json!({}));
    let mutations = json!({"request_mutations": [{"remove": "origin"}]});
    let take = http_filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        json!({"mutations": mutations}),
    );
    let proxy = Config::http(&[answered])
        .http_filters(&[cors, take])
        .start();
    for method in ["GET", "POST", "OPTIONS"] {
        let lines = "origin: http://a.test\r\n";
        let answer = proxy.connect().request(method, "/", lines, "");
        assert_eq!(answer.status, 200, "{method}");
    }
    check_alive(&proxy);
}

/// A cookie that is made for who has none, with attributes.
#[test]
fn cve_2024_39305_cookies_that_requests_are_hashed_by() {
    let upstream = Upstream::ok("up");
    let cookie = json!({
        "name": "host", "ttl": "0s", "path": "/",
        "attributes": [{"name": "SameSite", "value": "None"}, {"name": "Secure"}],
    });
    let mut hashed = route("/up", "up");
    hashed["route"]["hash_policy"] = json!([{"cookie": cookie}]);
    let proxy = Config::http(&[hashed, direct("/", 200, "alive")])
        .cluster_with(
            "up",
            &[upstream.address()],
            json!({"lb_policy": "RING_HASH"}),
        )
        .start();
    let mut connection = proxy.connect();
    for lines in [
        "",
        "cookie: host=\r\n",
        "cookie: a=b; host=\"x\"\r\n",
        "cookie: ;=;\r\n",
    ] {
        let answer = connection.request("GET", "/up", lines, "");
        assert_eq!(answer.status, 200, "{lines}");
        let made = answer.header("set-cookie");
        let is_made = made.is_some_and(|made| made.contains("SameSite=None"));
        assert_eq!(is_made, !lines.contains("\"x\""), "{lines}: {made:?}");
    }
    check_alive(&proxy);
}

/// Upgrades whose copies, or questions about them, are answered by the proxy itself.
#[test]
fn cve_2024_45810_upgrades_beside_requests_of_our_own() {
    let upstream = Upstream::http(|_| {
        let head = "HTTP/1.1 101 Any\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        Reply::raw(head).then_close()
    });
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let mut mirrored = route("/up", "up");
    let share = json!({"default_value": {"numerator": 100}});
    let copies =
        ["dead", "empty", "up"].map(|name| json!({"cluster": name, "runtime_fraction": share}));
    mirrored["route"]["request_mirror_policies"] = copies.into_iter().collect();
    let config = Config::http(&[mirrored, direct("/", 200, "alive")])
        .manager(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
        .cluster("up", &[upstream.address()])
        .cluster("dead", &[Upstream::dead()])
        .cluster("empty", &[]);
    let asking = |service: &str| {
        let uri = json!({"uri": "http://x", "cluster": service, "timeout": "1s"});
        ext_authz(&json!({"http_service": {"server_uri": uri}, "failure_mode_allow": true}))
    };
    for filters in [vec![], vec![asking("dead")], vec![asking("empty")]] {
        let proxy = config.clone().http_filters(&filters).start();
        for _ in 0..3 {
            let answer = proxy.connect().request("GET", "/up", upgrade, "");
            assert_eq!(answer.status, 101, "{answer:?}");
        }
        check_alive(&proxy);
    }
}

/// Data of a stream that the peer has reset go to no filter.
#[test]
fn cve_2026_26311_data_behind_resets() {
    let upstream = Upstream::ok("up");
    let buffer = http_filter(
        "buffer",
        "buffer.v3.Buffer",
        json!({"max_request_bytes": 1000}),
    );
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster("up", &[upstream.address()])
        .http_filters(&[buffer])
        .start();
    let mut client = Http2::open(&proxy);
    for stream in (1..40).step_by(2) {
        let head = request("POST", "/up", &[]);
        client.send(kind::HEADERS, END_HEADERS, stream, &head);
        client.send(kind::DATA, 0, stream, b"some");
        client.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        client.send(kind::DATA, 0, stream, &[b'x'; 2000]);
        client.send(kind::DATA, END_STREAM, stream, b"more");
    }
    client.get(41, "/");
    // Envoy passes over what we answer by another reset (RFC 9113 section 5.1).
    assert_eq!(client.next_of(kind::HEADERS).unwrap().2, 41);
    assert_eq!(upstream.requests().len(), 0);
    check_alive(&proxy);
}

/// Messages are counted of requests that go nowhere too.
#[test]
fn cve_2026_47204_grpc_that_is_answered_directly() {
    let fields = json!({"emit_filter_state": true, "stats_for_all_methods": true});
    let stats = http_filter("grpc_stats", "grpc_stats.v3.FilterConfig", fields);
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .http_filters(&[stats])
        .start();
    let mut client = Http2::open(&proxy);
    let message: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
    for (stream, body) in [
        (1, message),
        (3, &message[..3]),
        (5, &[1, 255, 255, 255, 255]),
        (7, &[]),
    ] {
        let head = request(
            "POST",
            "/service/method",
            &[("content-type", "application/grpc")],
        );
        client.send(kind::HEADERS, END_HEADERS, stream, &head);
        client.send(kind::DATA, END_STREAM, stream, body);
        // Whether all of the request has come by then or not.
        assert_eq!(client.next_of(kind::HEADERS).unwrap().2, stream);
    }
    check_alive(&proxy);
}

/// CVE-2026-47205: a service of the route's own is asked when the client leaves. CVE-2026-50572:
/// one that refuses, with a body. CVE-2026-73547: requests that have no path.
#[test]
fn cve_2026_47205_2026_50572_2026_73547_services_that_are_asked() {
    let answer = |request: &Request| match request.path.as_str() {
        "/up/slow" => Reply::ok("").after(Duration::from_millis(200)),
        _ => Reply::new(403, "x-why: no\r\n", &"no".repeat(10_000)),
    };
    let service = Upstream::http(answer);
    let uri = json!({"uri": "http://own", "cluster": "service", "timeout": "5s"});
    let own = json!({
        "@type": format!("{FILTERS}.ext_authz.v3.ExtAuthzPerRoute"),
        "check_settings": {"http_service": {"server_uri": uri}},
    });
    let off =
        json!({"@type": format!("{FILTERS}.ext_authz.v3.ExtAuthzPerRoute"), "disabled": true});
    let with = |mut route: Value, config: &Value| {
        route["typed_per_filter_config"] = json!({"envoy.filters.http.ext_authz": config});
        route
    };
    let mut tunnels = direct("/", 200, "");
    tunnels["match"] = json!({"connect_matcher": {}});
    let routes = [
        with(direct("/up", 200, "up"), &own),
        tunnels,
        direct("/other", 200, "other"),
        with(direct("/", 200, "alive"), &off),
    ];
    let proxy = Config::http(&routes)
        .manager(json!({"http2_protocol_options": {"allow_connect": true}}))
        .cluster("service", &[service.address()])
        .http_filters(&[ext_authz(&json!({}))])
        .start();
    let mut client = Http2::open(&proxy);
    for stream in [1, 3, 5] {
        client.get(stream, "/up/slow");
        client.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    client.get(7, "/other");
    assert_eq!(client.response(), (7, "no".repeat(10_000)));
    let connect = block(&[(":method", "CONNECT"), (":authority", "a.test:1")]);
    client.send(kind::HEADERS, END_HEADERS, 9, &connect);
    let refused = client.next_of(kind::HEADERS).unwrap();
    assert_eq!(refused.2, 9);
    let mut connection = proxy.connect();
    connection.send("CONNECT a.test:1 HTTP/1.1\r\nhost: a.test:1\r\n\r\n");
    assert_eq!(connection.response("GET").status, 403);
    check_alive(&proxy);
}

/// Metadata of bytes that are no text, by the PROXY protocol: a service is asked all the same.
#[test]
fn cve_2024_23324_values_that_are_no_text() {
    let deny = [0, 0, 0, 0, 4, 0x0a, 2, 8, 7];
    let service = Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        while let Some((_, _, stream, _)) = server.next_of(kind::HEADERS) {
            let head = block(&[(":status", "200"), ("content-type", "application/grpc")]);
            server.try_send(kind::HEADERS, END_HEADERS, stream, &head);
            server.try_send(kind::DATA, 0, stream, &deny);
            let trailers = block(&[("grpc-status", "0")]);
            server.try_send(kind::HEADERS, END_HEADERS | END_STREAM, stream, &trailers);
        }
    });
    let fields = json!({
        "grpc_service": {"envoy_grpc": {"cluster_name": "service"}, "timeout": "5s"},
        "transport_api_version": "V3",
        "failure_mode_allow": true,
        "metadata_context_namespaces": ["values"],
    });
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}});
    let kept =
        json!({"tlv_type": 2, "on_tlv_present": {"metadata_namespace": "values", "key": "k"}});
    let proxy = Config::http(&[direct("/", 200, "let in")])
        .listener_filter(
            "proxy_protocol",
            "proxy_protocol.v3.ProxyProtocol",
            json!({"rules": [kept]}),
        )
        .cluster_with("service", &[service.address()], http2)
        .http_filters(&[http_filter("ext_authz", "ext_authz.v3.ExtAuthz", fields)])
        .start();
    for value in [&b"text"[..], b"\xff\xfe", b"a\0b", b"\xc3"] {
        let length = 12 + 3 + value.len() as u8;
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec();
        header.extend([
            length,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            3,
            0xe8,
            7,
            0xd0,
            2,
            0,
            value.len() as u8,
        ]);
        header.extend(value);
        let mut connection = proxy.connect();
        connection.send(header);
        assert_eq!(connection.get("/").status, 403, "{value:?}");
    }
    assert_eq!(proxy.stat("http.http.ext_authz.denied"), 4);
}

/// A star is a character of paths like others. CVE-2024-23323: templates cost no more than the
/// path's length.
#[test]
fn cve_2024_23323_2025_46821_templates_of_paths() {
    let template = |template: &str| {
        json!({
            "name": "envoy.path.match.uri_template.uri_template_matcher",
            "typed_config": {"@type": TEMPLATE, "path_template": template},
        })
    };
    let mut matched = direct("/", 200, "matched");
    matched["match"] = json!({"path_match_policy": template("/{a=*}/{b=**}/end")});
    let permission = json!({"uri_template": template("/admin/*")});
    let policy = json!({"permissions": [permission], "principals": [{"any": true}]});
    let rules = json!({"action": "DENY", "policies": {"admins": policy}});
    let rbac = http_filter("rbac", "rbac.v3.RBAC", json!({"rules": rules}));
    let proxy = Config::http(&[matched, direct("/", 200, "alive")])
        .http_filters(&[rbac])
        .start();
    for (path, expected) in [
        ("/admin/a", (403, "RBAC: access denied")),
        ("/admin/a*b", (403, "RBAC: access denied")),
        ("/admin/*", (403, "RBAC: access denied")),
        ("/x/*/end", (200, "matched")),
        ("/other/a*b", (200, "alive")),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert_eq!(proxy.get(path).brief(), expected, "{path}");
    }
    let begun = Instant::now();
    let mut connection = proxy.connect();
    for _ in 0..20 {
        let path = format!("/{}end", "a/".repeat(20_000));
        assert_eq!(connection.get(&path).text(), "matched");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    check_alive(&proxy);
}

/// A filter that makes more of a response than the client's buffer holds. Envoy 1.40 waits for
/// ever.
#[test]
fn cve_2021_43825_responses_that_grow() {
    if is_envoy() {
        return;
    }
    let (body, length) = ("x".repeat(300_000), 300_000_u32.to_be_bytes());
    let message = [&[0], length.as_slice(), body.as_bytes()].concat();
    let length = message.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: {length}\r\n\r\n"
    );
    let reply = [head.into_bytes(), message].concat();
    let upstream = Upstream::http(move |_| Reply::raw(reply.clone()));
    let grpc_web = http_filter("grpc_web", "grpc_web.v3.GrpcWeb", json!({}));
    let proxy: Proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .main_listener(json!({"per_connection_buffer_limit_bytes": 1024}))
        .cluster("up", &[upstream.address()])
        .http_filters(&[grpc_web])
        .start();
    let lines = "content-type: application/grpc-web-text\r\naccept: application/grpc-web-text\r\n";
    for _ in 0..3 {
        let answer = proxy.connect().request("POST", "/up", lines, "AAAAAAA=");
        assert_eq!(answer.status, 200);
        assert!(answer.body.len() >= length * 4 / 3, "{}", answer.body.len());
    }
    check_alive(&proxy);
}
