//! A stream with facts in it, for tests.

use crate::format_cx::FormatCx;
use crate::log_type::AccessLogType;
use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_stream_info::{
    BytesMeter, ConnectionInfo, LifeSpan, ListenerInfo, Protocol, StreamInfo, Timings,
    UpstreamInfo, filter_state::Text,
};
use nuncio_stream_info::{ChosenCluster, ChosenRoute, RouteNames, RoutePlace};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Everything that a [`FormatCx`] borrows.
pub(crate) struct Facts {
    pub(crate) info: StreamInfo,
    pub(crate) request: HeaderMap,
    pub(crate) response: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) flags: RuntimeFlags,
    pub(crate) random: fn() -> u64,
}

/// 2026-11-21T08:09:48.267349Z
pub(crate) fn start_time() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_795_248_588, 267_349_000)
}

pub(crate) fn address(text: &str) -> Address {
    Address::Ip(text.parse().unwrap())
}

pub(crate) fn fields<const N: usize>(list: [(&str, Value); N]) -> Value {
    let fields = list
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Value::Struct(Arc::new(fields.collect::<BTreeMap<_, _>>()))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

impl Facts {
    /// A request that was answered by an upstream.
    pub(crate) fn proxied() -> Self {
        let start = nuncio_base::time::monotonic();
        let mut facts = Self {
            info: stream_info(start),
            request: HeaderMap::from_iter([
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "parity.test"),
                (":path", "/new?x=1&y=%41b&x=2&=e"),
                ("x-envoy-original-path", "/old%20?q"),
                ("user-agent", "agent/1"),
                ("x-forwarded-for", "203.0.113.9"),
                ("x-request-id", "268f291d-4274-484a-936b-c7cb141c5102"),
                ("x-yes", "abcdef"),
                ("x-ctl", "a\tb\"\\c"),
            ]),
            response: HeaderMap::from_iter([
                (":status", "200"),
                ("x-envoy-upstream-service-time", "3"),
                ("x-up", "va\"l"),
            ]),
            trailers: HeaderMap::from_iter([("x-t", "tt")]),
            flags: RuntimeFlags::default(),
            random: || 7,
        };
        facts.request.append("x-bin", b"a\xff\xc3\xa9b\xe2\x82");
        let dynamic = fields([
            ("k", text("v")),
            ("n", Value::Number(5.0)),
            ("o", fields([("x", text("y"))])),
            ("b", Value::Bool(true)),
            ("e", text("")),
            ("nul", Value::Null),
            (
                "l",
                Value::List([Value::Number(1e21), text("é\u{1}\"<")].into()),
            ),
        ]);
        facts.info.metadata.set("my.dyn", dynamic);
        facts
    }

    /// Nothing but a connection, as a TCP proxy's log sees at its start.
    pub(crate) fn bare() -> Self {
        let start = nuncio_base::time::monotonic();
        let connection = ConnectionInfo::new(
            9,
            Address::Pipe("/tmp/sock".into()),
            address("[2001:db8::1]:7"),
            (start, start_time()),
        );
        Self {
            info: StreamInfo::new(Rc::new(connection), Timings::new(start_time(), start)),
            request: HeaderMap::new(),
            response: HeaderMap::new(),
            trailers: HeaderMap::new(),
            flags: RuntimeFlags::default(),
            random: || 0,
        }
    }

    pub(crate) fn cx(&self) -> FormatCx<'_> {
        let headers = |map| (!HeaderMap::is_empty(map)).then_some(map);
        FormatCx {
            info: &self.info,
            request_headers: headers(&self.request),
            response_headers: headers(&self.response),
            response_trailers: headers(&self.trailers),
            local_reply_body: "sorry",
            log_type: AccessLogType::DownstreamEnd,
            now: self.info.timings.start + Duration::from_millis(20),
            wall: start_time() + Duration::from_secs(1),
            random: &self.random,
            flags: &self.flags,
        }
    }
}

fn stream_info(start: Instant) -> StreamInfo {
    let after = |micros| Some(start + Duration::from_micros(micros));
    let mut connection = ConnectionInfo::new(
        3,
        address("127.0.0.1:10000"),
        address("127.1.2.3:40000"),
        (start, start_time()),
    );
    connection.listener = Some(Rc::new(ListenerInfo {
        network_namespace: None,
        bypasses_overload: false,
        name: "lis".into(),
        metadata: None,
    }));
    let mut info = StreamInfo::new(Rc::new(connection), Timings::new(start_time(), start));
    info.timings.last_downstream_rx = after(84);
    info.timings.first_upstream_tx = after(1_000);
    info.timings.last_upstream_tx = after(1_500);
    info.timings.first_upstream_rx = after(3_900);
    info.timings.last_upstream_rx = after(4_000);
    info.timings.last_downstream_tx = after(5_100);
    info.timings.end = after(5_200);
    info.protocol = Some(Protocol::Http11);
    info.response_code = Some(200);
    info.response_code_details = Some("via upstream".into());
    info.bytes_received = 100_000;
    info.bytes_sent = 12;
    info.downstream_bytes = BytesMeter {
        wire_received: 63,
        wire_sent: 138,
        header_received: 36,
        header_sent: 117,
    };
    info.route = Some(ChosenRoute {
        table: Rc::new(OneRoute(Metadata::default())),
        place: (0, 0),
    });
    info.stream_id = Some("268f291d-4274-484a-936b-c7cb141c5102".into());
    info.attempt_count = 1;
    info.remote_address = Some(address("203.0.113.9:0"));
    info.filter_state.set(
        "my.key",
        LifeSpan::Request,
        Rc::new(Text("state /x".into())),
    );
    info.upstream = Some(Box::new(UpstreamInfo {
        address: Some(address("10.0.0.1:80")),
        host_name: Some("up.test:80".into()),
        local_address: Some(address("10.0.0.2:58608")),
        cluster: Some(Rc::new(ChosenCluster {
            name: "u0".into(),
            observability_name: "alt".into(),
            metadata: None,
        })),
        protocol: Some(Protocol::Http2),
        connection_id: Some(2),
        pool_ready: Some(Duration::from_micros(1_999)),
        ..UpstreamInfo::default()
    }));
    info
}

/// A table of one route.
struct OneRoute(Metadata);

impl RouteNames for OneRoute {
    fn route_name(&self, _: RoutePlace) -> &str {
        "r1"
    }

    fn virtual_host_name(&self, _: RoutePlace) -> &str {
        "vh"
    }

    fn route_metadata(&self, _: RoutePlace) -> &Metadata {
        &self.0
    }

    fn ignores_path_parameters(&self) -> bool {
        false
    }
}
