//! What Envoy 1.40 prints and refuses, case by case.

use super::*;
use crate::fixture::{Facts, fields, text};
use nuncio_base::address::Address;
use nuncio_base::random::Random;
use nuncio_stream_info::ResponseFlag;
use std::rc::Rc;

fn format_text(format: &str, facts: &Facts, options: FormatOptions) -> Vec<u8> {
    let formatter = Formatter::with_options(format, options)
        .unwrap_or_else(|why| panic!("{format:?} is refused: {why}"));
    let mut out = Vec::new();
    formatter.append(&facts.cx(), &mut out);
    out
}

#[track_caller]
fn check_with(facts: &Facts, options: FormatOptions, cases: &[(&str, &str)]) {
    for (format, expected) in cases {
        let out = format_text(format, facts, options);
        assert_eq!(String::from_utf8_lossy(&out), *expected, "{format:?}");
    }
}

#[track_caller]
fn check(facts: &Facts, cases: &[(&str, &str)]) {
    check_with(facts, FormatOptions::default(), cases);
}

fn format_json(format: Value, facts: &Facts, options: FormatOptions) -> String {
    let mut out = Vec::new();
    Formatter::json(&format, options)
        .unwrap()
        .append(&facts.cx(), &mut out);
    String::from_utf8(out).unwrap()
}

const OMIT: FormatOptions = FormatOptions {
    omit_empty_values: true,
    req_without_query: false,
};

#[test]
fn the_default_format() {
    check(
        &Facts::proxied(),
        &[(
            DEFAULT_FORMAT,
            "[2026-11-21T08:09:48.267Z] \"GET /old%20?q HTTP/1.1\" 200 - 100000 12 5 3 \
             \"203.0.113.9\" \"agent/1\" \"268f291d-4274-484a-936b-c7cb141c5102\" \
             \"parity.test\" \"10.0.0.1:80\"\n",
        )],
    );
    check(
        &Facts::bare(),
        &[(
            DEFAULT_FORMAT,
            "[2026-11-21T08:09:48.267Z] \"- - -\" 0 - 0 0 20 - \"-\" \"-\" \"-\" \"-\" \"-\"\n",
        )],
    );
    Formatter::access_log_default();
}

#[test]
fn headers_paths_and_queries() {
    check(
        &Facts::proxied(),
        &[
            (
                "%REQ(x-no?x-yes)%|%REQ(X-YES):3%|%REQ(nope)%|%REQ(?x-yes)%",
                "abcdef|abc|-|abcdef",
            ),
            (
                "%REQUEST_HEADER(x-yes)% %RESPONSE_HEADER(x-up)%",
                "abcdef va\"l",
            ),
            (
                "%RESP(X-UP)%|%TRAILER(x-t)%|%RESPONSE_TRAILER(x-t)%|%TRAILER(a)%",
                "va\"l|tt|tt|-",
            ),
            (
                "%PATH%|%PATH(NQ)%|%PATH(WQ:PATH)%",
                "/old%20?q|/old%20|/new?x=1&y=%41b&x=2&=e",
            ),
            ("%PATH(NQ:PATH)%|%PATH(:ORIG):4%|%PATH():2%", "/new|/old|/o"),
            (
                "%QUERY_PARAMS%|%QUERY_PARAMS(DECODED)%",
                "x=1&y=%41b&x=2&=e|x=1&y=Ab&x=2&=e",
            ),
            (
                "%QUERY_PARAM(x)%|%QUERY_PARAM(y)%|%QUERY_PARAM(z)%|%QUERY_PARAM(y):1%",
                "1|Ab|-|A",
            ),
            (
                "%REQUESTED_SERVER_NAME%|%REQUESTED_SERVER_NAME(SNI_FIRST)%",
                "-|parity.test",
            ),
            ("%REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)%", "-"),
            ("%REQUEST_HEADERS_BYTES% %RESPONSE_TRAILERS_BYTES%", "224 5"),
            (
                "%LOCAL_REPLY_BODY%|%ACCESS_LOG_TYPE%",
                "sorry|DownstreamEnd",
            ),
        ],
    );
    let without_query = FormatOptions {
        req_without_query: true,
        ..FormatOptions::default()
    };
    check_with(
        &Facts::proxied(),
        without_query,
        &[(
            "%REQ_WITHOUT_QUERY(:PATH)%|%REQ_WITHOUT_QUERY(x-none?:PATH):3%",
            "/new|/ne",
        )],
    );
}

