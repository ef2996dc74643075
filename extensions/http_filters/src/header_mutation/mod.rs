//! `envoy.filters.http.header_mutation`: changes headers, query parameters and trailers, by rules
//! of the filter and of every level of the route ("Header mutation" in Envoy's docs,
//! `http_filters/header_mutation_filter`). It stands in downstream and in upstream chains.
//!
//! Parity: all fields. Parameters come sorted by name and decoded, as from Envoy; but what would
//! end the request line or the parameter (a space, `&`, `#`, `%`, control characters) stays
//! percent-encoded here, where Envoy writes it as it is.
//!
//! Security: made for untrusted downstreams; what is changed is the operator's business.

mod config;
mod filter;
mod query;
#[cfg(test)]
mod tests;

pub use filter::{HeaderMutationFilter, HeaderMutationSpec, Mutations};
pub use query::{QueryMutation, QueryMutations};

/// The extension.
pub struct HeaderMutation;
