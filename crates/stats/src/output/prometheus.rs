//! `/stats/prometheus`: Prometheus' text exposition format.
//!
//! All stats that have one tag-extracted name are one metric, so names are looked through once to
//! find which stats belong together; only their places are kept.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::Step;
use crate::histogram::{MergedHistogram, QUANTILES, buckets};
use crate::number::{general, shortest};
use crate::primitive::{PrimitiveKind, PrimitiveStat};
use crate::query::{HistogramBuckets, StatsQuery};
use crate::source::{Kind, Source, Value};
use crate::store::StoreCore;
use crate::tags::Tag;

/// What is shown together, one after the other.
const PHASES: [Phase; 4] = [
    Phase::Counters,
    Phase::Gauges,
    Phase::TextReadouts,
    Phase::Histograms,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Counters,
    Gauges,
    TextReadouts,
    Histograms,
}

/// Where a stat is: its source's place and its index there.
type Place = (u32, u16);

/// Sources whose names are looked through at a time: a few milliseconds.
const SOURCES: usize = 256;

/// How far the answer is.
#[derive(Default)]
pub(super) struct Prometheus {
    phase: usize,
    sources: Option<Vec<Arc<dyn Source>>>,
    /// How many of the sources this phase has looked through.
    looked: usize,
    found: HashMap<String, Vec<Place>>,
    /// Metrics still to show in this phase, the next one last.
    metrics: Vec<(String, Vec<Place>)>,
}

impl Prometheus {
    /// Writes one metric, or looks for some.
    pub(super) fn step(
        &mut self,
        store: &StoreCore,
        query: &StatsQuery,
        others: &mut Vec<PrimitiveStat>,
        out: &mut String,
    ) -> Step {
        let Some(phase) = PHASES.get(self.phase).copied() else {
            return write_others(store, others, out);
        };
        let sources = self.sources.get_or_insert_with(|| store.sources());
        if let Some((metric, places)) = self.metrics.pop() {
            write_metric(&metric, &places, phase, sources, store, query, out);
            return Step::More;
        }
        if phase == Phase::TextReadouts && !query.text_readouts || self.looked == sources.len() {
            self.phase += 1;
            self.looked = 0;
            return Step::More;
        }
        let until = sources.len().min(self.looked + SOURCES);
        for (place, source) in sources.iter().enumerate().take(until).skip(self.looked) {
            collect(phase, place, &**source, store, query, &mut self.found);
        }
        self.looked = until;
        if self.looked < sources.len() {
            return Step::Pause;
        }
        self.metrics = std::mem::take(&mut self.found).into_iter().collect();
        self.metrics.sort_by(|(a, _), (b, _)| by_token(b, a));
        Step::More
    }
}

/// Adds a source's stats to their metrics.
fn collect(
    phase: Phase,
    place: usize,
    source: &dyn Source,
    store: &StoreCore,
    query: &StatsQuery,
    metrics: &mut HashMap<String, Vec<Place>>,
) {
    let mut name = String::new();
    let mut found = Vec::new();
    source.each(&mut |index, kind, rest| {
        if phase != phase_of(kind) {
            return;
        }
        name.clear();
        name.push_str(source.prefix());
        name.push_str(rest);
        if query.wants(&name) && store.config.matcher.accepts(&name) {
            found.push((index, store.config.tags.extract(&name).name));
        }
    });
    for (index, metric) in found {
        if !query.used_only || source.read(index).used {
            metrics
                .entry(metric)
                .or_default()
                .push((place as u32, index));
        }
    }
}

fn phase_of(kind: Kind) -> Phase {
    match kind {
        Kind::Counter => Phase::Counters,
        Kind::Gauge => Phase::Gauges,
        Kind::TextReadout => Phase::TextReadouts,
        Kind::Histogram(_) => Phase::Histograms,
    }
}

