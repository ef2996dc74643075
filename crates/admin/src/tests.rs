//! Requests and their answers. Texts are those that Envoy 1.40 gave for the same state.

use std::rc::Rc;

use nuncio_matching::string::StringMatcher;

use super::*;
use crate::fake::{Fake, fake};

fn ask(server: &Rc<Fake>, method: &str, target: &str) -> (u16, &'static str, String) {
    ask_with(server, method, target, "", "")
}

fn ask_with(
    server: &Rc<Fake>,
    method: &str,
    target: &str,
    content_type: &str,
    body: &str,
) -> (u16, &'static str, String) {
    let admin = Admin::new(server.clone(), Vec::new());
    let response = admin.handle(&AdminRequest {
        method,
        path_and_query: target,
        content_type,
        body: body.as_bytes(),
    });
    let content_type = response.content_type;
    let body: Vec<u8> = response.body.flatten().collect();
    (
        response.status,
        content_type,
        String::from_utf8(body).unwrap(),
    )
}

const TEXT: &str = "text/plain; charset=UTF-8";

#[test]
fn short_answers() {
    let usage = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       or send the \
                 parameters as form values\nuse an empty value to remove a previously added \
                 override";
    let listeners = "{\n \"listener_statuses\": [\n  {\n   \"name\": \"l1\",\n   \
        \"local_address\": {\n    \"socket_address\": {\n     \"address\": \"127.0.0.1\",\n     \
        \"port_value\": 80\n    }\n   },\n   \"additional_local_addresses\": [\n    {\n     \
        \"pipe\": {\n      \"path\": \"/tmp/x\"\n     }\n    }\n   ]\n  }\n ]\n}\n";
    for (method, target, status, content_type, body) in [
        ("GET", "/ready", 200, TEXT, "LIVE\n"),
        ("DELETE", "/ready?x", 200, TEXT, "LIVE\n"),
        (
            "GET",
            "/quitquitquit",
            405,
            TEXT,
            "Method GET not allowed, POST required.",
        ),
        (
            "HEAD",
            "/healthcheck/fail",
            405,
            TEXT,
            "Method HEAD not allowed, POST required.",
        ),
        ("POST", "/quitquitquit", 200, TEXT, "OK\n"),
        ("POST", "/reopen_logs", 200, TEXT, "OK\n"),
        ("GET", "/hot_restart_version", 200, TEXT, "11.104"),
        ("GET", "//stats?filter=b", 200, TEXT, "server.<b>: 3\n"),
        (
            "GET",
            "/stats?filter=endpoint",
            200,
            TEXT,
            "cluster.a_c.endpoint.127.0.0.1_80.cx_total: 3\n",
        ),
        (
            "GET",
            "/stats?filter=%5E%73erver%5C.%3C",
            200,
            TEXT,
            "server.<b>: 3\n",
        ),
        (
            "GET",
            "/stats?filter=[",
            400,
            TEXT,
            "Invalid re2 regex: missing ]: [",
        ),
        (
            "GET",
            "/stats?format=json",
            200,
            "application/json",
            "{\"stats\":[{\"name\":\"server.<b>\",\"value\":3},\
             {\"name\":\"cluster.a_c.endpoint.127.0.0.1_80.cx_total\",\"value\":3}]}",
        ),
        (
            "GET",
            "/stats?format=x",
            400,
            TEXT,
            "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n",
        ),
        ("GET", "/clusters?filter=[", 400, TEXT, "Invalid re2 regex"),
        ("GET", "/clusters?filter=nothing", 200, TEXT, ""),
        (
            "GET",
            "/clusters?filter=nothing&format=json",
            200,
            "application/json",
            "{}\n",
        ),
        (
            "GET",
            "/listeners",
            200,
            TEXT,
            "l1::127.0.0.1:80\nl1::/tmp/x\n",
        ),
        (
            "GET",
            "/listeners?format=json",
            200,
            "application/json",
            listeners,
        ),
        (
            "GET",
            "/memory",
            200,
            "application/json",
            "{\n \"allocated\": \"5\",\n \"heap_size\": \"0\",\n \"pageheap_unmapped\": \"0\",\n \
             \"pageheap_free\": \"0\",\n \"total_thread_cache\": \"0\",\n \
             \"total_physical_bytes\": \"0\"\n}\n",
        ),
        (
            "GET",
            "/certs",
            200,
            "application/json",
            "{\n \"certificates\": []\n}\n",
        ),
        (
            "GET",
            "/init_dump?mask=listener",
            200,
            "application/json",
            "{}\n",
        ),
        ("POST", "/runtime_modify", 400, TEXT, usage),
        (
            "POST",
            "/runtime_modify?refuse=1",
            503,
            TEXT,
            "No admin layer specified",
        ),
        (
            "POST",
            "/heapprofiler",
            501,
            TEXT,
            "The current build does not support heap profiler",
        ),
        ("POST", "/cpuprofiler", 400, TEXT, "?enable=<y|n>\n"),
        (
            "GET",
            "/contention",
            200,
            TEXT,
            "Mutex contention tracing is not enabled. To enable, run Envoy with flag \
             --enable-mutex-tracing.",
        ),
    ] {
        let answer = ask(&fake(), method, target);
        assert_eq!(answer, (status, content_type, body.to_owned()), "{target}");
    }
}

