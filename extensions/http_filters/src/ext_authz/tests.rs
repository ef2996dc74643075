//! Checks by a service on loopback, of requests through a chain.

mod grpc;

use super::ExtAuthz;
use crate::testing::{Outcome, Script, errors, route_errors};
use nuncio_base::runtime_flags::FlagValue;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A service that answers one check, and what it was asked.
struct Service {
    port: u16,
    asked: Receiver<String>,
}

impl Service {
    /// Answers with this head (without its end) and body.
    fn new(head: &'static str, body: &'static str) -> Self {
        let length = body.len();
        Self::raw(format!(
            "HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    fn raw(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, asked) = channel();
        std::thread::spawn(move || {
            if let Ok((mut stream, _)) = listener.accept() {
                let _ = send.send(read_request(&mut stream));
                let _ = stream.write_all(answer.as_bytes());
                // Until the other side is done with it.
                let _ = stream.read(&mut [0; 1]);
            }
        });
        Self { port, asked }
    }

    /// The check, its lines joined by spaces.
    fn asked(&self) -> String {
        let asked = self.asked.recv_timeout(Duration::from_secs(5)).unwrap();
        asked.trim_end().replace("\r\n", " ")
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return text,
            Ok(read) => request.extend_from_slice(&block[..read]),
        }
    }
}

fn config(service: &str, rest: &str) -> String {
    format!(
        "{{http_service: {{server_uri: {{uri: http://az, cluster: az, timeout: 0.3s}}, {service}}}, \
         {rest}}}"
    )
}

fn script(service: &Service, config: &str) -> Script {
    Script::new()
        .filter(&ExtAuthz, config)
        .cluster("az", service.port)
        .cluster("c", 1)
}

const OK: &str = "200 OK";

#[test]
fn what_a_service_is_asked() {
    const USUAL: &str = "authorization: s x-envoy-internal: true \
        x-envoy-expected-rq-timeout-ms: 300";
    for (service, rest, path, more) in [
        ("", "", "/p?q=1", ""),
        ("path_prefix: /pre", "", "/pre/p?q=1", ""),
        ("path_override: /o", "", "/o", ""),
        (
            "",
            "allowed_headers: {patterns: [{prefix: x-}]}",
            "/p?q=1",
            "x-a: 1,2 x-b: !é ",
        ),
        (
            "",
            "allowed_headers: {patterns: [{prefix: x-}]}, \
             disallowed_headers: {patterns: [{exact: x-b}]}",
            "/p?q=1",
            "x-a: 1,2 ",
        ),
        (
            "authorization_request: {allowed_headers: {patterns: [{exact: X-A}]}}",
            "",
            "/p?q=1",
            "",
        ),
        (
            "authorization_request: {headers_to_add: [{key: x-a, value: '%REQ(:path)%'}]}",
            "allowed_headers: {patterns: [{exact: x-a}]}",
            "/p?q=1",
            "x-a: /p?q=1 ",
        ),
        (
            "",
            "allowed_headers: {patterns: [{exact: x-a}]}, encode_raw_headers: true",
            "/p?q=1",
            "x-a: 1 x-a: 2 ",
        ),
        // Not even a pattern for all headers sends what frames a message.
        (
            "",
            "allowed_headers: {patterns: [{safe_regex: {regex: '.*'}}]}",
            "/p?q=1",
            "x-a: 1,2 x-b: !é ",
        ),
    ] {
        let answers = Service::new(OK, "");
        let mut script = script(&answers, &config(service, rest)).request(&[
            (":path", "/p?q=1"),
            ("te", "trailers"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("authorization", "s"),
        ]);
        script = script.request_bytes("x-b", b"\xff\xc3\xa9");
        let outcome = script.run();
        assert_eq!(outcome.downstream, ":status=200");
        let asked = answers.asked();
        let mut fields: Vec<_> = asked.split(' ').collect();
        let head = fields.drain(..3).collect::<Vec<_>>().join(" ");
        assert_eq!(head, format!("GET {path} HTTP/1.1"));
        let expected = format!("host: host.test content-length: 0 {more}{USUAL}");
        let sorted = |text: &str| {
            let mut parts: Vec<_> = text.split(' ').map(str::to_owned).collect();
            parts.sort();
            parts
        };
        assert_eq!(
            sorted(&fields.join(" ")),
            sorted(&expected),
            "{service} {rest}"
        );
    }
}

#[test]
fn a_consent_changes_request_and_response() {
    let service = Service::new(
        "200 OK\r\nx-set: 1\r\nx-set: 2\r\nx-add: 3\r\nx-no: 4\r\nx-client: 5\r\nx-md: 6\r\n\
         x-envoy-auth-headers-to-remove: x-gone, :path ,host",
        "unused",
    );
    let answer = "authorization_response: {
        allowed_upstream_headers: {patterns: [{exact: x-set}, {exact: content-length}]},
        allowed_upstream_headers_to_append: {patterns: [{exact: x-add}]},
        allowed_client_headers_on_success: {patterns: [{exact: x-client}, {prefix: ':'}]},
        dynamic_metadata_from_headers: {patterns: [{exact: x-md}]}}";
    let outcome = script(&service, &config(answer, ""))
        .request(&[("x-set", "0"), ("x-add", "0"), ("x-gone", "0")])
        .answer(&[(":status", "200"), ("x-client", "0")], &["body"])
        .run();
    assert!(
        outcome
            .upstream
            .ends_with(":path=/ x-add=0 x-set=2 x-add=3"),
        "{}",
        outcome.upstream
    );
    assert_eq!(
        outcome.downstream,
        ":status=200 x-client=0 x-client=5 [body]"
    );
    let metadata = format!("{:?}", outcome.metadata.get("envoy.filters.http.ext_authz"));
    assert!(
        metadata.contains("x-md") && metadata.contains("ext_authz_duration"),
        "{metadata}"
    );
    assert_eq!(outcome.stat("http.test.ext_authz.ok"), 1);
    assert_eq!(outcome.stat("cluster.c.ext_authz.ok"), 1);
    assert_eq!(outcome.stat("cluster.az.internal.upstream_rq_200"), 1);
}

#[test]
fn a_denial_is_the_services_own() {
    const DENIAL: &str = "401 No\r\nwww-authenticate: Basic\r\nset-cookie: a\r\nset-cookie: b\r\n\
        x-mine: 1\r\ncontent-type: text/html";
    for (service, rest, headers, body) in [
        (
            "",
            "",
            "www-authenticate=Basic set-cookie=a set-cookie=b x-mine=1 content-type=text/html",
            "denied",
        ),
        (
            "authorization_response: {allowed_client_headers: {patterns: [{exact: x-mine}]}}",
            "",
            "www-authenticate=Basic x-mine=1",
            "denied",
        ),
        (
            "authorization_response: {allowed_client_headers: {patterns: [{exact: none}]}}",
            "{max_denied_response_body_bytes: 3, charge_cluster_response_stats: false}",
            "www-authenticate=Basic",
            "den",
        ),
    ] {
        let answers = Service::new(DENIAL, "denied");
        let rest = rest.trim_matches(['{', '}']);
        let outcome = script(&answers, &config(service, rest)).body(&["x"]).run();
        let got = &outcome.downstream;
        assert!(got.starts_with(&format!(":status=401 {headers}")), "{got}");
        assert!(got.ends_with(&format!("[{body}]")), "{got}");
        assert_eq!(outcome.upstream, "");
        assert_eq!(
            (&*outcome.details, &*outcome.flags),
            ("ext_authz_denied", "UAEX")
        );
        assert_eq!(outcome.stat("http.test.ext_authz.denied"), 1);
        assert_eq!(outcome.stat("cluster.c.ext_authz.denied"), 1);
        let charged = u64::from(!rest.contains("charge"));
        assert_eq!(outcome.stat("cluster.c.internal.upstream_rq_401"), charged);
    }
}

#[test]
fn errors_deny_unless_told_otherwise() {
    let allow = "failure_mode_allow: true";
    let tell = "failure_mode_allow: true, failure_mode_allow_header_add: true";
    for (rest, status, upstream) in [
        ("", 403, ""),
        ("status_on_error: {code: BadGateway}", 502, ""),
        (allow, 200, ":path=/"),
        (tell, 200, "x-envoy-auth-failure-mode-allowed=true"),
    ] {
        for answer in [
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
            "garbage\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        ] {
            let service = Service::raw(answer.to_owned());
            check_error(&script(&service, &config("", rest)).run(), status, upstream);
        }
    }
    // Nobody there; no such cluster; nobody to ask.
    let gone = Service {
        port: 1,
        asked: channel().1,
    };
    check_error(&script(&gone, &config("", "")).run(), 403, "");
    let unknown = config("", "").replace("cluster: az", "cluster: unknown");
    check_error(&script(&gone, &unknown).run(), 403, "");
    check_error(&script(&gone, "{}").run(), 403, "");
}

fn check_error(outcome: &Outcome, status: u16, upstream: &str) {
    assert_eq!(outcome.downstream, format!(":status={status}"));
    assert!(outcome.upstream.ends_with(upstream), "{}", outcome.upstream);
    assert_eq!(outcome.upstream.is_empty(), upstream.is_empty());
    assert_eq!(outcome.stat("http.test.ext_authz.error"), 1);
    assert_eq!(outcome.stat("cluster.c.ext_authz.error"), 1);
    let allowed = u64::from(status == 200);
    assert_eq!(
        outcome.stat("cluster.c.ext_authz.failure_mode_allowed"),
        allowed
    );
    if status != 200 {
        assert_eq!(
            (&*outcome.details, &*outcome.flags),
            ("ext_authz_error", "UAEX")
        );
    }
}

#[test]
fn a_shadow_decides_nothing() {
    const DENIAL: &str = "401 No\r\nwww-authenticate: Basic";
    let allow = "failure_mode_allow: true, failure_mode_allow_header_add: true";
    let off = "filter_enabled: {default_value: {}}, deny_at_disable: {default_value: true, \
               runtime_key: k}";
    for (answer, rest, counted, flags) in [
        (OK, "", ["ok"; 2], ""),
        (DENIAL, "", ["denied", "shadow_denied"], ""),
        ("503 No", allow, ["error", "shadow_error"], ""),
        (OK, off, ["disabled", "shadow_denied"], "UAEX"),
    ] {
        let service = Service::new(answer, "");
        let config = config("", &format!("shadow_mode: true, {rest}"));
        let outcome = script(&service, &config).run();
        assert_eq!(outcome.downstream, ":status=200", "{answer} {rest}");
        assert_eq!(outcome.flags, flags, "{answer} {rest}");
        assert!(!outcome.upstream.contains("failure-mode"));
        for stat in counted {
            assert_eq!(outcome.stat(&format!("http.test.ext_authz.{stat}")), 1);
        }
        assert_eq!(outcome.stat("http.test.ext_authz.failure_mode_allowed"), 0);
    }
}

#[test]
fn a_service_that_sends_too_much_fails() {
    let answer = format!(
        "HTTP/1.1 401 No\r\ncontent-length: 2000000\r\n\r\n{}",
        "x".repeat(2_000_000)
    );
    check_error(
        &script(&Service::raw(answer), &config("", "")).run(),
        403,
        "",
    );
}

#[test]
fn bodies_are_sent_along() {
    let whole = "with_request_body: {max_request_bytes: 4}";
    let partial = "with_request_body: {max_request_bytes: 4, allow_partial_message: true}";
    for (rest, pieces, sent, is_partial) in [
        (whole, &["ab", "c"][..], "abc", false),
        (whole, &["abcd"], "abcd", false),
        (partial, &["ab", "c"], "abc", false),
        (partial, &["ab", "cde", "f"], "abcd", true),
    ] {
        let service = Service::new(OK, "");
        let script = script(&service, &config("", rest))
            .body(pieces)
            .trailers(&[("t", "1")]);
        let outcome = script.run();
        let asked = service.asked();
        assert!(
            asked.contains(&format!("content-length: {}", sent.len())),
            "{asked}"
        );
        assert!(
            asked.contains(&format!("x-envoy-auth-partial-body: {is_partial}")),
            "{asked}"
        );
        assert!(asked.ends_with(&format!("  {sent}")), "{asked}");
        let all = pieces.concat();
        assert!(
            outcome.upstream.ends_with(&format!("[{all}] t=1")),
            "{}",
            outcome.upstream
        );
    }
    let service = Service::new(OK, "");
    let outcome = script(&service, &config("", whole))
        .body(&["abc", "de"])
        .run();
    assert!(outcome.downstream.starts_with(":status=413"));
    let service = Service::new(OK, "");
    let outcome = script(&service, &config("", whole)).run();
    assert_eq!(outcome.downstream, ":status=200");
    assert!(!service.asked().contains("partial-body"));
}

#[test]
fn a_filter_may_be_off() {
    let off = "filter_enabled: {default_value: {numerator: 0}, runtime_key: authz.on}";
    let deny = "deny_at_disable: {default_value: false, runtime_key: authz.deny}, \
        status_on_error: {code: PaymentRequired}";
    let metadata = "filter_enabled_metadata: {filter: f, path: [{key: k}], \
        value: {present_match: true}}";
    for (rest, flags, status, asked) in [
        (off.to_owned(), &[][..], 200, false),
        (
            off.to_owned(),
            &[("authz.on", FlagValue::Number(100.0))],
            401,
            true,
        ),
        (format!("{off}, {deny}"), &[], 200, false),
        (
            format!("{off}, {deny}"),
            &[("authz.deny", FlagValue::Bool(true))],
            402,
            false,
        ),
        (metadata.to_owned(), &[], 200, false),
    ] {
        let service = Service::new("401 No", "");
        let mut script = script(&service, &config("", &rest));
        for (key, value) in flags {
            script = script.flag(key, value.clone());
        }
        let outcome = script.run();
        assert!(
            outcome.downstream.starts_with(&format!(":status={status}")),
            "{rest}"
        );
        assert_eq!(
            outcome.stat("http.test.ext_authz.disabled"),
            u64::from(!asked)
        );
    }
}

#[test]
fn routes() {
    let check = |settings: &str| {
        format!(
            "routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, typed_per_filter_config: {{
               envoy.filters.http.ext_authz: {{
                 '@type': type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute,
                 {settings}}}}}}}]"
        )
    };
    let other = "check_settings: {http_service: {server_uri: {uri: x, cluster: other, \
        timeout: 1s}}}";
    for (settings, status, body) in [
        ("disabled: true", 200, None),
        ("disabled: false", 401, Some(true)),
        (
            "check_settings: {disable_request_body_buffering: true}",
            401,
            Some(false),
        ),
        (
            "check_settings: {with_request_body: {max_request_bytes: 1}}",
            413,
            None,
        ),
        (
            "check_settings: {context_extensions: {a: b}}",
            401,
            Some(true),
        ),
        (other, 403, None),
    ] {
        let service = Service::new("401 No", "");
        let config = config("", "with_request_body: {max_request_bytes: 4}");
        let outcome = script(&service, &config)
            .routes(&check(settings))
            .body(&["ab"])
            .run();
        assert!(
            outcome.downstream.starts_with(&format!(":status={status}")),
            "{settings}"
        );
        if let Some(body) = body {
            assert_eq!(service.asked().ends_with("  ab"), body, "{settings}");
        }
    }
}