#[test]
fn query_strings() {
    let mut facts = Facts::proxied();
    facts
        .request
        .set(":path", b"/a?x=a+b%2&e&n=&k%20y=z%zz%0a%FF%22%4");
    let bytes = format_text("%QUERY_PARAM(k y)%", &facts, FormatOptions::default());
    assert_eq!(bytes, b"z%zz%0a\xff\"%4");
    check(
        &facts,
        &[
            (
                "%QUERY_PARAM(x)%|%QUERY_PARAM(e)%|%QUERY_PARAM(n)%",
                "a+b%2||",
            ),
            (
                "%QUERY_PARAM(k)%|%QUERY_PARAM(k%20y)%|%QUERY_PARAM(k yz)%",
                "-|-|-",
            ),
            (
                "%QUERY_PARAMS(DECODED)%",
                "x=a+b2&e&n=&k%20y=zzz%0a%FF%22%4",
            ),
        ],
    );
    facts
        .request
        .set(":path", b"/a?%41%2g|%g2|%%41|%5b%5D%7b|%|%25");
    check(&facts, &[("%QUERY_PARAMS(DECODED)%", "A2g|g2|A|[]%7b||%")]);
}

#[test]
fn a_forged_server_name_is_made_harmless() {
    let mut facts = Facts::proxied();
    let connection = Rc::get_mut(&mut facts.info.connection).unwrap();
    connection.requested_server_name = Some("a\r\nb c_d.É-1".into());
    check(
        &facts,
        &[("%REQUESTED_SERVER_NAME%", "invalid:a__b_c_d.__-1")],
    );
}

#[test]
fn a_host_name_is_printed_as_it_came() {
    let mut facts = Facts::proxied();
    let connection = Rc::get_mut(&mut facts.info.connection).unwrap();
    connection.requested_server_name = Some("a_b.C-1".into());
    check(
        &facts,
        &[(
            "%REQUESTED_SERVER_NAME(SNI_FIRST)% %REQUESTED_SERVER_NAME(HOST_FIRST)%",
            "a_b.C-1 parity.test",
        )],
    );
}

#[test]
fn facts_of_the_stream() {
    let mut facts = Facts::proxied();
    check(
        &facts,
        &[
            (
                "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%",
                "200 via_upstream",
            ),
            ("%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", "via upstream"),
            (
                "%CONNECTION_TERMINATION_DETAILS% %ROUTE_NAME% %VIRTUAL_CLUSTER_NAME%",
                "- r1 -",
            ),
            (
                "%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_PROTOCOL%",
                "alt u0 HTTP/2",
            ),
            (
                "%UPSTREAM_HOST% %UPSTREAM_HOST_NAME%",
                "10.0.0.1:80 up.test:80",
            ),
            (
                "%UPSTREAM_HOST_NAME_WITHOUT_PORT% %UPSTREAM_LOCAL_PORT%",
                "up.test 58608",
            ),
            (
                "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_CONNECTION_ID%",
                "1 2",
            ),
            (
                "%UPSTREAM_CONNECTION_POOL_READY_DURATION% %CONNECTION_ID%",
                "1 3",
            ),
            (
                "%DOWNSTREAM_WIRE_BYTES_RECEIVED% %DOWNSTREAM_HEADER_BYTES_SENT%",
                "63 117",
            ),
            (
                "%UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT% %BYTES_RETRANSMITTED%",
                "0 0",
            ),
            ("%STREAM_ID%", "268f291d-4274-484a-936b-c7cb141c5102"),
            ("%UNIQUE_ID%", "00000000-0000-4007-8000-000000000007"),
            (
                "%DOWNSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_LOCAL_CLOSE_REASON%",
                "Normal -",
            ),
            (
                "%LISTENER_NAME% %FILTER_CHAIN_NAME% [%CUSTOM_FLAGS%]",
                "lis - []",
            ),
            (
                "%DOWNSTREAM_PEER_URI_SAN% %UPSTREAM_TLS_VERSION% %TRACE_ID%",
                "- - -",
            ),
            (
                "%DOWNSTREAM_PEER_CERT_V_START(%Y)% %TLS_JA3_FINGERPRINT%",
                "- -",
            ),
            (
                "%ENVIRONMENT(NUNCIO_NO_SUCH)% %ENVIRONMENT(A=B)% 100%%",
                "- - 100%",
            ),
            (
                "%UPSTREAM_HOSTS_ATTEMPTED%|%UPSTREAM_CONNECTION_IDS_ATTEMPTED%",
                "10.0.0.1:80|2",
            ),
        ],
    );
    facts.info.set_flag(ResponseFlag::FaultInjected);
    facts.info.set_flag(ResponseFlag::DelayInjected);
    let upstream = facts.info.upstream_mut();
    upstream.transport_failure_reason = Some("delayed_connect_error: refused".into());
    check(
        &facts,
        &[
            (
                "%RESPONSE_FLAGS%|%RESPONSE_FLAGS_LONG%",
                "FI,DI|FaultInjected,DelayInjected",
            ),
            (
                "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
                "delayed_connect_error:_refused",
            ),
            ("%UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%", "10.0.0.1"),
            ("%UPSTREAM_HOST_NAMES_ATTEMPTED%", "up.test:80"),
            ("%UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT%", "up.test"),
            ("%UPSTREAM_CONNECTION_IDS_ATTEMPTED%", "2"),
        ],
    );
    let upstream = facts.info.upstream_mut();
    upstream.set_remote_address(&Address::Ip("[2001:db8::7]:81".parse().unwrap()));
    let other = "%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_PORT%";
    check(&facts, &[(other, "10.0.0.1:80 [2001:db8::7]:81 81")]);
    facts.info.upstream_mut().connection_id = None;
    check(
        &facts,
        &[(
            "%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_REMOTE_ADDRESS%",
            "- -",
        )],
    );
}

