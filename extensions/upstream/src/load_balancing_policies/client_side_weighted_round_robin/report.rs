//! Reports in headers: `endpoint-load-metrics` (binary, text or JSON) and
//! `endpoint-load-metrics-bin`.

use super::wire::OrcaLoadReport;
use nuncio_base::base64;
use nuncio_base::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The headers that have reports.
#[derive(Clone, Debug)]
pub struct Headers {
    binary: HeaderName,
    any: HeaderName,
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            binary: HeaderName::new("endpoint-load-metrics-bin"),
            any: HeaderName::new("endpoint-load-metrics"),
        }
    }
}

impl Headers {
    /// The report of a response; `None` where there is none, or it can't be read.
    pub fn read(&self, headers: &HeaderMap) -> Option<OrcaLoadReport> {
        match headers.get(&self.binary) {
            Some(value) => binary(value),
            None => parse(headers.get(&self.any)?),
        }
    }
}

/// A report that begins with how it is written.
pub fn parse(value: &[u8]) -> Option<OrcaLoadReport> {
    let end = value.iter().position(|byte| *byte == b' ');
    let (kind, rest) = value.split_at(end.unwrap_or(value.len()));
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    match kind {
        b"BIN" => binary(rest),
        b"TEXT" => text(std::str::from_utf8(rest).ok()?),
        b"JSON" => json(rest),
        _ => None,
    }
}

fn binary(value: &[u8]) -> Option<OrcaLoadReport> {
    OrcaLoadReport::read(&base64::decode(value)?)
}

/// `NAME=NUMBER` or `NAME:NUMBER`, with commas between; each name once.
fn text(value: &str) -> Option<OrcaLoadReport> {
    let mut report = OrcaLoadReport::default();
    let mut seen = BTreeSet::new();
    for entry in value.split(',').map(str::trim) {
        if entry.is_empty() {
            continue;
        }
        let (name, number) = entry.split_once(['=', ':'])?;
        let number: f64 = number.parse().ok()?;
        let is_new = number.is_finite() && number >= 0.0 && seen.insert(name);
        *metric(&mut report, name).filter(|_| is_new)? = number;
    }
    Some(report)
}

/// Where a metric stands that a text names.
fn metric<'a>(report: &'a mut OrcaLoadReport, name: &str) -> Option<&'a mut f64> {
    Some(match name {
        "cpu_utilization" => &mut report.cpu_utilization,
        "mem_utilization" => &mut report.mem_utilization,
        "rps_fractional" => &mut report.rps_fractional,
        "eps" => &mut report.eps,
        "application_utilization" => &mut report.application_utilization,
        _ => {
            let (map, key) = name.split_once('.').filter(|(_, key)| !key.is_empty())?;
            let map = match map {
                "named_metrics" => &mut report.named_metrics,
                "utilization" => &mut report.utilization,
                _ => return None,
            };
            map.entry(key.to_owned()).or_default()
        }
    })
}

/// The report as proto's JSON has it, strictly.
fn json(value: &[u8]) -> Option<OrcaLoadReport> {
    let fields: Map<String, Value> = serde_json::from_slice(value).ok()?;
    let mut report = OrcaLoadReport::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "cpuUtilization" | "cpu_utilization" => report.cpu_utilization = number(value)?,
            "memUtilization" | "mem_utilization" => report.mem_utilization = number(value)?,
            "rps" => report.rps = number(value)? as u64,
            "rpsFractional" | "rps_fractional" => report.rps_fractional = number(value)?,
            "eps" => report.eps = number(value)?,
            "applicationUtilization" | "application_utilization" => {
                report.application_utilization = number(value)?;
            }
            "requestCost" | "request_cost" => report.request_cost = numbers(value)?,
            "utilization" => report.utilization = numbers(value)?,
            "namedMetrics" | "named_metrics" => report.named_metrics = numbers(value)?,
            _ => return None,
        }
    }
    Some(report)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn numbers(value: &Value) -> Option<BTreeMap<String, f64>> {
    let fields = value.as_object()?.iter();
    fields
        .map(|(name, value)| Some((name.clone(), number(value)?)))
        .collect()
}
