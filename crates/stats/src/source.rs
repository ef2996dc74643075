//! What the store reads: anything that holds stats under one prefix.

use std::any::Any;

use crate::histogram::{MergedHistogram, Unit};

/// What a stat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A value that only grows, but for `/reset_counters`.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A text.
    TextReadout,
    /// A distribution of values of this unit.
    Histogram(Unit),
}

/// A stat's value as merged over all workers.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter's sum since start or the last reset.
    Counter(u64),
    /// A gauge's sum, never below 0.
    Gauge(u64),
    /// A text readout's text.
    TextReadout(String),
    /// A histogram as of the last merge.
    Histogram(Box<MergedHistogram>),
}

/// A value and whether the stat was ever written (`usedonly`).
pub(crate) struct Reading {
    pub used: bool,
    pub value: Value,
}

/// Stats under one prefix. Indices are stable for the life of the source.
pub(crate) trait Source: Any + Send + Sync {
    /// What all names begin with; ends with a dot, or is empty.
    fn prefix(&self) -> &str;
    /// Names, without the prefix, the stats that exist now.
    fn each(&self, visit: &mut dyn FnMut(u16, Kind, &str));
    /// The merged value of a stat that `each` showed.
    fn read(&self, index: u16) -> Reading;
    /// Counters begin at 0 again.
    fn reset_counters(&self);
    /// Histograms take in what workers recorded since the last merge; that becomes the interval.
    fn merge_histograms(&self);
}