#[test]
fn addresses() {
    check(
        &Facts::proxied(),
        &[
            (
                "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%",
                "127.0.0.1:10000 10000",
            ),
            (
                "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT%",
                "203.0.113.9:0 0",
            ),
            (
                "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
                "127.1.2.3",
            ),
            (
                "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%",
                "203.0.0.0/16",
            ),
            (
                "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(33)%",
                "203.0.113.9/32",
            ),
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(0)%", "0.0.0.0/0"),
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)%", "203.0.113.9"),
            ("[%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(-1)%]", "[]"),
            ("[%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%]", "[]"),
            (
                "%UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_PORT%",
                "10.0.0.1:80 80",
            ),
        ],
    );
    check(
        &Facts::bare(),
        &[
            (
                "%DOWNSTREAM_LOCAL_ADDRESS% [%DOWNSTREAM_LOCAL_PORT%]",
                "/tmp/sock []",
            ),
            ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "/tmp/sock"),
            ("%DOWNSTREAM_REMOTE_ADDRESS%", "[2001:db8::1]:7"),
            ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "2001:db8::1"),
            (
                "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(29)%",
                "2001:db8::/29",
            ),
            (
                "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(999)%",
                "2001:db8::1/128",
            ),
            (
                "%UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_REMOTE_PORT%",
                "- - -",
            ),
        ],
    );
    let mut facts = Facts::proxied();
    let upstream = facts.info.upstream.as_mut().unwrap();
    upstream.local_address = Some(Address::Pipe("".into()));
    check(&facts, &[("%UPSTREAM_LOCAL_ADDRESS%", "-")]);
}

