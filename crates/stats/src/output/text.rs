//! `/stats` as lines of `name: value`.

use std::fmt::Write;

use super::Step;
use super::walk::{Phase, Walk};
use crate::histogram::{Distribution, MergedHistogram, QUANTILES, buckets};
use crate::number::{general, shortest};
use crate::primitive::PrimitiveStat;
use crate::query::{HistogramBuckets, StatsQuery};
use crate::source::Value;
use crate::store::StoreCore;

/// How far the answer is.
#[derive(Default)]
pub(super) struct Text {
    phase: usize,
    walk: Option<Walk>,
}

impl Text {
    /// Writes one stat.
    pub(super) fn step(
        &mut self,
        store: &StoreCore,
        query: &StatsQuery,
        others: &mut Vec<PrimitiveStat>,
        out: &mut String,
    ) -> Step {
        let Some(phase) = Phase::ALL.get(self.phase) else {
            return Step::Done;
        };
        let walk = self.walk.get_or_insert_with(|| Walk::new(store, *phase));
        let Some((name, reading)) = walk.next(store, query) else {
            self.walk = None;
            self.phase += 1;
            if *phase == Phase::CountersAndGauges {
                for other in others.drain(..) {
                    let _ = writeln!(out, "{}: {}", other.name, other.value);
                }
            }
            return Step::More;
        };
        // Writing to a string does not fail.
        let _ = match reading.value {
            Value::Counter(value) | Value::Gauge(value) => writeln!(out, "{name}: {value}"),
            Value::TextReadout(text) => writeln!(out, "{name}: \"{text}\""),
            Value::Histogram(histogram) => {
                let bounds = buckets(&store.config.histogram_buckets, &name);
                let body = histogram_body(&histogram, query.histogram_buckets, bounds);
                let space = if body.starts_with('\n') { "" } else { " " };
                writeln!(out, "{name}:{space}{body}")
            }
        };
        Step::More
    }
}

fn histogram_body(histogram: &MergedHistogram, mode: HistogramBuckets, bounds: &[f64]) -> String {
    if !histogram.used() {
        return "No recorded values".to_owned();
    }
    match mode {
        HistogramBuckets::Detailed => format!(
            "\n  totals={}\n  intervals={}\n  summary={}",
            bins(&histogram.cumulative),
            bins(&histogram.interval),
            quantiles(histogram),
        ),
        HistogramBuckets::Unset | HistogramBuckets::Summary => quantiles(histogram),
        HistogramBuckets::Cumulative => counts(histogram, bounds, false),
        HistogramBuckets::Disjoint => counts(histogram, bounds, true),
    }
}

fn quantiles(histogram: &MergedHistogram) -> String {
    let (interval, cumulative) = (
        histogram.interval.quantiles(),
        histogram.cumulative.quantiles(),
    );
    let all = QUANTILES.iter().zip(interval).zip(cumulative);
    let all = all.map(|((quantile, interval), cumulative)| {
        format!(
            "P{}({},{})",
            percent(*quantile),
            shortest(interval),
            shortest(cumulative)
        )
    });
    all.collect::<Vec<_>>().join(" ")
}

/// A quantile as per cent: 99.5.
pub(super) fn percent(quantile: f64) -> String {
    general(quantile * 100.0, 6)
}

fn counts(histogram: &MergedHistogram, bounds: &[f64], disjoint: bool) -> String {
    let interval = bucket_counts(&histogram.interval, bounds, disjoint);
    let cumulative = bucket_counts(&histogram.cumulative, bounds, disjoint);
    let all = bounds.iter().zip(interval).zip(cumulative);
    let all = all.map(|((bound, interval), cumulative)| {
        format!("B{}({interval},{cumulative})", general(*bound, 6))
    });
    all.collect::<Vec<_>>().join(" ")
}

/// Counts up to each bound, or from the bound before it.
pub(super) fn bucket_counts(values: &Distribution, bounds: &[f64], disjoint: bool) -> Vec<u64> {
    let mut before = 0;
    let counts = values.cumulative_counts(bounds).map(|count| {
        let from = if disjoint { before } else { 0 };
        before = count;
        count - from
    });
    counts.collect()
}

fn bins(values: &Distribution) -> String {
    let all = values.bins().map(|bin| {
        format!(
            "{},{}:{}",
            general(bin.lower_bound, 15),
            general(bin.width, 15),
            bin.count
        )
    });
    all.collect::<Vec<_>>().join(", ")
}