#[test]
fn the_route_may_be_chosen_anew() {
    let routes = "routes: [
        {match: {prefix: /, headers: [{name: x-set, string_match: {exact: '1'}}]},
         direct_response: {status: 204}, name: found},
        {match: {prefix: /}, route: {cluster: c}, name: first}]";
    let answer = "authorization_response: {allowed_upstream_headers: {patterns: [{exact: x-set}]}}";
    for (rest, head, route) in [
        ("clear_route_cache: true", "200 OK\r\nx-set: 1", "found"),
        ("clear_route_cache: true", OK, "first"),
        ("", "200 OK\r\nx-set: 1", "first"),
    ] {
        let service = Service::new(head, "");
        let outcome = script(&service, &config(answer, rest)).routes(routes).run();
        assert_eq!(outcome.route, route, "{rest} {head}");
    }
}

#[test]
fn bad_configs() {
    for (service, rest, expected) in [
        ("path_prefix: x", "", "path_prefix should start with \"/\"."),
        (
            "path_override: x",
            "",
            "path_override should start with \"/\".",
        ),
        (
            "path_prefix: /x, path_override: /y",
            "",
            "Only one of path_prefix or path_override may be set, not both.",
        ),
        (
            "authorization_request: {allowed_headers: {patterns: [{exact: a}]}}",
            "allowed_headers: {patterns: [{exact: a}]}",
            "Invalid duplicate configuration for allowed_headers.",
        ),
        (
            "authorization_request: {headers_to_add: [{key: ':path', value: x}]}",
            "",
            ":-prefixed or host headers may not be modified",
        ),
        (
            "",
            "with_request_body: {max_request_bytes: 0}",
            "max_request_bytes",
        ),
        ("", "status_on_error: {code: 99}", "status_on_error"),
        ("retry_policy: {num_retries: 1}", "", "retry_policy"),
        ("", "", ""),
    ] {
        let found = errors(&ExtAuthz, &config(service, rest));
        assert!(found.contains(expected), "{service} {rest}: {found}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{found}");
    }
    let both = "check_settings: {disable_request_body_buffering: true, \
        with_request_body: {max_request_bytes: 1}}";
    assert!(route_errors(&ExtAuthz, both).contains("Only one of disable_request_body_buffering"));
}
