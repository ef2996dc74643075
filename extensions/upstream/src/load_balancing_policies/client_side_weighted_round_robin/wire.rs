//! `xds.data.orca.v3.OrcaLoadReport`, as hosts send it.

use prost::Message;
use std::collections::BTreeMap;

/// A report.
#[derive(Clone, PartialEq, Message)]
pub struct OrcaLoadReport {
    /// CPU, as a share of what there is.
    #[prost(double, tag = "1")]
    pub cpu_utilization: f64,
    /// Memory, as a share of what there is.
    #[prost(double, tag = "2")]
    pub mem_utilization: f64,
    /// Requests per second, in whole numbers.
    #[prost(uint64, tag = "3")]
    pub rps: u64,
    /// What this request cost, by name.
    #[prost(btree_map = "string, double", tag = "4")]
    pub request_cost: BTreeMap<String, f64>,
    /// Shares of what there is, by name.
    #[prost(btree_map = "string, double", tag = "5")]
    pub utilization: BTreeMap<String, f64>,
    /// Requests per second.
    #[prost(double, tag = "6")]
    pub rps_fractional: f64,
    /// Errors per second.
    #[prost(double, tag = "7")]
    pub eps: f64,
    /// Numbers of the application's own.
    #[prost(btree_map = "string, double", tag = "8")]
    pub named_metrics: BTreeMap<String, f64>,
    /// How busy the application says it is.
    #[prost(double, tag = "9")]
    pub application_utilization: f64,
}

impl OrcaLoadReport {
    /// Reads one; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}
