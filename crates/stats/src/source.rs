//! What the store reads: anything that holds stats under one prefix.

use std::any::Any;

use crate::histogram::{MergedHistogram, Unit};
use crate::store::Key;

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

impl Reading {
    /// Takes in another stat of the same name and kind: two components may count under one name,
    /// where Envoy would give them one counter.
    pub(crate) fn add(&mut self, other: Reading) {
        self.used |= other.used;
        match (&mut self.value, other.value) {
            (Value::Counter(value), Value::Counter(more))
            | (Value::Gauge(value), Value::Gauge(more)) => *value = value.wrapping_add(more),
            _ => {}
        }
    }
}

/// Stats under one prefix. Indices are stable for the life of the source.
pub(crate) trait Source: Any + Send + Sync {
    /// What it is found by.
    fn key(&self) -> &Key;
    /// What all names begin with; ends with a dot, or is empty.
    fn prefix(&self) -> &str {
        &self.key().prefix
    }
    /// Names, without the prefix, the stats that exist now.
    fn each(&self, visit: &mut dyn FnMut(u16, Kind, &str));
    /// Appends the name, without the prefix, of a stat that `each` showed.
    fn push_name(&self, index: u16, name: &mut String);
    /// The merged value of a stat that `each` showed.
    fn read(&self, index: u16) -> Reading;
    /// Counters begin at 0 again.
    fn reset_counters(&self);
    /// Histograms take in what workers recorded since the last merge; that becomes the interval.
    fn merge_histograms(&self);
}
