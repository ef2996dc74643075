//! Access logs from config to lines.

use super::file::FileAccessLogger;
use super::stream::{StderrAccessLogger, StdoutAccessLogger};
use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_config::access_log::{access_log_path, access_logs};
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{ParseCx, Registry, ServerEnv};
use nuncio_observe::access_log::{AccessLogManager, FlushSettings};
use nuncio_observe::{AccessLogSpec, AccessLogType, FormatCx};
use nuncio_proto::envoy::config::accesslog::v3::AccessLog;
use nuncio_proto::{Format, Options, load, reflect};
use nuncio_stats::Store;
use nuncio_stream_info::{ConnectionInfo, ResponseFlag, StreamInfo, Timings};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static REGISTRY: Registry = Registry {
    access_loggers: &[&FileAccessLogger, &StderrAccessLogger, &StdoutAccessLogger],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[],
    upstream_sockets: &[],
};

/// A server's environment, and a file to log to.
struct Bench {
    env: Rc<ServerEnv>,
    manager: Arc<AccessLogManager>,
    path: PathBuf,
}

impl Bench {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nuncio-log-{}-{number}", std::process::id());
        let store = Store::default();
        let workers = Vec::new();
        let env = ServerEnv::new(&REGISTRY, store, workers, NodeInfo::default(), false);
        let manager = env.shared(|| AccessLogManager::new(FlushSettings::default(), &env.store));
        let path = std::env::temp_dir().join(name);
        let manager = Arc::clone(&manager);
        Self { env, manager, path }
    }

    /// Parses one access log in YAML; `PATH` stands for the file. What was refused comes as one
    /// line per error.
    fn parse(&self, yaml: &str) -> Result<AccessLogSpec, String> {
        let yaml = yaml.replace("PATH", &self.path.display().to_string());
        let message = reflect::message("envoy.config.accesslog.v3.AccessLog").unwrap();
        let loaded = load::text("t.yaml", &yaml, Format::Yaml, message, &Options::default());
        let proto: AccessLog = loaded.map_err(|why| why.to_string())?.decode().unwrap();
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let parsed = access_logs(&mut cx, "access_log", vec![proto]);
        let (errors, _) = cx.finish();
        match (parsed, errors.is_empty()) {
            (Ok(mut specs), true) => Ok(specs.remove(0)),
            _ => Err(errors.iter().map(|error| format!("{error}\n")).collect()),
        }
    }

    /// Logs a moment and reads what was written.
    fn log(self, spec: &AccessLogSpec, info: &StreamInfo, request: &HeaderMap) -> String {
        let flags = RuntimeFlags::default();
        let cx = FormatCx {
            info,
            request_headers: Some(request),
            response_headers: None,
            response_trailers: None,
            local_reply_body: "",
            log_type: AccessLogType::DownstreamEnd,
            now: info.timings.start,
            wall: info.timings.start_time,
            random: &|| 50,
            flags: &flags,
        };
        let logged = nuncio_worker::run_main(|worker| async move {
            spec.localize(&worker).log(&cx);
        });
        logged.unwrap();
        assert!(self.manager.shutdown(Duration::from_secs(5)));
        let text = std::fs::read_to_string(&self.path).unwrap();
        std::fs::remove_file(&self.path).unwrap();
        text
    }
}

fn stream_info() -> StreamInfo {
    let start = nuncio_base::time::monotonic();
    let address = || Address::Ip("127.0.0.1:1".parse().unwrap());
    let time = (start, std::time::UNIX_EPOCH);
    let connection = ConnectionInfo::new(1, address(), address(), time);
    let mut info = StreamInfo::new(Rc::new(connection), Timings::new(time.1, start));
    info.response_code = Some(404);
    info.set_flag(ResponseFlag::NoRouteFound);
    info
}

fn request() -> HeaderMap {
    HeaderMap::from_iter([(":method", "GET"), (":path", "/p?q"), ("x-a", "b")])
}

const FILE: &str = "typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: PATH";

