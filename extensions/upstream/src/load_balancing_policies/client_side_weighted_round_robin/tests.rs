//! What reports are worth. The rows are what Envoy makes of the same headers.

use super::report::parse;
use super::weight::{Metric, Weighing};
use super::wire::OrcaLoadReport;
use super::*;
use nuncio_base::{HeaderMap, base64};
use prost::Message;

fn weighing(names: &[&str], error_penalty: f64) -> Weighing {
    Weighing {
        metrics: names.iter().filter_map(|name| Metric::new(name)).collect(),
        error_penalty,
        ..Weighing::default()
    }
}

/// What a report weighs that says this besides 0.5 CPU and 1000 requests a second.
fn weight_of(more: &str, names: &[&str], penalty: f64) -> Option<u32> {
    let text = format!("TEXT cpu_utilization=0.5,rps_fractional=1000{more}");
    weighing(names, penalty).weight(&parse(text.as_bytes())?)
}

#[test]
fn texts() {
    for (more, weight) in [
        ("", Some(2000)),
        (",", Some(2000)),
        (",,", Some(2000)),
        (", eps:1 ,mem_utilization=.5", Some(2000)),
        (",mem_utilization=+1.", Some(2000)),
        (",application_utilization=1.5", Some(666)),
        (",utilization.bar=1.5", Some(2000)),
        (",named_metrics.a.b=1", Some(2000)),
        (",cpu_utilization=0.25", None),
        (",named_metrics.a=1,named_metrics.a=2", None),
        (",foo=1", None),
        (",rps=7", None),
        (",named_metrics.=7", None),
        (",request_cost.z=1", None),
        (",mem_utilization", None),
        (",mem_utilization=", None),
        (",mem_utilization =1", None),
        (",mem_utilization=x", None),
        (",mem_utilization=nan", None),
        (",mem_utilization=inf", None),
        (",mem_utilization=-1", None),
        (",mem_utilization=1=2", None),
        (";eps=1", None),
    ] {
        assert_eq!(weight_of(more, &[], 0.0), weight, "{more}");
    }
}

#[test]
fn metrics_and_errors() {
    for (more, names, penalty, weight) in [
        (",named_metrics.a=0.25", &["named_metrics.a"][..], 0.0, 4000),
        (
            ",named_metrics.a=0.25,application_utilization=0.1",
            &["named_metrics.a"],
            0.0,
            4000,
        ),
        (
            ",named_metrics.a=0.25,application_utilization=0.1",
            &[],
            0.0,
            10_000,
        ),
        (
            ",utilization.b=0.4",
            &["named_metrics.b", "utilization.b"],
            0.0,
            2500,
        ),
        (
            ",named_metrics.a=0.8,named_metrics.b=0.9",
            &["named_metrics.*"],
            0.0,
            1111,
        ),
        (",mem_utilization=0.8", &["mem_utilization"], 0.0, 1250),
        ("", &["z", "rps_fractional", "cpu_utilization"], 0.0, 1),
        (",eps=100", &[], 0.0, 2000),
        (",eps=100", &[], 2.0, 1428),
        (",eps=100", &["eps"], 0.0, 10),
    ] {
        assert_eq!(
            weight_of(more, names, penalty),
            Some(weight),
            "{more} {names:?}"
        );
    }
    let all = OrcaLoadReport {
        cpu_utilization: 0.5,
        rps_fractional: 1000.0,
        ..OrcaLoadReport::default()
    };
    for (cpu, requests, weight) in [
        (0.5, 0.2, Some(0)),
        (1e-6, 1e8, Some(u32::MAX)),
        (0.5, f64::INFINITY, Some(u32::MAX)),
        (0.0, 1000.0, None),
        (0.5, 0.0, None),
        (-0.5, 1000.0, None),
        (f64::NAN, 1000.0, None),
        (0.5, f64::NAN, None),
    ] {
        let report = OrcaLoadReport {
            cpu_utilization: cpu,
            rps_fractional: requests,
            ..all.clone()
        };
        assert_eq!(
            weighing(&[], 0.0).weight(&report),
            weight,
            "{cpu} {requests}"
        );
    }
}