#[test]
fn headers_of_every_answer() {
    let expected = [
        ("content-type", TEXT),
        ("cache-control", "no-cache, max-age=0"),
        ("x-content-type-options", "nosniff"),
    ];
    assert_eq!(AdminResponse::ok().headers(), expected);
}

#[test]
fn unknown_paths_show_the_help() {
    let (_, _, help) = ask(&fake(), "GET", "/help");
    assert!(
        help.starts_with("admin commands are:\n  /: Admin home page\n  /allocprofiler (POST): ")
    );
    assert!(help.contains("\n      format: File format to use; One of (text, json)\n"));
    for path in [
        "/nothing",
        "/stats/prometheus/",
        "/ready/",
        "/READY",
        "//",
        "",
    ] {
        let (status, _, text) = ask(&fake(), "GET", path);
        assert_eq!(
            (status, text),
            (404, format!("invalid path. {help}")),
            "{path}"
        );
    }
    let paths = COMMANDS.iter().map(|command| command.path);
    assert!(paths.is_sorted_by(|a, b| a < b));
}

#[test]
fn the_home_page_escapes() {
    let (status, content_type, page) = ask(&fake(), "GET", "/?x=<script>");
    assert_eq!((status, content_type), (200, "text/html; charset=UTF-8"));
    assert!(page.contains("&lt;logger_name1&gt;:&lt;desired_level1&gt;"));
    for part in [
        "<form action='stats/prometheus' method='get' id='stats-prometheus'>",
        "<form action='quitquitquit' method='post'",
        "<a href='certs'>certs</a>",
        "<input type='checkbox' name='graceful' id='param-drain_listeners-graceful'",
        "<option value='y'>y</option>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<script"));
}

#[test]
fn stats_stand_in_pages_too() {
    let path = "/stats?format=html&usedonly&type=Counters&filter=<b>|.";
    let (status, content_type, page) = ask(&fake(), "GET", path);
    assert_eq!((status, content_type), (200, "text/html; charset=UTF-8"));
    let (_, _, text) = ask(&fake(), "GET", "/stats?usedonly&type=Counters");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    let shown = format!("<pre id='stats-text'>\n{text}</pre>");
    assert!(page.contains(&shown), "{shown} is not in {page}");
    for part in [
        "<option value='Counters' selected>",
        "form='stats' onchange='this.form.submit()' checked>",
        "value='&lt;b&gt;|.'>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<b>") && !page.contains("<script"));
    let (_, _, page) = ask(&fake(), "GET", "/stats?format=active-html");
    assert!(page.contains("<script>") && page.contains("<pre id='stats-text'>\n</pre>"));
}

#[test]
fn lookups_are_tracked_when_that_is_asked_for() {
    let admin = fake();
    let list = || ask(&admin, "GET", "/stats/recentlookups").2;
    assert!(list().starts_with("Lookup tracking is not enabled."));
    let change = |how: &str| {
        let path = format!("/stats/recentlookups/{how}");
        assert_eq!(ask(&admin, "POST", &path).2, "OK\n");
    };
    change("clear");
    change("enable");
    assert_eq!(list(), "   Count Lookup\n\ntotal: 0\n");
    admin.stats().scope("a").counter("b");
    let listed = "   Count Lookup\n       1 a.b\n\ntotal: 1\n";
    assert_eq!(list(), listed);
    change("clear");
    assert_eq!(list(), "   Count Lookup\n\ntotal: 0\n");
    ask(&admin, "POST", "/stats/recentlookups/disable");
    assert!(list().starts_with("Lookup tracking is not enabled."));
}