#[test]
fn formats_of_the_file_logger() {
    for (format, expected) in [
        (
            "",
            "[1970-01-01T00:00:00.000Z] \"GET /p?q -\" 404 NR 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\"\n",
        ),
        (
            ", format: ''",
            "[1970-01-01T00:00:00.000Z] \"GET /p?q -\" 404 NR 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\"\n",
        ),
        (", format: '%RESPONSE_CODE%|'", "404|"),
        (
            ", json_format: {a: '%RESPONSE_CODE%', n: '%REQ(n)%'}",
            "{\"a\":404,\"n\":null}\n",
        ),
        (
            ", typed_json_format: {a: '%RESPONSE_CODE%', b: [1, {c: x}]}",
            "{\"a\":404,\"b\":[1,{\"c\":\"x\"}]}\n",
        ),
        (", log_format: {text_format: 'a%REQ(n)%'}", "a-"),
        (
            ", log_format: {text_format_source: {inline_string: 'a%REQ(n)%b'}, omit_empty_values: true}",
            "ab",
        ),
        (
            ", log_format: {json_format: {b: '%REQ(n)%', a: '%REQ(x-a)%'}, omit_empty_values: true, json_format_options: {sort_properties: true}}",
            "{\"a\":\"b\"}\n",
        ),
        (
            ", log_format: {text_format_source: {inline_string: '%REQ_WITHOUT_QUERY(:path)%'}, formatters: [{name: q, typed_config: {'@type': type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery}}]}",
            "/p",
        ),
        (
            ", log_format: {text_format_source: {inline_string: '%METADATA(ROUTE:a)%'}, formatters: [{name: m, typed_config: {'@type': type.googleapis.com/envoy.extensions.formatter.metadata.v3.Metadata}}]}",
            "-",
        ),
    ] {
        let bench = Bench::new();
        let spec = bench.parse(&format!("{{name: f, {FILE}{format}}}}}"));
        let spec = spec.unwrap_or_else(|why| panic!("{format}: {why}"));
        let text = bench.log(&spec, &stream_info(), &request());
        assert_eq!(text, expected, "{format}");
    }
}

