//! Histograms with Envoy's log-linear buckets (libcircllhist): two significant decimal digits.

mod bins;
mod cells;
mod merged;

pub use bins::Bin;
pub use merged::{Distribution, MergedHistogram};

pub(crate) use cells::HistogramCells;

/// What a histogram's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A plain number.
    Unspecified,
    /// Bytes.
    Bytes,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Parts of one, recorded in millionths ([`Unit::PERCENT_SCALE`]).
    Percent,
}

impl Unit {
    /// What a value of unit [`Unit::Percent`] is multiplied with before it is recorded.
    pub const PERCENT_SCALE: u64 = 1_000_000;
}
