//! Role-based access control (`envoy.config.rbac.v3`): who may do what, by policies or by the
//! unified matcher. Filters ask an [`Engine`], and count with [`RbacStats`].

mod engine;
mod permission;
mod principal;
mod stats;

#[cfg(test)]
mod tests;

pub use engine::{Action, Engine, MatchAction, Policy, Verdict};
pub use permission::{MetadataSource, Permission};
pub use principal::{AddressOf, Principal, StateMatcher};
pub use stats::{RbacStats, Record, Scopes, hint};
