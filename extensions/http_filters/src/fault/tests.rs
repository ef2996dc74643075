//! Faults in whole requests through a chain.

use super::Fault;
use crate::testing::{Outcome, Script, errors};
use nuncio_base::runtime_flags::FlagValue;

const ALL: &str = "percentage: {numerator: 100}";

fn run(config: &str, request: &[(&str, &str)]) -> Outcome {
    Script::new().filter(&Fault, config).request(request).run()
}

fn aborted(status: u16) -> String {
    format!(":status={status} content-length=18 content-type=text/plain [fault filter abort]")
}

#[test]
fn aborts() {
    for (code, request, expected) in [
        ("http_status: 418", &[][..], aborted(418)),
        ("grpc_status: 5", &[], aborted(200)),
        (
            "grpc_status: 5",
            &[("content-type", "application/grpc")],
            ":status=200 content-type=application/grpc grpc-status=5 \
             grpc-message=fault filter abort"
                .to_owned(),
        ),
        ("header_abort: {}", &[], ":status=200".to_owned()),
        (
            "header_abort: {}",
            &[("x-envoy-fault-abort-request", "503")],
            aborted(503),
        ),
        (
            "header_abort: {}",
            &[("x-envoy-fault-abort-request", "199")],
            ":status=200".to_owned(),
        ),
        (
            "header_abort: {}",
            &[("x-envoy-fault-abort-request", "x")],
            ":status=200".to_owned(),
        ),
        (
            "header_abort: {}",
            &[("x-envoy-fault-abort-grpc-request", "7")],
            aborted(200),
        ),
        (
            "header_abort: {}",
            &[
                ("x-envoy-fault-abort-request", "503"),
                ("x-envoy-fault-abort-grpc-request", "7"),
            ],
            aborted(503),
        ),
        (
            "header_abort: {}",
            &[
                ("x-envoy-fault-abort-request", "503"),
                ("x-envoy-fault-abort-request-percentage", "0"),
            ],
            ":status=200".to_owned(),
        ),
        (
            "header_abort: {}",
            &[
                ("x-envoy-fault-abort-request", "503"),
                ("x-envoy-fault-abort-request-percentage", "many"),
            ],
            aborted(503),
        ),
        // Headers count only where config says so.
        (
            "http_status: 500",
            &[("x-envoy-fault-abort-request-percentage", "0")],
            aborted(500),
        ),
    ] {
        let config = format!("abort: {{{code}, {ALL}}}");
        let outcome = run(&config, request);
        assert_eq!(outcome.downstream, expected, "{code} {request:?}");
        let hit = u64::from(expected != ":status=200");
        assert_eq!(outcome.stat("http.test.fault.aborts_injected"), hit);
        assert_eq!(outcome.flags, if hit > 0 { "FI" } else { "" });
        assert_eq!(
            outcome.details,
            if hit > 0 { "fault_filter_abort" } else { "" }
        );
        assert_eq!(outcome.upstream.is_empty(), hit > 0);
        assert_eq!(outcome.stat("http.test.fault.active_faults"), 0);
    }
}

#[test]
fn a_body_and_metadata_of_its_own() {
    let config = format!(
        "{{abort: {{http_status: 400, {ALL}, response_body: mine}}, filter_metadata: {{k: v}}}}"
    );
    let outcome = run(&config, &[]);
    assert!(outcome.downstream.ends_with("[mine]"));
    assert!(outcome.metadata.get("envoy.filters.http.fault").is_some());
}

#[test]
fn delays_and_then_aborts() {
    let fixed = format!("delay: {{fixed_delay: 0.05s, {ALL}}}");
    let by_header = format!("delay: {{header_delay: {{}}, {ALL}}}");
    let both = format!("{{{fixed}, abort: {{http_status: 429, {ALL}}}}}");
    let header = ("x-envoy-fault-delay-request", "50");
    let never = ("x-envoy-fault-delay-request-percentage", "0");
    for (config, request, delayed, status) in [
        (&fixed, &[][..], true, 200),
        (&by_header, &[], false, 200),
        (&by_header, &[header], true, 200),
        (&by_header, &[header, never], false, 200),
        (
            &by_header,
            &[("x-envoy-fault-delay-request", "0")],
            false,
            200,
        ),
        (&both, &[], true, 429),
    ] {
        let outcome = Script::new()
            .filter(&Fault, config)
            .request(request)
            .body(&["ab", "c"])
            .trailers(&[("t", "1")])
            .run();
        assert_eq!(
            outcome.took.as_millis() >= 50,
            delayed,
            "{:?}",
            outcome.took
        );
        assert_eq!(
            outcome.stat("http.test.fault.delays_injected"),
            u64::from(delayed)
        );
        assert!(outcome.downstream.starts_with(&format!(":status={status}")));
        let flags = match (delayed, status) {
            (true, 429) => "DI,FI",
            (true, _) => "DI",
            _ => "",
        };
        assert_eq!(outcome.flags, flags);
        if delayed && status == 200 {
            assert!(
                outcome.upstream.ends_with("[abc] t=1"),
                "{}",
                outcome.upstream
            );
        }
    }
}

