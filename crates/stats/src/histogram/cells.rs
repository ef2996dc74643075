//! Where values are recorded: one counter per bin, a decade's counters made when first needed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::bins::{Bin, DECADES, PER_DECADE, place};

/// Counts by bin. Many may read; see the two ways to write.
pub(crate) struct HistogramCells {
    zeros: AtomicU64,
    decades: [OnceLock<Box<[AtomicU64; PER_DECADE]>>; DECADES],
}

impl HistogramCells {
    pub(crate) fn new() -> Self {
        Self {
            zeros: AtomicU64::new(0),
            decades: [const { OnceLock::new() }; DECADES],
        }
    }

    fn cell(&self, value: u64) -> &AtomicU64 {
        match place(value) {
            None => &self.zeros,
            Some((decade, step)) => {
                let bins = self.decades[decade]
                    .get_or_init(|| Box::new([const { AtomicU64::new(0) }; PER_DECADE]));
                &bins[step]
            }
        }
    }

    /// Records where this thread is the only one that records.
    pub(crate) fn record_alone(&self, value: u64) {
        let cell = self.cell(value);
        cell.store(cell.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Records where other threads may record too.
    pub(crate) fn record_shared(&self, value: u64) {
        self.cell(value).fetch_add(1, Relaxed);
    }

    /// Adds the counts of all bins that have any to `sums`.
    pub(super) fn add_to(&self, sums: &mut std::collections::BTreeMap<Bin, u64>) {
        let mut add = |bin, cell: &AtomicU64| {
            let count = cell.load(Relaxed);
            if count > 0 {
                *sums.entry(bin).or_default() += count;
            }
        };
        add(Bin::ZERO, &self.zeros);
        for (decade, cells) in self.decades.iter().enumerate() {
            for (step, cell) in cells
                .get()
                .into_iter()
                .flat_map(|cells| cells.iter().enumerate())
            {
                add(Bin::new(decade, step), cell);
            }
        }
    }
}
