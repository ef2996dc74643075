//! Connections that a service is asked about, before or with their first bytes.

use crate::harness::http2::{END_HEADERS, END_STREAM, Http2, WHOLE, block, kind};
use crate::harness::{Config, Proxy, Upstream, file_log, network_filter};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// A service whose every answer is this message; none: it fails. It keeps what it is asked.
struct Service {
    upstream: Upstream,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Service {
    fn start(answer: Option<&'static [u8]>) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&asked);
        let upstream = Upstream::tcp(move |stream: TcpStream| {
            let Some(mut server) = Http2::serve(stream, &[]) else {
                return;
            };
            while let Some((_, flags, stream, payload)) = server.next_of(kind::DATA) {
                keep.lock().unwrap().push(payload);
                if flags & END_STREAM == 0 {
                    continue;
                }
                let Some(answer) = answer else {
                    let head = block(&[(":status", "503")]);
                    server.send(kind::HEADERS, WHOLE, stream, &head);
                    continue;
                };
                let head = block(&[(":status", "200"), ("content-type", "application/grpc")]);
                server.send(kind::HEADERS, END_HEADERS, stream, &head);
                let prefix = [0, 0, 0, 0, answer.len() as u8];
                server.send(kind::DATA, 0, stream, &[&prefix, answer].concat());
                let trailers = block(&[("grpc-status", "0")]);
                server.send(kind::HEADERS, WHOLE, stream, &trailers);
            }
        });
        Self { upstream, asked }
    }

    /// Whether it was asked something with this in it.
    fn was_asked(&self, part: &str) -> bool {
        let asked = self.asked.lock().unwrap();
        let mut asked = asked.iter();
        asked.any(|question| {
            question
                .windows(part.len())
                .any(|some| some == part.as_bytes())
        })
    }

    /// An upstream that echoes, behind `filter` and a TCP proxy.
    fn proxy(&self, echo: &Upstream, filter: Value) -> Proxy {
        let format = "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_LOCAL_CLOSE_REASON%";
        let fields = json!({"stat_prefix": "t", "cluster": "up", "access_log": [file_log(format)]});
        let proxied = network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields);
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let http2 = json!({"typed_extension_protocol_options": {options: {
            "@type": format!("type.googleapis.com/{options}"),
            "explicit_http_config": {"http2_protocol_options": {}},
        }}});
        Config::tcp(filter.clone())
            .filter_chain(json!({"filters": [filter, proxied]}))
            .cluster("up", &[echo.address()])
            .cluster_with("service", &[self.upstream.address()], http2)
            .start()
    }
}

fn grpc_service() -> Value {
    json!({"envoy_grpc": {"cluster_name": "service"}, "timeout": "5s"})
}

/// Whether what is sent comes back.
fn echoes(proxy: &Proxy) -> bool {
    let mut connection = proxy.connect();
    connection.send("hello");
    connection.try_read(5).is_ok_and(|bytes| bytes == b"hello")
}

#[test]
fn authorization() {
    // A status of 0, and of 7 (PERMISSION_DENIED).
    let (ok, denied): (&[u8], &[u8]) = (&[10, 0], &[10, 2, 8, 7]);
    for (answer, allow, passes, stat, line) in [
        (Some(ok), false, true, "ok", "- - -"),
        (
            Some(denied),
            true,
            false,
            "denied",
            "UAEX ext_authz_denied ext_authz_close",
        ),
        (
            None,
            false,
            false,
            "error",
            "UAEX ext_authz_error ext_authz_close",
        ),
        (None, true, true, "failure_mode_allowed", "- - -"),
    ] {
        let (service, echo) = (Service::start(answer), Upstream::tcp(super::echo));
        let fields = json!({
            "stat_prefix": "p", "grpc_service": grpc_service(), "failure_mode_allow": allow,
        });
        let filter = network_filter("ext_authz", "ext_authz.v3.ExtAuthz", fields);
        let proxy = service.proxy(&echo, filter);
        assert_eq!(echoes(&proxy), passes, "{stat}");
        assert_eq!(proxy.stat(&format!("ext_authz.p.{stat}")), 1, "{stat}");
        assert_eq!(proxy.stat("ext_authz.p.active"), 0, "{stat}");
        assert!(service.was_asked("127.0.0.1"), "{stat}");
        assert_eq!(proxy.access_log(1), [line]);
    }
}

#[test]
fn rate_limits() {
    // Codes OK and OVER_LIMIT.
    let (ok, over): (&[u8], &[u8]) = (&[8, 1], &[8, 2]);
    for (answer, deny, passes, stat, reason) in [
        (Some(ok), false, true, "ok", "-"),
        (
            Some(over),
            false,
            false,
            "over_limit",
            "ratelimit_close_over_limit",
        ),
        (None, false, true, "failure_mode_allowed", "-"),
        (
            None,
            true,
            false,
            "error",
            "ratelimit_error_failure_mode_connection_close",
        ),
    ] {
        let (service, echo) = (Service::start(answer), Upstream::tcp(super::echo));
        let entry = json!({"key": "from", "value": "at %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"});
        let fields = json!({
            "stat_prefix": "p", "domain": "d", "failure_mode_deny": deny, "timeout": "5s",
            "descriptors": [{"entries": [entry]}],
            "rate_limit_service": {
                "grpc_service": grpc_service(), "transport_api_version": "V3",
            },
        });
        let filter = network_filter("ratelimit", "ratelimit.v3.RateLimit", fields);
        let proxy = service.proxy(&echo, filter);
        assert_eq!(echoes(&proxy), passes, "{stat}");
        assert_eq!(proxy.stat(&format!("ratelimit.p.{stat}")), 1, "{stat}");
        assert_eq!(proxy.stat("ratelimit.p.active"), 0, "{stat}");
        assert!(service.was_asked("at 127.0.0.1"), "{stat}");
        assert_eq!(proxy.access_log(1), [format!("- - {reason}")]);
    }
}