#[test]
fn durations_and_times() {
    check(
        &Facts::proxied(),
        &[
            (
                "%DURATION% %REQUEST_DURATION% %REQUEST_TX_DURATION%",
                "5 0 1",
            ),
            (
                "%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %ROUNDTRIP_DURATION%",
                "3 1 -",
            ),
            ("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)%", "84"),
            ("%COMMON_DURATION(DS_TX_END:DS_RX_BEG:ns)%", "-5100000"),
            ("%COMMON_DURATION(US_TX_BEG:US_RX_END)%", "3"),
            ("%COMMON_DURATION(DS_RX_BEG:mine:us)%", "-"),
            ("%COMMON_DURATION(DS_CX_BEG:DS_CX_END:us)%", "-"),
            (
                "%START_TIME(%Y/%m/%dT%H:%M:%S%z %6f %9f)%",
                "2026/11/21T08:09:48+0000 267349 267349000",
            ),
            (
                "%START_TIME(%s.%3f)% %EMIT_TIME(%s)%",
                "1795248588.267 1795248589",
            ),
            (
                "%START_TIME(%f %1f %4f %E3S %E*S %e|%k|%l)%",
                "267349000 2 2673 48.267 48.267349 21| 8| 8",
            ),
            ("%START_TIME(%P %p %Z %z %Ez)%", "am AM UTC +0000 +00:00"),
            (
                "%START_TIME(%D|%F|%T|%R|%c)%",
                "11/21/26|2026-11-21|08:09:48|08:09|Sat Nov 21 08:09:48 2026",
            ),
            (
                "%START_TIME(%x|%X|%r|%j|%U|%W)%",
                "11/21/26|08:09:48|08:09:48 AM|325|46|46",
            ),
            (
                "%START_TIME(%G|%g|%V|%u|%w|%y|%C|%h|%B|%b|%A|%a)%",
                "2026|26|47|6|6|26|20|Nov|November|Nov|Saturday|Sat",
            ),
            (
                "%START_TIME(%q|%Q|%E4Y|%ET|%Ef|%4s|%%|%)%",
                "%q|%Q|2026|T|%Ef|1795248588|%|%",
            ),
            (
                "%START_TIME(%E9S %5e %-d %_H %^b %#b %010Y %E3f)%",
                "48.267349000    21 21  8 NOV NOV 0000002026 267",
            ),
            (
                "%START_TIME(%3N %N %O %Od %EY %Oy %+ %v)%",
                "%3N %N %O 21 2026 26 %+ %v",
            ),
            ("%START_TIME(%é)%", "%é"),
        ],
    );
}

#[test]
fn metadata_and_filter_state() {
    let list = "[1e+21,\"é\\u0001\\\"<\"]";
    check(
        &Facts::proxied(),
        &[
            (
                "%DYNAMIC_METADATA(my.dyn:k)%|%DYNAMIC_METADATA(my.dyn:o:x)%",
                "v|y",
            ),
            (
                "%DYNAMIC_METADATA(my.dyn:o)%|%DYNAMIC_METADATA(my.dyn:n)%",
                "{\"x\":\"y\"}|5",
            ),
            (
                "%DYNAMIC_METADATA(my.dyn:b)%|%DYNAMIC_METADATA(my.dyn:nul)%",
                "true|-",
            ),
            ("%METADATA(DYNAMIC:my.dyn:l)%", list),
            (
                "%DYNAMIC_METADATA(my.dyn):4%|%DYNAMIC_METADATA(my.dyn:n):0%",
                "{\"b\"|",
            ),
            (
                "%DYNAMIC_METADATA(none)%|%METADATA(ROUTE:a:b)%|%CLUSTER_METADATA(a)%",
                "-|-|-",
            ),
            (
                "%METADATA(LISTENER:a)%|%METADATA(VIRTUAL_HOST:a)%|%UPSTREAM_METADATA(a)%",
                "-|-|-",
            ),
            (
                "%FILTER_STATE(my.key)%|%FILTER_STATE(my.key:PLAIN)%",
                "\"state /x\"|state /x",
            ),
            (
                "%FILTER_STATE(my.key:PLAIN):5%|%FILTER_STATE(my.key:FIELD:a)%",
                "state|-",
            ),
            ("%FILTER_STATE(none)%|%UPSTREAM_FILTER_STATE(a)%", "-|-"),
        ],
    );
}

#[test]
fn grpc_statuses() {
    let mut facts = Facts::proxied();
    let all =
        "%GRPC_STATUS%|%GRPC_STATUS(SNAKE_STRING)%|%GRPC_STATUS(NUMBER)%|%GRPC_STATUS_NUMBER%";
    check(&facts, &[(all, "-|-|-|-")]);
    facts.request.set("content-type", b"application/grpc+proto");
    check(&facts, &[(all, "Unknown|UNKNOWN|2|2")]);
    for (status, expected) in [
        ("5", "NotFound|NOT_FOUND|5|5"),
        ("1", "Canceled|CANCELLED|1|1"),
        ("99", "99|99|99|99"),
        ("4294967295", "4294967295|4294967295|4294967295|4294967295"),
        ("99999999999999999999", "-1|-1|-1|-1"),
        ("05", "NotFound|NOT_FOUND|5|5"),
        ("x", "-1|-1|-1|-1"),
    ] {
        facts.response.set("grpc-status", status.as_bytes());
        check(&facts, &[(all, expected)]);
    }
    facts.trailers.set("grpc-status", b"14");
    check(&facts, &[(all, "Unavailable|UNAVAILABLE|14|14")]);
    facts.request.set("content-type", b"application/grpcx");
    check(&facts, &[("%GRPC_STATUS%", "-")]);
}

