//! One worker's handles to single stats of a group: they write cells that nobody else writes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::histogram::HistogramCells;

/// A counter of one worker.
#[derive(Clone, Copy)]
pub struct Counter<'a> {
    cell: &'a AtomicU64,
}

impl<'a> Counter<'a> {
    #[inline(always)]
    pub(crate) fn new(cell: &'a AtomicU64) -> Self {
        Self { cell }
    }

    /// Adds 1.
    #[inline(always)]
    pub fn inc(self) {
        self.add(1);
    }

    /// Adds `amount`.
    #[inline(always)]
    pub fn add(self, amount: u64) {
        self.cell
            .store(self.cell.load(Relaxed).wrapping_add(amount), Relaxed);
    }
}

/// A worker's part of a gauge. What is shown is the sum over the workers.
#[derive(Clone, Copy)]
pub struct Gauge<'a> {
    cell: &'a AtomicU64,
}

impl<'a> Gauge<'a> {
    #[inline(always)]
    pub(crate) fn new(cell: &'a AtomicU64) -> Self {
        Self { cell }
    }

    // The lowest bit says that the gauge was written; a sum of 0 doesn't tell.
    const WRITTEN: u64 = 1;

    pub(crate) fn decode(cell: u64) -> (bool, i64) {
        (cell & Self::WRITTEN != 0, cell as i64 >> 1)
    }

    #[inline(always)]
    fn write(self, cell: u64) {
        self.cell.store(cell | Self::WRITTEN, Relaxed);
    }

    /// Adds 1.
    #[inline(always)]
    pub fn inc(self) {
        self.add(1);
    }

    /// Subtracts 1.
    #[inline(always)]
    pub fn dec(self) {
        self.sub(1);
    }

    /// Adds `amount`.
    #[inline(always)]
    pub fn add(self, amount: u64) {
        self.write(self.cell.load(Relaxed).wrapping_add(amount << 1));
    }

    /// Subtracts `amount`; a worker's part may become negative.
    #[inline(always)]
    pub fn sub(self, amount: u64) {
        self.write(self.cell.load(Relaxed).wrapping_sub(amount << 1));
    }

    /// This worker's part.
    #[inline(always)]
    pub fn part(self) -> i64 {
        Self::decode(self.cell.load(Relaxed)).1
    }

    /// Sets this worker's part.
    #[inline(always)]
    pub fn set(self, value: u64) {
        self.write(value << 1);
    }
}

/// A histogram of one worker.
#[derive(Clone, Copy)]
pub struct Histogram<'a> {
    cells: &'a OnceLock<Box<HistogramCells>>,
}

impl<'a> Histogram<'a> {
    #[inline(always)]
    pub(crate) fn new(cells: &'a OnceLock<Box<HistogramCells>>) -> Self {
        Self { cells }
    }

    /// Records one value, in the histogram's unit.
    #[inline]
    pub fn record(self, value: u64) {
        self.cells
            .get_or_init(|| Box::new(HistogramCells::new()))
            .record_alone(value);
    }
}