#[test]
fn only_requests_that_match() {
    let config = |only: &str| format!("{{abort: {{http_status: 500, {ALL}}}, {only}}}");
    let node = ("x-envoy-downstream-service-node", "n1");
    for (only, request, hit) in [
        ("upstream_cluster: c", &[][..], true),
        ("upstream_cluster: d", &[], false),
        (
            "headers: [{name: x-a, string_match: {exact: b}}]",
            &[],
            false,
        ),
        (
            "headers: [{name: x-a, string_match: {exact: b}}]",
            &[("x-a", "b")],
            true,
        ),
        ("downstream_nodes: [n1, n2]", &[], false),
        ("downstream_nodes: [n1, n2]", &[node], true),
        ("downstream_nodes: [n2]", &[node], false),
        ("max_active_faults: 0", &[], false),
        ("max_active_faults: 1", &[], true),
    ] {
        let outcome = run(&config(only), request);
        assert_eq!(outcome.downstream == aborted(500), hit, "{only}");
        let overflow = u64::from(only == "max_active_faults: 0");
        assert_eq!(outcome.stat("http.test.fault.faults_overflow"), overflow);
    }
}

#[test]
fn runtime_changes_what_is_configured() {
    let config =
        "{abort: {http_status: 500, percentage: {numerator: 0}}, abort_percent_runtime: p}";
    let of_cluster = ("x-envoy-downstream-service-cluster", "dc");
    for (flags, request, expected) in [
        (&[][..], &[][..], ":status=200".to_owned()),
        (&[("p", 100.0)], &[], aborted(500)),
        (
            &[("p", 100.0), ("fault.http.abort.http_status", 402.0)],
            &[],
            aborted(402),
        ),
        (
            &[("p", 100.0), ("fault.http.abort.http_status", 20.0)],
            &[],
            ":status=200".to_owned(),
        ),
        (
            &[("fault.http.dc.abort.abort_percent", 100.0)],
            &[],
            ":status=200".to_owned(),
        ),
        (
            &[("fault.http.dc.abort.abort_percent", 100.0)],
            &[of_cluster],
            aborted(500),
        ),
        (
            &[("p", 100.0), ("fault.http.dc.abort.http_status", 402.0)],
            &[of_cluster],
            aborted(402),
        ),
        (
            &[("p", 100.0), ("fault.http.max_active_faults", 0.0)],
            &[],
            ":status=200".to_owned(),
        ),
    ] {
        let mut script = Script::new().filter(&Fault, config).request(request);
        for (key, value) in flags {
            script = script.flag(key, FlagValue::Number(*value));
        }
        let outcome = script.run();
        assert_eq!(outcome.downstream, expected, "{flags:?} {request:?}");
        let counted = u64::from(!request.is_empty());
        assert_eq!(outcome.stat("http.test.fault.dc.aborts_injected"), counted);
    }
}

#[test]
fn a_route_replaces_the_settings() {
    let routes = format!(
        "routes: [{{match: {{prefix: /}}, route: {{cluster: c}}, typed_per_filter_config: {{
           envoy.filters.http.fault: {{
             '@type': type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault,
             abort: {{http_status: 501, {ALL}}}}}}}}}]"
    );
    let outcome = Script::new().filter(&Fault, "{}").routes(&routes).run();
    assert_eq!(outcome.downstream, aborted(501));
    assert_eq!(run("{}", &[]).downstream, ":status=200");
}

#[test]
fn responses_are_slowed_down() {
    const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
        0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let script = |config: &str| {
        Script::new()
            .filter(&Fault, config)
            .request(&[("x-envoy-fault-throughput-response", "1")])
            .answer(&[(":status", "200")], &[TEXT])
    };
    for (limit, trailers, slow) in [
        ("fixed_limit: {limit_kbps: 1}", false, true),
        ("fixed_limit: {limit_kbps: 1}", true, true),
        ("header_limit: {}", false, true),
        ("fixed_limit: {limit_kbps: 1000}", false, false),
    ] {
        let mut script = script(&format!("response_rate_limit: {{{limit}, {ALL}}}"));
        if trailers {
            script = script.answer_trailers(&[("t", "1")]);
        }
        let outcome = script.run();
        assert_eq!(outcome.took.as_millis() >= 75, slow, "{:?}", outcome.took);
        assert_eq!(outcome.pieces.iter().sum::<usize>(), TEXT.len());
        assert_eq!(outcome.pieces.len() > 2, slow, "{:?}", outcome.pieces);
        assert_eq!(outcome.downstream.ends_with(" t=1"), trailers);
        assert_eq!(outcome.stat("http.test.fault.response_rl_injected"), 1);
        assert_eq!(outcome.flags, "");
    }
    let off = "response_rate_limit: {fixed_limit: {limit_kbps: 1}, percentage: {numerator: 0}}";
    assert_eq!(
        script(off)
            .run()
            .stat("http.test.fault.response_rl_injected"),
        0
    );
}

#[test]
fn a_stream_that_goes_away_is_no_longer_counted() {
    let config = format!("delay: {{fixed_delay: 60s, {ALL}}}");
    let outcome = Script::new().filter(&Fault, &config).open().run();
    assert_eq!(outcome.stat("http.test.fault.delays_injected"), 1);
    assert_eq!(outcome.stat("http.test.fault.active_faults"), 0);
}

#[test]
fn bad_configs() {
    for (config, expected) in [
        ("delay: {}", "delay"),
        ("delay: {fixed_delay: 0s}", "fixed_delay"),
        ("abort: {}", "error_type"),
        ("abort: {http_status: 199}", "http_status"),
        ("response_rate_limit: {}", "limit_type"),
        (
            "headers: [{name: a, string_match: {safe_regex: {regex: '('}}}]",
            "headers[0]",
        ),
    ] {
        let found = errors(&Fault, config);
        assert!(found.contains(expected), "{config}: {found}");
    }
}