#[test]
fn other_forms() {
    let report = OrcaLoadReport {
        cpu_utilization: 0.5,
        rps_fractional: 1000.0,
        request_cost: [("z".to_owned(), 0.25)].into(),
        ..OrcaLoadReport::default()
    };
    let binary = base64::encode(&report.encode_to_vec());
    let cost = &["request_cost.z"][..];
    let json = |text: &str| format!("JSON {text}");
    for (value, names, weight) in [
        (format!("BIN {binary}"), &[][..], Some(2000)),
        (
            format!("BIN {}", binary.trim_end_matches('=')),
            cost,
            Some(4000),
        ),
        (format!("bin {binary}"), &[], None),
        (format!("BIN  {binary}"), &[], None),
        ("BIN Cg==".to_owned(), &[], None),
        ("TEXT".to_owned(), &[], None),
        (
            "cpu_utilization=0.5,rps_fractional=1000".to_owned(),
            &[],
            None,
        ),
        (
            json(r#"{"cpu_utilization":0.5,"rps_fractional":1000}"#),
            &[],
            Some(2000),
        ),
        (
            json(r#"{"cpuUtilization":0.5,"rpsFractional":"1000"}"#),
            &[],
            Some(2000),
        ),
        (
            json(r#"{"cpuUtilization":null,"applicationUtilization":0.2,"rpsFractional":1000}"#),
            &[],
            Some(5000),
        ),
        (
            json(r#"{"rpsFractional":1000,"requestCost":{"z":0.25},"rps":"7"}"#),
            cost,
            Some(4000),
        ),
        (
            json(r#"{"cpuUtilization":0.5,"rpsFractional":1000,"foo":1}"#),
            &[],
            None,
        ),
        (
            json(r#"{"cpuUtilization":"x","rpsFractional":1000}"#),
            &[],
            None,
        ),
        (json("["), &[], None),
        ("XX {}".to_owned(), &[], None),
    ] {
        let report = parse(value.as_bytes());
        let found = report.and_then(|report| weighing(names, 0.0).weight(&report));
        assert_eq!(found, weight, "{value}");
    }
}

#[test]
fn the_binary_header_goes_before_the_other() {
    let text = "TEXT cpu_utilization=0.5,rps_fractional=1000";
    let report = OrcaLoadReport {
        cpu_utilization: 0.5,
        rps_fractional: 2000.0,
        ..OrcaLoadReport::default()
    };
    let binary = base64::encode(&report.encode_to_vec());
    for (headers, weight) in [
        (vec![("endpoint-load-metrics", text)], Some(Some(2000))),
        (
            vec![("endpoint-load-metrics-bin", &*binary)],
            Some(Some(4000)),
        ),
        (
            vec![
                ("endpoint-load-metrics-bin", &binary),
                ("endpoint-load-metrics", text),
            ],
            Some(Some(4000)),
        ),
        (
            vec![
                ("endpoint-load-metrics-bin", "!"),
                ("endpoint-load-metrics", text),
            ],
            None,
        ),
        // A report that says too little is one all the same.
        (vec![("endpoint-load-metrics", "TEXT eps=1")], Some(None)),
        (vec![("x", text)], None),
    ] {
        let found = weighing(&[], 0.0).read(&HeaderMap::from_iter(headers.clone()));
        assert_eq!(found.map(|report| report.weight), weight, "{headers:?}");
    }
}

#[test]
fn medians() {
    for (weights, expected) in [
        (&[][..], 1),
        (&[7], 7),
        (&[201, 100], 150),
        (&[700, 100, 200], 200),
        (&[u32::MAX, u32::MAX], u32::MAX),
    ] {
        assert_eq!(median(weights.to_vec()), expected, "{weights:?}");
    }
}

#[test]
fn many_metrics_are_read_in_no_time() {
    let named = (0..200_000).map(|at| format!("utilization.{at}=0,"));
    let text: String = ["TEXT ".to_owned()].into_iter().chain(named).collect();
    let begun = nuncio_base::time::monotonic();
    assert!(parse(text.as_bytes()).is_some());
    let again = format!("{text}utilization.7=0");
    assert!(parse(again.as_bytes()).is_none());
    assert!(begun.elapsed() < Duration::from_secs(5));
}