#[test]
fn filters() {
    for (filter, logged) in [
        (
            "status_code_filter: {comparison: {op: GE, value: {default_value: 400}}}",
            true,
        ),
        (
            "status_code_filter: {comparison: {value: {default_value: 200, runtime_key: k}}}",
            false,
        ),
        (
            "duration_filter: {comparison: {op: LE, value: {default_value: 5, runtime_key: k}}}",
            true,
        ),
        (
            "duration_filter: {comparison: {op: NE, value: {runtime_key: k}}}",
            false,
        ),
        ("not_health_check_filter: {}", true),
        ("traceable_filter: {}", false),
        ("runtime_filter: {runtime_key: k}", false),
        (
            "runtime_filter: {runtime_key: k, percent_sampled: {numerator: 51}}",
            true,
        ),
        (
            "runtime_filter: {runtime_key: k, percent_sampled: {numerator: 50}, use_independent_randomness: true}",
            false,
        ),
        (
            "and_filter: {filters: [{not_health_check_filter: {}}, {traceable_filter: {}}]}",
            false,
        ),
        (
            "or_filter: {filters: [{not_health_check_filter: {}}, {traceable_filter: {}}]}",
            true,
        ),
        (
            "header_filter: {header: {name: X-A, string_match: {exact: b}}}",
            true,
        ),
        (
            "header_filter: {header: {name: x-n, present_match: true}}",
            false,
        ),
        ("response_flag_filter: {}", true),
        ("response_flag_filter: {flags: [UF, NR]}", true),
        ("response_flag_filter: {flags: [UF]}", false),
        ("grpc_status_filter: {statuses: [UNIMPLEMENTED]}", true),
        (
            "grpc_status_filter: {statuses: [UNIMPLEMENTED], exclude: true}",
            false,
        ),
        ("metadata_filter: {}", true),
        (
            "metadata_filter: {matcher: {filter: f, path: [{key: k}], value: {present_match: true}}, match_if_key_not_found: false}",
            false,
        ),
        ("log_type_filter: {types: [DownstreamEnd]}", true),
        (
            "log_type_filter: {types: [DownstreamEnd], exclude: true}",
            false,
        ),
        ("log_type_filter: {types: [TcpConnectionStart]}", false),
    ] {
        let bench = Bench::new();
        let spec = bench.parse(&format!(
            "{{name: f, filter: {{{filter}}}, {FILE}, format: x}}}}"
        ));
        let spec = spec.unwrap_or_else(|why| panic!("{filter}: {why}"));
        let text = bench.log(&spec, &stream_info(), &request());
        assert_eq!(text, if logged { "x" } else { "" }, "{filter}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let formatter = |name: &str| {
        format!(
            "{FILE}, log_format: {{text_format_source: {{inline_string: x}}, formatters: [{{name: q, typed_config: {{'@type': type.googleapis.com/{name}}}}}]}}}}"
        )
    };
    for (log, expected) in [
        (format!("{FILE}, log_format: {{text_format_source: {{inline_string: '%NO_SUCH_THING%'}}}}}}"), "Not supported field in StreamInfo: NO_SUCH_THING"),
        (format!("{FILE}, log_format: {{text_format_source: {{inline_string: '%REQ(a'}}}}}}"), "Incorrect configuration: %REQ(a. Couldn't find valid command at position 0"),
        (format!("{FILE}, json_format: {{a: '%NO%'}}}}"), "access_log[0].typed_config.json_format: Not supported field in StreamInfo: NO"),
        (format!("{FILE}, log_format: {{text_format_source: {{filename: /nonexistent}}}}}}"), "/nonexistent"),
        (format!("{FILE}, log_format: {{text_format_source: {{environment_variable: NUNCIO_NONE}}}}}}"), "Environment variable doesn't exist: NUNCIO_NONE"),
        (formatter("envoy.extensions.formatter.cel.v3.Cel"), "envoy.extensions.formatter.cel.v3.Cel"),
        (formatter("google.protobuf.Struct"), "Formatter not found: q"),
        ("typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /nonexistent/log}".into(), "unable to open file '/nonexistent/log': No such file or directory"),
        ("filter: {}".into(), "filter_specifier"),
        ("typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig, common_config: {log_name: l, grpc_service: {envoy_grpc: {cluster_name: c}}}}".into(), "HttpGrpcAccessLogConfig"),
        (format!("filter: {{extension_filter: {{name: cel, typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter, expression: 'true'}}}}}}, {FILE}}}"), "ExpressionFilter"),
        ("filter: {not_health_check_filter: {}}".into(), "Didn't find a registered implementation for 'f' with type URL: ''"),
    ] {
        let bench = Bench::new();
        let error = bench.parse(&format!("{{name: f, {log}}}")).err().expect(&log);
        assert!(error.contains(expected), "{log}: {error}");
        let _ = std::fs::remove_file(&bench.path);
    }
}

#[test]
fn standard_streams_and_the_old_path_field() {
    let bench = Bench::new();
    let type_url = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3";
    for config in ["StdoutAccessLog", "StderrAccessLog"] {
        for format in [
            "",
            ", log_format: {text_format_source: {inline_string: ''}}",
        ] {
            let yaml =
                format!("{{name: f, typed_config: {{'@type': {type_url}.{config}{format}}}}}");
            assert!(bench.parse(&yaml).is_ok(), "{yaml}");
        }
    }
    let mut cx = ParseCx::new(Rc::clone(&bench.env));
    let none = access_log_path(&mut cx, "access_log_path", String::new());
    assert!(matches!(none, Ok(None)));
    let path = bench.path.display().to_string();
    let Ok(Some(spec)) = access_log_path(&mut cx, "access_log_path", path) else {
        panic!("{:?}", cx.finish());
    };
    let text = bench.log(&spec, &stream_info(), &request());
    assert!(
        text.starts_with("[1970-01-01T00:00:00.000Z] \"GET /p?q -\" 404"),
        "{text}"
    );
}