#[test]
fn the_first_that_is_there() {
    check(
        &Facts::proxied(),
        &[
            (
                r#"%COALESCE({"operators":["REQUESTED_SERVER_NAME","RESPONSE_CODE"]})%"#,
                "200",
            ),
            (
                r#"%COALESCE({"operators":[{"command":"REQ","param":"a"},{"command":"REQ","param":"x-yes","max_length":4}]}):3%"#,
                "abc",
            ),
            (r#"%COALESCE({"operators":["UPSTREAM_TLS_VERSION"]})%"#, "-"),
            (
                r#"%COALESCE({"operators":[{"command":"START_TIME","param":"%Y \u0029"}]})%"#,
                "2026 )",
            ),
        ],
    );
}

#[test]
fn absent_values_in_text() {
    check_with(
        &Facts::bare(),
        OMIT,
        &[
            (
                "%REQ(a)%[%ENVIRONMENT(NOPE)%][%RESPONSE_FLAGS%][%UPSTREAM_HOST%]",
                "[-][-][]",
            ),
            ("", ""),
        ],
    );
}

#[test]
fn json_keeps_types_and_sorts() {
    let facts = Facts::proxied();
    let format = fields([
        ("b", text("x%REQ(x-yes)%y")),
        (
            "a",
            fields([
                ("z", text("%REQ(q)%")),
                (
                    "y",
                    Value::List(
                        [
                            text("%REQ(q)%"),
                            text("%RESPONSE_CODE%"),
                            fields([("k", text("lit"))]),
                        ]
                        .into(),
                    ),
                ),
            ]),
        ),
        ("A", text("")),
        ("é\"\n", text("1")),
        ("c", Value::Number(1.0)),
        ("d", Value::Bool(true)),
        ("e", Value::Null),
        ("g", fields([])),
        ("h", Value::List([].into())),
        ("i", text("%BYTES_RECEIVED%")),
        ("j", text("%BYTES_RECEIVED%%BYTES_SENT%")),
        ("k", text("%DYNAMIC_METADATA(my.dyn:l):2%")),
        ("l", text("%DYNAMIC_METADATA(my.dyn:k):0%")),
        ("m", text("100%%")),
        ("n", text("%RESPONSE_FLAGS%")),
        ("o", text("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(-1)%")),
        ("p", text("%FILTER_STATE(my.key)%")),
        ("q", text(r#"%COALESCE({"operators":["RESPONSE_CODE"]})%"#)),
        ("r", text("%DOWNSTREAM_LOCAL_PORT%")),
    ]);
    assert_eq!(
        format_json(format, &facts, FormatOptions::default()),
        "{\"A\":\"\",\"a\":{\"y\":[null,200,{\"k\":\"lit\"}],\"z\":null},\"b\":\"xabcdefy\",\
         \"c\":1,\"d\":true,\"e\":null,\"g\":{},\"h\":[],\"i\":1e+05,\"j\":\"10000012\",\
         \"k\":[1e+21,\"é\\u0001\\\"<\"],\"l\":\"\",\"m\":\"100%\",\"n\":\"-\",\"o\":null,\
         \"p\":\"state /x\",\"q\":200,\"r\":10000,\"é\\\"\\n\":\"1\"}\n"
    );
}

#[test]
fn json_leaves_out_what_is_empty() {
    let format = fields([
        ("A", text("")),
        (
            "a",
            fields([
                (
                    "y",
                    Value::List(
                        [
                            text("%REQ(q)%"),
                            text("%RESPONSE_CODE%"),
                            fields([("k", text("%REQ(q)%"))]),
                        ]
                        .into(),
                    ),
                ),
                ("z", text("%REQ(q)%")),
            ]),
        ),
        ("b", text("%REQ(q)%%REQ(q)%")),
        ("e", text("%ENVIRONMENT(NOPE)%")),
        ("f", text("%LOCAL_REPLY_BODY%")),
        ("g", fields([])),
        ("h", Value::List([Value::Null, text("%REQ(q)%")].into())),
        ("i", fields([("j", text("%REQ(q)%"))])),
        ("k", Value::Null),
    ]);
    assert_eq!(
        format_json(format, &Facts::proxied(), OMIT),
        "{\"A\":\"\",\"a\":{\"y\":[200]},\"b\":\"\",\"e\":\"-\",\"f\":\"sorry\",\"h\":[]}\n"
    );
    assert_eq!(
        format_json(fields([("k", Value::Null)]), &Facts::bare(), OMIT),
        "{}\n"
    );
}

#[test]
fn json_escapes() {
    let format = fields([
        ("a", text("%REQ(x-bin)%")),
        ("b", text("é%REQ(x-bin)%é\u{7f}")),
        ("c", text("%REQ(x-ctl)%")),
        ("d", text("%REQ(x-bin):4%")),
    ]);
    assert_eq!(
        format_json(format, &Facts::proxied(), FormatOptions::default()),
        "{\"a\":\"a\\u00ff\\u00c3\\u00a9b\\u00e2\\u0082\",\
         \"b\":\"éa\\u00ff\\u00c3\\u00a9b\\u00e2\\u0082é\u{7f}\",\
         \"c\":\"a\\tb\\\"\\\\c\",\"d\":\"a\\u00ff\\u00c3\\u00a9\"}\n"
    );
}

#[test]
fn json_numbers() {
    for (number, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (10_000.0, "10000"),
        (1e5, "1e+05"),
        (123_456.0, "123456"),
        (120_000.0, "120000"),
        (1.1e7, "1.1e+07"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1e+15"),
        (-1e15, "-1e+15"),
        (1.25e15, "1.25e+15"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (1_152_921_504_606_846_976.0, "1152921504606846976"),
        (12_345_678_901_234_567_890.0, "12345678901234567168"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (0.1, "0.1"),
        (0.0001, "1e-04"),
        (0.001, "0.001"),
        (0.000123, "0.000123"),
        (1e-7, "1e-07"),
        (2.0 / 3.0, "0.6666666666666666"),
        (-0.25, "-0.25"),
        (f64::NAN, "null"),
    ] {
        let mut out = Vec::new();
        number::write_f64(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

/// Random strings made of what formats are made of: they parse or fail, and print, all without
/// a panic. `NUNCIO_SEED` replays a run.
#[test]
fn any_format_is_parsed_or_refused() {
    let seed = std::env::var("NUNCIO_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("NUNCIO_SEED={seed}");
    let mut random = Random::seeded(seed);
    let facts = [Facts::proxied(), Facts::bare()];
    let parts = [
        "%",
        "%",
        "%",
        "(",
        ")",
        ":",
        "?",
        "REQ",
        "RESP",
        "START_TIME",
        "COALESCE",
        "METADATA",
        "ROUTE",
        "DYNAMIC",
        "my.dyn",
        "FILTER_STATE",
        "my.key",
        "PATH",
        "QUERY_PARAM",
        "x",
        "-",
        "_",
        "0",
        "9",
        "3f",
        "%E",
        "*",
        "S",
        "f",
        "z",
        "é",
        "\n",
        "\0",
        "{\"operators\":[",
        "]}",
        "\"",
        "\\",
        "\\u",
        "d800",
        ",",
        "COMMON_DURATION",
        "DS_RX_BEG",
        "UPSTREAM_",
        "DOWNSTREAM_",
        "HOST",
        "ADDRESS_WITHOUT_PORT",
        "a",
    ];
    let letters = "aAbBcCdDeFgGhHIjklmMpPrRsStTuUVwWxXyYzZ%EO-_0^#123456789f*é";
    for _ in 0..20_000 {
        let mut format = String::new();
        if random.below(4) == 0 {
            format.push_str("%START_TIME(");
            for _ in 0..random.below(8) {
                let at = random.below(letters.chars().count() as u64) as usize;
                format.extend(letters.chars().nth(at));
            }
            format.push_str(")%");
        } else {
            for _ in 0..random.below(14) {
                format.push_str(parts[random.below(parts.len() as u64) as usize]);
            }
        }
        let options = FormatOptions {
            omit_empty_values: random.below(2) == 0,
            req_without_query: true,
        };
        let mut out = Vec::new();
        if let Ok(formatter) = Formatter::with_options(&format, options) {
            facts
                .iter()
                .for_each(|facts| formatter.append(&facts.cx(), &mut out));
        }
        if let Ok(formatter) = Formatter::json(&fields([("k", text(&format))]), options) {
            out.clear();
            formatter.append(&facts[0].cx(), &mut out);
            let json = String::from_utf8(out).expect("JSON is UTF-8");
            json_parse::parse(json.trim_end()).expect(&json);
        }
    }
}
