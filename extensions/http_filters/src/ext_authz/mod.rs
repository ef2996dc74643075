//! `envoy.filters.http.ext_authz`: asks a service whether a request may pass ("External
//! Authorization" in Envoy's docs, `http_filters/ext_authz_filter`).
//!
//! Parity: an HTTP service and a gRPC service behind a cluster, with all of their fields but
//! retries, typed metadata and the labels of the bootstrap. Filter state for logs, rules for header
//! mutations and the enforcement of header limits are refused by name. What shadow mode notes of a
//! denial has its headers without `:status` and `content-length`, which Envoy adds. Settings
//! that only a gRPC service reads change nothing with the other, as in Envoy. An answer
//! never changes pseudo-headers or the headers that frame a message, whatever the patterns
//! allow: in Envoy such patterns break the message. Its body may have 1 MiB; a larger one is an
//! error.
//!
//! Security: made for untrusted downstreams, with a trusted service. Lines of one header are joined
//! by commas and bytes that are no UTF-8 are replaced, so that the service sees what upstream will
//! see (CVE-2021-32777, CVE-2023-27488). Errors deny unless `failure_mode_allow` says otherwise.

mod check;
mod config;
mod filter;
mod query;
mod settings;
mod shadow;
mod stats;
#[cfg(test)]
mod tests;
mod verdict;
mod wire;

pub use filter::ExtAuthzFilter;
pub use settings::{
    AnswerHeaders, BodySettings, CheckSettings, ExtAuthzRouteSpec, ExtAuthzSpec, GrpcCheck,
    HttpService, Service, ServicePath,
};
pub use stats::ExtAuthzStats;

/// The extension.
pub struct ExtAuthz;