/// Compares names token by token: a dot comes before all else.
fn by_token(a: &str, b: &str) -> Ordering {
    let key = |byte: u8| if byte == b'.' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

fn write_metric(
    metric: &str,
    places: &[Place],
    phase: Phase,
    sources: &[Arc<dyn Source>],
    store: &StoreCore,
    query: &StatsQuery,
    out: &mut String,
) {
    let metric = sanitize(&format!("envoy_{metric}"));
    let summary = query.histogram_buckets == HistogramBuckets::Summary;
    let kind = match phase {
        Phase::Counters => "counter",
        Phase::Gauges | Phase::TextReadouts => "gauge",
        Phase::Histograms if summary => "summary",
        Phase::Histograms => "histogram",
    };
    // Writing to a string does not fail.
    let _ = writeln!(out, "# TYPE {metric} {kind}");
    let read = |(place, index): Place| sources[place as usize].read(index);
    let mut stats = in_order(places, sources).into_iter().peekable();
    while let Some((name, place)) = stats.next() {
        let mut reading = read(place);
        while let Some((_, same)) = stats.next_if(|(next, _)| *next == name) {
            reading.add(read(same));
        }
        let tags = labels(&store.config.tags.extract(&name).tags);
        let _ = match reading.value {
            Value::Counter(value) | Value::Gauge(value) => {
                writeln!(out, "{metric}{{{tags}}} {value}")
            }
            Value::TextReadout(text) => {
                let comma = if tags.is_empty() { "" } else { "," };
                writeln!(
                    out,
                    "{metric}{{{tags}{comma}text_value=\"{}\"}} 0",
                    escape(&text)
                )
            }
            Value::Histogram(histogram) if summary => {
                write_summary(&metric, &tags, &histogram, out)
            }
            Value::Histogram(histogram) => {
                let bounds = buckets(&store.config.histogram_buckets, &name);
                write_histogram(&metric, &tags, &histogram, bounds, out)
            }
        };
    }
}

/// Writes what is shown besides the store's stats: counters, then gauges.
fn write_others(store: &StoreCore, others: &mut Vec<PrimitiveStat>, out: &mut String) -> Step {
    let mut all = std::mem::take(others);
    all.sort_by(|a, b| {
        let metric = |stat: &PrimitiveStat| (stat.kind, stat.tag_extracted_name.clone());
        let in_metric = || by_token(&a.name, &b.name);
        metric(a).cmp(&metric(b)).then_with(in_metric)
    });
    let mut before = "";
    for stat in &all {
        let metric = sanitize(&format!("envoy_{}", stat.tag_extracted_name));
        if stat.tag_extracted_name != before {
            before = &stat.tag_extracted_name;
            let kind = match stat.kind {
                PrimitiveKind::Counter => "counter",
                PrimitiveKind::Gauge => "gauge",
            };
            let _ = writeln!(out, "# TYPE {metric} {kind}");
        }
        // Only tags that every stat has come of a name without any tokens.
        let mut tags = store.config.tags.extract("").tags;
        tags.extend(stat.tags());
        let _ = writeln!(out, "{metric}{{{}}} {}", labels(&tags), stat.value);
    }
    Step::Done
}

/// The stats of one metric, by name.
fn in_order(places: &[Place], sources: &[Arc<dyn Source>]) -> Vec<(String, Place)> {
    let mut all: Vec<(String, Place)> = Vec::with_capacity(places.len());
    for (place, index) in places {
        let source = &sources[*place as usize];
        let mut name = source.prefix().to_owned();
        source.push_name(*index, &mut name);
        all.push((name, (*place, *index)));
    }
    all.sort_by(|(a, _), (b, _)| by_token(a, b));
    all
}

fn write_histogram(
    metric: &str,
    tags: &str,
    histogram: &MergedHistogram,
    bounds: &[f64],
    out: &mut String,
) -> std::fmt::Result {
    let values = &histogram.cumulative;
    let comma = if tags.is_empty() { "" } else { "," };
    for (bound, count) in bounds.iter().zip(values.cumulative_counts(bounds)) {
        let bound = general(*bound, 32);
        writeln!(
            out,
            "{metric}_bucket{{{tags}{comma}le=\"{bound}\"}} {count}"
        )?;
    }
    let count = values.count();
    writeln!(out, "{metric}_bucket{{{tags}{comma}le=\"+Inf\"}} {count}")?;
    writeln!(out, "{metric}_sum{{{tags}}} {}", general(values.sum(), 32))?;
    writeln!(out, "{metric}_count{{{tags}}} {count}")
}

/// Quantiles, sum and count of the last interval.
fn write_summary(
    metric: &str,
    tags: &str,
    histogram: &MergedHistogram,
    out: &mut String,
) -> std::fmt::Result {
    let values = &histogram.interval;
    let comma = if tags.is_empty() { "" } else { "," };
    for (quantile, value) in QUANTILES.iter().zip(values.quantiles()) {
        let (quantile, value) = (shortest(*quantile), general(value, 32));
        writeln!(
            out,
            "{metric}{{{tags}{comma}quantile=\"{quantile}\"}} {value}"
        )?;
    }
    writeln!(out, "{metric}_sum{{{tags}}} {}", general(values.sum(), 32))?;
    writeln!(out, "{metric}_count{{{tags}}} {}", values.count())
}

fn labels(tags: &[Tag<'_>]) -> String {
    let all = tags
        .iter()
        .map(|tag| format!("{}=\"{}\"", sanitize(tag.name), escape(&tag.value)));
    all.collect::<Vec<_>>().join(",")
}

/// A name that Prometheus allows.
fn sanitize(name: &str) -> String {
    let mut sane: String = if name.starts_with(|c: char| c.is_ascii_digit()) {
        "_".to_owned()
    } else {
        String::new()
    };
    // Byte by byte: each byte of what is not ASCII becomes an underscore.
    sane.extend(name.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            char::from(byte)
        } else {
            '_'
        }
    }));
    sane
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}