#[test]
fn only_allowed_paths() {
    let allow = vec![
        StringMatcher::prefix("/ready", false),
        StringMatcher::exact("/stats?usedonly", false),
    ];
    let admin = Admin::new(fake(), allow);
    for (path, status) in [
        ("/ready", 200),
        ("//ready", 200),
        ("/ready?x", 200),
        ("/readyfoo", 404),
        ("/stats?usedonly", 200),
        ("/stats", 403),
        ("/", 403),
    ] {
        let response = admin.handle(&AdminRequest {
            method: "GET",
            path_and_query: path,
            content_type: "",
            body: b"",
        });
        assert_eq!(response.status, status, "{path}");
        if status == 403 {
            let text = format!("request to path {path} not allowed");
            assert_eq!(
                response.body.flatten().collect::<Vec<u8>>(),
                text.as_bytes()
            );
        }
    }
}

#[test]
fn what_the_server_is_asked() {
    let server = fake();
    for target in [
        "/drain_listeners?graceful&inboundonly",
        "/drain_listeners?skip_exit=x",
        "/runtime_modify?a=1&b=%20&c=",
        "/quitquitquit",
        "/config_dump?include_eds",
        "/stats",
    ] {
        assert_eq!(ask(&server, "POST", target).0, 200);
    }
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        ask_with(&server, "POST", "/runtime_modify", form, "a=b").0,
        200
    );
    assert_eq!(
        ask_with(&server, "POST", "/runtime_modify", "text/plain", "a=b").0,
        400
    );
    assert_eq!(
        server.asked.borrow()[..],
        [
            "DrainRequest { inbound_only: true, graceful: true, skip_exit: false }",
            "DrainRequest { inbound_only: false, graceful: false, skip_exit: true }",
            "modify [(\"a\", \"1\"), (\"b\", \" \"), (\"c\", \"\")]",
            "quit",
            "config_dump true",
            "before_stats",
            "modify [(\"a\", \"b\")]",
        ]
    );
    assert_eq!(ask(&server, "POST", "/reset_counters").0, 200);
    assert_eq!(server.counter.value(), 0);
    assert_eq!(ask(&server, "POST", "/healthcheck/fail").0, 200);
    assert_eq!(
        ask(&server, "GET", "/ready"),
        (503, TEXT, "DRAINING\n".to_owned())
    );
    assert_eq!(ask(&server, "POST", "/healthcheck/ok").0, 200);
    assert_eq!(ask(&server, "GET", "/ready").0, 200);
}

/// One test, since the levels are the process's.
#[test]
fn logging() {
    use nuncio_base::log::{Level, logger};
    let server = fake();
    for (query, error) in [
        ("", None),
        ("?level=", None),
        ("?http=debug", None),
        ("?level=loud", Some("unknown logger level")),
        ("?level=warn", Some("unknown logger level")),
        ("?nosuch=debug", Some("unknown logger name")),
        (
            "?paths=http",
            Some("empty logger name or empty logger level"),
        ),
        (
            "?paths=:debug",
            Some("empty logger name or empty logger level"),
        ),
        ("?paths=http:debug:info", Some("unknown logger level")),
        ("?paths=http:error,nosuch:info", Some("unknown logger name")),
        (
            "?level=info&http=debug",
            Some("invalid number of parameters"),
        ),
        (
            "?group=http:debug",
            Some("group parameter requires fine-grain logging to be enabled"),
        ),
        ("?paths=router:trace,,udp:off", None),
    ] {
        let (status, _, text) = ask(&server, "POST", &format!("/logging{query}"));
        match error {
            None => {
                assert_eq!(status, 200, "{query}");
                assert!(
                    text.starts_with("active loggers:\n  a2a: info\n  admin: "),
                    "{text}"
                );
            }
            Some(error) => {
                assert_eq!(status, 400, "{query}");
                let begin = format!(
                    "error: {error}\n\nusage: /logging?<name>=<level> (change single level)\n"
                );
                assert!(text.starts_with(&begin), "{query}: {text}");
                let levels =
                    "levels: trace debug info warning error critical off \nactive loggers:\n";
                assert!(text.contains(levels), "{text}");
            }
        }
        assert!(text.ends_with("\n\n"));
    }
    assert_eq!(logger::HTTP.level(), Level::Debug);
    assert_eq!(logger::ROUTER.level(), Level::Trace);
    assert_eq!(logger::UDP.level(), Level::Off);
    assert_eq!(ask(&server, "POST", "/logging?level=info").0, 200);
    assert_eq!(logger::UDP.level(), Level::Info);
}

