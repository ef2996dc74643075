//! The HTTP filters, a folder each, named as Envoy names them.

pub mod buffer;
pub mod cors;
pub mod ext_authz;
pub mod fault;
pub mod header_mutation;
pub mod rbac;
pub mod router;

#[cfg(test)]
mod per_route_tests;
#[cfg(test)]
mod testing;

pub use buffer::Buffer;
pub use cors::Cors;
pub use ext_authz::ExtAuthz;
pub use fault::Fault;
pub use header_mutation::HeaderMutation;
pub use rbac::Rbac;
pub use router::Router;
