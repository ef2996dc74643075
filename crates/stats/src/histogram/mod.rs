//! Histograms with Envoy's log-linear buckets (libcircllhist): two significant decimal digits.

mod bins;
mod cells;
mod merged;
mod settings;
#[cfg(test)]
mod tests;

pub use merged::{Distribution, FilledBin, MergedHistogram};
pub(crate) use settings::buckets;
pub use settings::{BucketRule, DEFAULT_BUCKETS};

pub(crate) use cells::HistogramCells;

/// The quantiles that are computed of every histogram.
pub const QUANTILES: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

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

    /// How many times larger recorded values are than shown ones.
    fn scale(self) -> f64 {
        match self {
            Unit::Percent => Self::PERCENT_SCALE as f64,
            _ => 1.0,
        }
    }

    /// A recorded value as it is shown.
    fn shown(self, recorded: f64) -> f64 {
        recorded / self.scale()
    }
}