#[test]
fn runtime() {
    let (_, content_type, text) = ask(&fake(), "GET", "/runtime");
    assert_eq!(content_type, "application/json");
    assert_eq!(
        text,
        "{\n \"entries\": {\n  \"a\": {\n   \"final_value\": \"x\",\n   \"layer_values\": [\n    \
         \"\",\n    \"x\"\n   ]\n  },\n  \"b\": {\n   \"final_value\": \"\\u003c1\\u003e\",\n   \
         \"layer_values\": [\n    \"\\u003c1\\u003e\",\n    \"\"\n   ]\n  }\n },\n \
         \"layers\": [\n  \"base\",\n  \"adm\"\n ]\n}\n"
    );
}

#[test]
fn clusters_as_text() {
    let (_, _, text) = ask(&fake(), "GET", "/clusters?filter=^s");
    let mut expected = String::from(
        "observability_name::alt outlier::success_rate_average::99.5 \
         outlier::success_rate_ejection_threshold::50 \
         outlier::local_origin_success_rate_average::-1 \
         outlier::local_origin_success_rate_ejection_threshold::-1 ",
    );
    for priority in ["default", "high"] {
        expected.push_str(&format!(
            "{priority}_priority::max_connections::1024 \
             {priority}_priority::max_pending_requests::1024 \
             {priority}_priority::max_requests::1024 {priority}_priority::max_retries::3 "
        ));
    }
    expected.push_str("added_via_api::false eds_service_name::eds ");
    for line in [
        "cx_active::1",
        "cx_total::1",
        "rq_active::0",
        "rq_error::0",
        "hostname::",
        "health_flags::/failed_active_hc/failed_eds_health",
        "weight::1",
        "region::r",
        "zone::z",
        "sub_zone::s",
        "canary::false",
        "priority::0",
        "success_rate::99.5",
        "local_origin_success_rate::-1",
    ] {
        expected.push_str(&format!("[::1]:81::{line} "));
    }
    let shown: String = text
        .lines()
        .map(|line| line.strip_prefix("sick::").unwrap().to_owned() + " ")
        .collect();
    assert_eq!(shown, expected);
    let (_, _, text) = ask(&fake(), "GET", "/clusters?filter=0");
    assert!(text.contains("u0::127.0.0.1:80::health_flags::healthy\n"));
}

#[test]
fn clusters_as_json() {
    let (_, _, text) = ask(&fake(), "GET", "/clusters?format=json&filter=sick");
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "{ \"cluster_statuses\": [ { \"name\": \"sick\", \"success_rate_ejection_threshold\": { \
         \"value\": 50 }, \"host_statuses\": [ { \"address\": { \"socket_address\": { \
         \"address\": \"::1\", \"port_value\": 81 } }, \"stats\": [ { \"value\": \"1\", \
         \"name\": \"cx_total\" }, { \"name\": \"rq_error\" }, { \"type\": \"GAUGE\", \
         \"value\": \"1\", \"name\": \"cx_active\" }, { \"type\": \"GAUGE\", \
         \"name\": \"rq_active\" } ], \"health_status\": { \
         \"failed_active_health_check\": true, \"eds_health_status\": \"UNHEALTHY\" }, \
         \"success_rate\": { \"value\": 99.5 }, \"weight\": 1, \"locality\": { \
         \"region\": \"r\", \"zone\": \"z\", \"sub_zone\": \"s\" } } ], \"circuit_breakers\": { \
         \"thresholds\": [ { \"max_connections\": 1024, \"max_pending_requests\": 1024, \
         \"max_requests\": 1024, \"max_retries\": 3 }, { \"priority\": \"HIGH\", \
         \"max_connections\": 1024, \"max_pending_requests\": 1024, \"max_requests\": 1024, \
         \"max_retries\": 3 } ] }, \"observability_name\": \"alt\", \
         \"eds_service_name\": \"eds\" } ] }"
    );
}

