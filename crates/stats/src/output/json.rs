//! `/stats?format=json`: one object, histograms last and together.

use std::fmt::Write;

use super::Step;
use super::text::{bucket_counts, percent};
use super::walk::{Phase, Walk};
use crate::histogram::{Distribution, MergedHistogram, QUANTILES, buckets};
use crate::number::json as number;
use crate::primitive::PrimitiveStat;
use crate::query::{HistogramBuckets, StatsQuery};
use crate::source::Value;
use crate::store::StoreCore;

/// How far the answer is.
#[derive(Default)]
pub(super) struct Json {
    phase: usize,
    walk: Option<Walk>,
    /// Whether anything was written.
    begun: bool,
    any_stat: bool,
    any_histogram: bool,
}

impl Json {
    /// Writes one stat.
    pub(super) fn step(
        &mut self,
        store: &StoreCore,
        query: &StatsQuery,
        others: &mut Vec<PrimitiveStat>,
        out: &mut String,
    ) -> Step {
        if !self.begun {
            self.begun = true;
            out.push_str("{\"stats\":[");
        }
        let Some(phase) = Phase::ALL.get(self.phase) else {
            return Step::Done;
        };
        let walk = self.walk.get_or_insert_with(|| Walk::new(store, *phase));
        let Some((name, reading)) = walk.next(store, query) else {
            self.walk = None;
            self.phase += 1;
            if *phase == Phase::CountersAndGauges {
                others.drain(..).for_each(|other| self.number(&other, out));
            }
            if self.phase < Phase::ALL.len() {
                return Step::More;
            }
            self.finish(query.histogram_buckets, out);
            return Step::Done;
        };
        if self.any_stat {
            out.push(',');
        }
        self.any_stat = true;
        if let Value::Histogram(histogram) = reading.value {
            if !self.any_histogram {
                self.any_histogram = true;
                begin_histograms(query.histogram_buckets, out);
            }
            let bounds = buckets(&store.config.histogram_buckets, &name);
            write_histogram(&name, &histogram, query.histogram_buckets, bounds, out);
            return Step::More;
        }
        out.push_str("{\"name\":");
        write_string(&name, out);
        out.push_str(",\"value\":");
        match reading.value {
            Value::TextReadout(text) => write_string(&text, out),
            Value::Counter(value) | Value::Gauge(value) => {
                let _ = write!(out, "{value}");
            }
            Value::Histogram(_) => {}
        }
        out.push('}');
        Step::More
    }

    fn number(&mut self, stat: &PrimitiveStat, out: &mut String) {
        if std::mem::replace(&mut self.any_stat, true) {
            out.push(',');
        }
        out.push_str("{\"name\":");
        write_string(&stat.name, out);
        let _ = write!(out, ",\"value\":{}}}", stat.value);
    }

    fn finish(&self, mode: HistogramBuckets, out: &mut String) {
        if self.any_histogram {
            out.push_str(match mode {
                HistogramBuckets::Cumulative | HistogramBuckets::Disjoint => "]}",
                _ => "]}}",
            });
        }
        out.push_str("]}");
    }
}

fn begin_histograms(mode: HistogramBuckets, out: &mut String) {
    let (quantiles, list) = match mode {
        HistogramBuckets::Cumulative | HistogramBuckets::Disjoint => {
            out.push_str("{\"histograms\":[");
            return;
        }
        HistogramBuckets::Detailed => ("supported_percentiles", "details"),
        _ => ("supported_quantiles", "computed_quantiles"),
    };
    let all = QUANTILES.map(percent).join(",");
    let _ = write!(
        out,
        "{{\"histograms\":{{\"{quantiles}\":[{all}],\"{list}\":["
    );
}

fn write_histogram(
    name: &str,
    histogram: &MergedHistogram,
    mode: HistogramBuckets,
    bounds: &[f64],
    out: &mut String,
) {
    out.push_str("{\"name\":");
    write_string(name, out);
    let (interval, cumulative) = (&histogram.interval, &histogram.cumulative);
    match mode {
        HistogramBuckets::Cumulative | HistogramBuckets::Disjoint => {
            let disjoint = mode == HistogramBuckets::Disjoint;
            let interval = bucket_counts(interval, bounds, disjoint);
            let cumulative = bucket_counts(cumulative, bounds, disjoint);
            let all = bounds.iter().zip(interval).zip(cumulative);
            let all = all.map(|((bound, interval), cumulative)| {
                format!(
                    "{{\"upper_bound\":{},\"interval\":{interval},\"cumulative\":{cumulative}}}",
                    number(*bound)
                )
            });
            let _ = write!(out, ",\"buckets\":[{}]", all.collect::<Vec<_>>().join(","));
        }
        HistogramBuckets::Detailed => {
            let (totals, intervals) = (bins(cumulative), bins(interval));
            let _ = write!(out, ",\"totals\":[{totals}],\"intervals\":[{intervals}]");
            let _ = write!(out, ",\"percentiles\":[{}]", quantiles(histogram));
        }
        HistogramBuckets::Unset | HistogramBuckets::Summary => {
            let _ = write!(out, ",\"values\":[{}]", quantiles(histogram));
        }
    }
    out.push('}');
}

fn quantiles(histogram: &MergedHistogram) -> String {
    let (interval, cumulative) = (
        histogram.interval.quantiles(),
        histogram.cumulative.quantiles(),
    );
    let all = interval
        .iter()
        .zip(cumulative)
        .map(|(interval, cumulative)| {
            format!(
                "{{\"cumulative\":{},\"interval\":{}}}",
                number(cumulative),
                number(*interval)
            )
        });
    all.collect::<Vec<_>>().join(",")
}

fn bins(values: &Distribution) -> String {
    let all = values.bins().map(|bin| {
        format!(
            "{{\"lower_bound\":{},\"width\":{},\"count\":{}}}",
            number(bin.lower_bound),
            number(bin.width),
            bin.count
        )
    });
    all.collect::<Vec<_>>().join(",")
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
