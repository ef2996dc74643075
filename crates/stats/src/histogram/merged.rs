//! A histogram as merged at a flush: all values so far, and those of the last interval.

use std::collections::BTreeMap;

use super::bins::Bin;
use super::cells::HistogramCells;
use super::{QUANTILES, Unit};

/// Counts by bin, least bin first, no bin empty. Figures are in the histogram's unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    unit: Unit,
    bins: Vec<(Bin, u64)>,
}

/// What `/stats` shows of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedHistogram {
    /// What was recorded between the last two merges.
    pub interval: Distribution,
    /// What was recorded up to the last merge.
    pub cumulative: Distribution,
}

impl MergedHistogram {
    pub(crate) fn new(unit: Unit) -> Self {
        let empty = Distribution {
            unit,
            bins: Vec::new(),
        };
        Self {
            interval: empty.clone(),
            cumulative: empty,
        }
    }

    /// Takes in what the cells hold now.
    pub(crate) fn merge<'a>(&mut self, cells: impl Iterator<Item = &'a HistogramCells>) {
        let mut sums = BTreeMap::new();
        cells.for_each(|cells| cells.add_to(&mut sums));
        let before: BTreeMap<Bin, u64> = self.cumulative.bins.iter().copied().collect();
        self.interval.bins = sums
            .iter()
            .map(|(bin, count)| {
                (
                    *bin,
                    count.saturating_sub(before.get(bin).copied().unwrap_or(0)),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        self.cumulative.bins = sums.into_iter().collect();
    }

    /// Whether a merge has found any value ever.
    pub fn used(&self) -> bool {
        !self.cumulative.bins.is_empty()
    }
}

/// A bin with values in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilledBin {
    /// Its least value.
    pub lower_bound: f64,
    /// How much it spans.
    pub width: f64,
    /// How many values it holds.
    pub count: u64,
}

impl Distribution {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// The bins that hold values, least first.
    pub fn bins(&self) -> impl Iterator<Item = FilledBin> {
        // Multiplied, not divided: a width of 0.1 prints as 0.09999999999999999, as in Envoy.
        let scale = 1.0 / self.unit.scale();
        self.bins.iter().map(move |(bin, count)| FilledBin {
            lower_bound: bin.left() * scale,
            width: bin.width() * scale,
            count: *count,
        })
    }

    /// The values at [`QUANTILES`]; NaN if there are no values. The k-th of n values in a bin is
    /// taken to lie at k/(n+1) of its width.
    pub fn quantiles(&self) -> [f64; QUANTILES.len()] {
        let total = self.count() as f64;
        let mut bins = self.bins.iter();
        let (mut bin, mut count, mut below) = (Bin::ZERO, 0u64, 0u64);
        QUANTILES.map(|quantile| {
            let rank = (total * quantile).ceil().max(1.0);
            while ((below + count) as f64) < rank {
                let Some((next, next_count)) = bins.next() else {
                    return f64::NAN;
                };
                below += count;
                (bin, count) = (*next, *next_count);
            }
            let value = bin.left() + (rank - below as f64) / (count as f64 + 1.0) * bin.width();
            self.unit.shown(value)
        })
    }

    /// The sum of all values, each taken to be the harmonic mean of its bin's bounds.
    pub fn sum(&self) -> f64 {
        let values = self
            .bins
            .iter()
            .map(|(bin, count)| bin.middle() * *count as f64);
        let sum = values.fold(0.0, |sum, value| sum + value);
        self.unit.shown(sum)
    }

    /// For each upper bound (rising), how many values lie in bins that begin at or below it.
    pub fn cumulative_counts<'a>(&'a self, bounds: &'a [f64]) -> impl Iterator<Item = u64> + 'a {
        let mut bins = self.bins.iter().peekable();
        let mut count = 0;
        bounds.iter().map(move |bound| {
            let bound = bound * self.unit.scale();
            while let Some((_, more)) = bins.next_if(|(bin, _)| bin.left() <= bound) {
                count += more;
            }
            count
        })
    }
}