#[test]
fn server_info() {
    let (_, _, text) = ask(&fake(), "GET", "/server_info");
    let keys: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(" \""))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert_eq!(
        keys,
        [
            "version",
            "state",
            "uptime_current_epoch",
            "uptime_all_epochs",
            "hot_restart_version",
            "command_line_options",
            "node",
            "hot_restart_initializing"
        ]
    );
    for line in [
        " \"state\": \"LIVE\",",
        " \"uptime_current_epoch\": \"2s\",",
        "  \"base_id\": \"0\",",
        "  \"concurrency\": 1,",
        "  \"local_address_ip_version\": \"v4\",",
        "  \"log_format\": \"[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v\",",
        "  \"file_flush_interval\": \"10s\",",
        "  \"mode\": \"Serve\",",
        "  \"drain_strategy\": \"Gradual\",",
        "  \"stats_tag\": [],",
        "  \"socket_mode\": 0,",
        "  \"id\": \"n1\",",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn config_dumps() {
    let compact = |target: &str| {
        let (status, content_type, text) = ask(&fake(), "GET", target);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(content_type == "application/json", status == 200);
        let text = words.join(" ").replace("type.googleapis.com/envoy.", "");
        format!("{status} {text}")
    };
    let section = |name: &str, rest: &str| format!("{{ \"@type\": \"admin.v3.{name}\"{rest} }}");
    let cluster = |name: &str, rest: &str| {
        let kind = "\"@type\": \"config.cluster.v3.Cluster\"";
        let cluster = format!(", \"cluster\": {{ {kind}, \"name\": \"{name}\"{rest} }}");
        section("ClustersConfigDump.StaticCluster", &cluster)
    };
    let full = ", \"metadata\": {}, \"alt_stat_name\": \"alt\"";
    let dump = |configs: &[String]| format!("200 {{ \"configs\": [ {} ] }}", configs.join(", "));
    for (query, expected) in [
        (
            "?mask=bootstrap.node.id",
            dump(&[section(
                "BootstrapConfigDump",
                ", \"bootstrap\": { \"node\": { \"id\": \"n1\" } }",
            )]),
        ),
        (
            "?mask=static_secrets",
            dump(&[section("SecretsConfigDump", "")]),
        ),
        (
            "?resource=static_clusters",
            dump(&[cluster("a", full), cluster("b", full)]),
        ),
        (
            "?resource=static_clusters&name_regex=[b-z]",
            dump(&[cluster("b", full)]),
        ),
        (
            "?resource=static_clusters&mask=cluster.name",
            dump(&[cluster("a", ""), cluster("b", "")]),
        ),
        (
            "?resource=static_clusters&mask=cluster",
            dump(&[cluster("a", full), cluster("b", full)]),
        ),
        (
            "?resource=static_clusters&mask=cluster.load_assignment,cluster.alt_stat_name,\
             last_updated&\
             name_regex=a",
            dump(&[cluster("a", "").replace("\"name\": \"a\"", "\"alt_stat_name\": \"alt\"")]),
        ),
        ("?resource=static_secrets", "200 {}".to_owned()),
        (
            "?resource=static_clusters&name_regex=zzz",
            "200 {}".to_owned(),
        ),
        (
            "?resource=no_such",
            "404 no_such not found in config dump".to_owned(),
        ),
        (
            "?resource=bootstrap",
            "400 bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field"
                .to_owned(),
        ),
        (
            "?mask=foo",
            "400 FieldMask foo could not be successfully applied to any configs.".to_owned(),
        ),
        (
            "?mask=static_clusters.cluster.name",
            "400 FieldMask static_clusters.cluster.name could not be successfully applied to any \
             configs."
                .to_owned(),
        ),
        (
            "?resource=static_clusters&mask=cluster.foo",
            "400 FieldMask paths: \"cluster.foo\" could not be successfully used.".to_owned(),
        ),
        (
            "?resource=static_clusters&mask=name",
            "400 FieldMask paths: \"name\" could not be successfully used.".to_owned(),
        ),
    ] {
        assert_eq!(
            compact(&format!("/config_dump{query}")),
            expected,
            "{query}"
        );
    }
    let all = compact("/config_dump?mask=&resource=&name_regex=");
    for name in [
        "BootstrapConfigDump",
        "ClustersConfigDump",
        "SecretsConfigDump",
    ] {
        assert!(
            all.contains(&format!("\"@type\": \"admin.v3.{name}\"")),
            "{all}"
        );
    }
    let (status, _, text) = ask(&fake(), "GET", "/config_dump?name_regex=[bad");
    assert_eq!(status, 400);
    assert_eq!(
        text,
        "INVALID_ARGUMENT: Error while parsing name_regex from [bad: missing ]: [bad"
    );
}
