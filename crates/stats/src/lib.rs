//! Counts things, and names them as Envoy does.
//!
//! A component lists its stats once, with [`stat_group!`]; the main thread makes a [`Group`] of
//! them under a [`Scope`], each worker takes a local from it and counts without locks, shared
//! cache lines or names. The admin and the sinks read the sums through the [`Store`].
//! Envoy's pages: "Statistics" (architecture overview) and "Stats" (config reference).

mod config;
mod group;
mod handles;
mod histogram;
mod key_hasher;
mod lookups;
mod macros;
mod number;
mod output;
mod primitive;
mod query;
mod response_codes;
mod sanitize;
mod scope;
mod shared;
mod source;
mod store;
mod tags;

pub use config::{NameMatcher, StatsConfig, StatsMatcher};
pub use group::{Group, GroupShape, LocalCells, StatGroup};
pub use handles::{Counter, Gauge, Histogram};
pub use histogram::{
    BucketRule, DEFAULT_BUCKETS, Distribution, FilledBin, MergedHistogram, QUANTILES, Unit,
};
pub use lookups::Lookups;
pub use output::Render;
pub use primitive::{EndpointNames, PrimitiveKind, PrimitiveStat};
pub use query::{Format, HistogramBuckets, Kinds, StatsQuery};
pub use response_codes::{LocalResponseCodes, ResponseCodes};
pub use scope::Scope;
pub use shared::{SharedCounter, SharedGauge, SharedHistogram, SharedTextReadout};
pub use source::{Kind, Value};
pub use store::{Stat, Store};
pub use tags::{Tag, TagError, TagExtractors, TagSpecifier, TagValue, Tagged};

#[cfg(test)]
mod tests;
