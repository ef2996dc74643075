//! A histogram as merged at a flush: all values so far, and those of the last interval.

use std::collections::BTreeMap;

use super::bins::Bin;
use super::cells::HistogramCells;

/// Counts by bin, least bin first, no bin empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    bins: Vec<(Bin, u64)>,
}

/// What `/stats` shows of a histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MergedHistogram {
    /// What was recorded between the last two merges.
    pub interval: Distribution,
    /// What was recorded up to the last merge.
    pub cumulative: Distribution,
}

impl MergedHistogram {
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
                    count - before.get(bin).copied().unwrap_or(0).min(*count),
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

impl Distribution {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// The values at these quantiles (0 to 1, in rising order); NaN where there are no values.
    /// The k-th of n values in a bin is taken to lie at k/(n+1) of its width.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [f64; N] {
        let total = self.count() as f64;
        let mut bins = self.bins.iter();
        let (mut bin, mut count, mut below) = (Bin::ZERO, 0u64, 0u64);
        quantiles.map(|quantile| {
            let rank = (total * quantile).ceil().max(1.0);
            while ((below + count) as f64) < rank {
                let Some((next, next_count)) = bins.next() else {
                    return f64::NAN;
                };
                below += count;
                (bin, count) = (*next, *next_count);
            }
            bin.left() + (rank - below as f64) / (count as f64 + 1.0) * bin.width()
        })
    }
}
