//! What a host weighs by its report: the requests it answers, in relation to how busy it is.

use super::report::Headers;
use super::wire::OrcaLoadReport;
use nuncio_base::HeaderMap;
use nuncio_upstream::lb::load_report::{LoadReport, LoadReports};
use std::collections::BTreeMap;

/// What tells how busy a host is.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// `cpu_utilization`
    Cpu,
    /// `mem_utilization`
    Memory,
    /// `application_utilization`
    Application,
    /// `rps_fractional`
    Requests,
    /// `eps`
    Errors,
    /// One of several, by name; without a name the highest of all.
    Named(Family, Option<String>),
}

/// Metrics that have names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// `request_cost.NAME`
    RequestCost,
    /// `utilization.NAME`
    Utilization,
    /// `named_metrics.NAME`
    Named,
}

impl Metric {
    /// As configurations name them; `None` for others, which no report has.
    pub fn new(name: &str) -> Option<Self> {
        Some(match name {
            "cpu_utilization" => Self::Cpu,
            "mem_utilization" => Self::Memory,
            "application_utilization" => Self::Application,
            "rps_fractional" => Self::Requests,
            "eps" => Self::Errors,
            _ => {
                let (family, key) = name.split_once('.')?;
                let family = match family {
                    "request_cost" => Family::RequestCost,
                    "utilization" => Family::Utilization,
                    "named_metrics" => Family::Named,
                    _ => return None,
                };
                Self::Named(family, Some(key).filter(|key| *key != "*").map(Into::into))
            }
        })
    }

    fn of(&self, report: &OrcaLoadReport) -> Option<f64> {
        Some(match self {
            Self::Cpu => report.cpu_utilization,
            Self::Memory => report.mem_utilization,
            Self::Application => report.application_utilization,
            Self::Requests => report.rps_fractional,
            Self::Errors => report.eps,
            Self::Named(family, key) => {
                let all: &BTreeMap<String, f64> = match family {
                    Family::RequestCost => &report.request_cost,
                    Family::Utilization => &report.utilization,
                    Family::Named => &report.named_metrics,
                };
                return match key {
                    Some(key) => all.get(key).copied(),
                    None => all.values().copied().reduce(f64::max),
                };
            }
        })
    }
}

/// How weights follow from reports.
#[derive(Clone, Debug, Default)]
pub struct Weighing {
    /// The headers that have reports.
    pub headers: Headers,
    /// What tells how busy a host is, in the first place.
    pub metrics: Vec<Metric>,
    /// How much busier errors make a host, per share of requests.
    pub error_penalty: f64,
}

impl Weighing {
    fn utilization(&self, report: &OrcaLoadReport) -> f64 {
        let metrics = self.metrics.iter().filter_map(|metric| metric.of(report));
        let highest = metrics.fold(0.0, f64::max);
        let candidates = [highest, report.application_utilization];
        let found = candidates.into_iter().find(|share| *share > 0.0);
        found.unwrap_or(report.cpu_utilization)
    }

    /// The weight; `None` where the report doesn't tell how many requests there are, or how busy
    /// the host is.
    pub fn weight(&self, report: &OrcaLoadReport) -> Option<u32> {
        let requests = report.rps_fractional;
        if requests.is_nan() || requests <= 0.0 {
            return None;
        }
        let errors = self.error_penalty * report.eps / requests;
        let utilization = self.utilization(report) + errors;
        // What is too much for the type is the most it has.
        (utilization > 0.0).then(|| (requests / utilization) as u32)
    }
}

impl LoadReports for Weighing {
    fn read(&self, headers: &HeaderMap) -> Option<LoadReport> {
        let report = self.headers.read(headers)?;
        Some(LoadReport {
            weight: self.weight(&report),
        })
    }
}
