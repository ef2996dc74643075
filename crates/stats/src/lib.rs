//! Counts things, and names them as Envoy does.
//!
//! A component lists its stats once, with [`stat_group!`]; the main thread makes a [`Group`] of
//! them under a [`Scope`], each worker takes a local from it and counts without locks, shared
//! cache lines or names. The admin and the sinks read the sums through the [`Store`].
//! Envoy's pages: "Statistics" (architecture overview) and "Stats" (config reference).

mod group;
mod histogram;
mod macros;
mod response_codes;
mod sanitize;
mod scope;
mod shared;
mod source;
mod store;

pub use group::{Counter, Gauge, Group, GroupShape, Histogram, LocalCells, StatGroup};
pub use histogram::{Bin, Distribution, MergedHistogram, Unit};
pub use response_codes::{LocalResponseCodes, ResponseCodes};
pub use scope::Scope;
pub use shared::{SharedCounter, SharedGauge, SharedHistogram, SharedTextReadout};
pub use source::{Kind, Value};
pub use store::{Stat, Store};

#[cfg(test)]
mod tests;
