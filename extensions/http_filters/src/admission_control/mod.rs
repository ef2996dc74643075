//! `envoy.filters.http.admission_control`: refuses requests by chance while too many fail
//! ("Admission Control" in Envoy's docs, `http_filters/admission_control_filter`).
//!
//! Parity: HTTP and gRPC criteria, the formula with its runtime keys, stats. As in Envoy, each
//! worker has a window of its own.

mod config;
mod controller;
mod filter;
#[cfg(test)]
mod tests;

pub use controller::Controller;
pub use filter::{
    AdmissionControlFilter, AdmissionControlSpec, AdmissionControlStats, RuntimeNumber,
};

/// The extension.
pub struct AdmissionControl;
