//! Nanoseconds of a log line: `cargo bench -p nuncio-observe`.

use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::metadata::Value;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_observe::access_log::{AccessLogManager, Destination, FlushSettings};
use nuncio_observe::formatter::DEFAULT_FORMAT;
use nuncio_observe::{AccessLogType, FormatCx, FormatOptions, Formatter};
use nuncio_stats::Store;
use nuncio_stream_info::{ConnectionInfo, Protocol, StreamInfo, Timings, UpstreamInfo};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const ROUNDS: u32 = 300_000;

/// The format that Istio's mesh logs with.
const ISTIO_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% \
    %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
    \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
    %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% \
    %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

fn ip(text: &str) -> Address {
    Address::Ip(text.parse().expect("an address of this file"))
}

fn stream_info() -> StreamInfo {
    let start = nuncio_base::time::monotonic();
    let wall: SystemTime = nuncio_base::time::wall();
    let connection = ConnectionInfo::new(
        1,
        ip("127.0.0.1:10000"),
        ip("127.0.0.1:40000"),
        (start, wall),
    );
    let mut info = StreamInfo::new(Rc::new(connection), Timings::new(wall, start));
    info.protocol = Some(Protocol::Http11);
    info.response_code = Some(200);
    info.response_code_details = Some("via_upstream".into());
    info.bytes_sent = 1024;
    info.timings.end = Some(start + Duration::from_millis(3));
    info.upstream = Some(Box::new(UpstreamInfo {
        address: Some(ip("10.0.0.1:8080")),
        local_address: Some(ip("10.0.0.2:50000")),
        connection_id: Some(2),
        ..UpstreamInfo::default()
    }));
    info
}

fn measure(name: &str, mut work: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start: Instant = nuncio_base::time::monotonic();
        for _ in 0..ROUNDS {
            work();
        }
        best = best.min(start.elapsed());
    }
    println!(
        "{name:32} {:6.1} ns",
        best.as_nanos() as f64 / f64::from(ROUNDS)
    );
}

fn main() {
    let request = HeaderMap::from_iter([
        (":method", "GET"),
        (":authority", "service.example.com"),
        (":path", "/api/v1/items?page=2"),
        (":scheme", "http"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "268f291d-4274-484a-936b-c7cb141c5102"),
    ]);
    let response = HeaderMap::from_iter([
        (":status", "200"),
        ("content-length", "1024"),
        ("x-envoy-upstream-service-time", "2"),
        ("server", "envoy"),
    ]);
    let info = stream_info();
    let flags = RuntimeFlags::default();
    let cx = FormatCx {
        info: &info,
        request_headers: Some(&request),
        response_headers: Some(&response),
        response_trailers: None,
        local_reply_body: "",
        log_type: AccessLogType::DownstreamEnd,
        now: info.timings.start,
        wall: info.timings.start_time,
        random: &|| 1,
        flags: &flags,
    };
    let json = ISTIO_FORMAT
        .split(['"', ' ', '[', ']', '\n'])
        .filter(|command| command.starts_with('%') && command.ends_with('%'))
        .map(|command| {
            let name = command.trim_matches('%').to_ascii_lowercase();
            (name, Value::Text(command.into()))
        });
    let json = Value::Struct(Arc::new(json.collect::<BTreeMap<_, _>>()));
    let mut out = Vec::with_capacity(4096);
    for (name, formatter) in [
        ("default text", Formatter::parse(DEFAULT_FORMAT)),
        ("istio text", Formatter::parse(ISTIO_FORMAT)),
        (
            "istio json",
            Formatter::json(&json, FormatOptions::default()),
        ),
    ] {
        let formatter = formatter.expect("a format of this file");
        measure(name, || {
            out.clear();
            formatter.append(black_box(&cx), &mut out);
            black_box(&out);
        });
    }
    let store = Store::default();
    let manager = AccessLogManager::new(FlushSettings::default(), &store);
    let file = manager.file(&Destination::Path("/dev/null".into()));
    let file = file.expect("/dev/null opens");
    let format = Formatter::access_log_default();
    let ran = nuncio_worker::run_main(|worker| async move {
        let local = file.local(&worker);
        measure("default text into a file", || {
            local.append(cx.now, |out| format.append(black_box(&cx), out));
        });
    });
    ran.expect("a worker starts");
    manager.shutdown(Duration::from_secs(1));
}
