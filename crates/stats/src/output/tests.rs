//! Answers compared byte for byte with those recorded from Envoy 1.40.0 for the same stats.

use std::any::Any;

use crate::query::Kinds;
use crate::{
    BucketRule, Format, HistogramBuckets, StatsConfig, StatsMatcher, StatsQuery, Store,
    TagExtractors, TagSpecifier, TagValue, Unit, stat_group,
};

/// `stats_tags` of the recording.
const TAGS: &[(&str, &str)] = &[
    ("envoy.cluster_name", r"circuit_(breakers)"),
    ("mine", r"^cluster\.(?:.*)\.((default|high)\.)"),
    ("mine2", r"^http(?=\.).*?downstream_(cx)"),
    ("last", r"(_total|_active)$"),
    ("both", r"upstream_((rq|cx)_)"),
    ("opt", r"_(pending_)(x)?"),
    ("over", r"upstream_((r)q_p)"),
];

fn tags() -> TagExtractors {
    let fixed = ("fx", TagValue::Fixed("v".to_owned()));
    let regexes = TAGS
        .iter()
        .map(|(name, regex)| (*name, TagValue::Regex((*regex).to_owned())));
    let all = std::iter::once(fixed).chain(regexes);
    let all: Vec<_> = all
        .map(|(name, value)| TagSpecifier {
            name: name.to_owned(),
            value,
        })
        .collect();
    TagExtractors::new(true, false, &all).unwrap()
}

/// A store that holds what `given.tsv` lists, and the handles that keep it.
fn recorded() -> (Store, Vec<Box<dyn Any>>) {
    let store = Store::new(StatsConfig {
        tags: tags(),
        ..StatsConfig::default()
    });
    let scope = store.root();
    let mut handles: Vec<Box<dyn Any>> = Vec::new();
    for line in include_str!("testdata/given.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, name, value] = fields[..] else {
            panic!("{line}")
        };
        match kind {
            "Counters" => {
                let counter = scope.counter(name);
                counter.add(value.parse().unwrap());
                handles.push(Box::new(counter));
            }
            "Gauges" => {
                let gauge = scope.gauge(name);
                gauge.set(value.parse().unwrap());
                handles.push(Box::new(gauge));
            }
            "TextReadouts" => {
                let text = scope.text_readout(name);
                text.set(value);
                handles.push(Box::new(text));
            }
            _ => {
                let histogram = scope.histogram(name, Unit::Milliseconds);
                for (value, count) in value.split_whitespace().flat_map(|v| v.split_once(':')) {
                    let count: usize = count.parse().unwrap();
                    (0..count).for_each(|_| histogram.record(value.parse().unwrap()));
                }
                handles.push(Box::new(histogram));
            }
        }
    }
    store.merge_histograms();
    (store, handles)
}

fn render(store: &Store, query: StatsQuery) -> String {
    store.render(query, Vec::new()).collect()
}

#[test]
fn answers_are_envoys() {
    let (store, _handles) = recorded();
    let cases = [
        (
            Format::Text,
            HistogramBuckets::Unset,
            include_str!("testdata/stats.txt"),
        ),
        (
            Format::Text,
            HistogramBuckets::Detailed,
            include_str!("testdata/detailed.txt"),
        ),
        (
            Format::Text,
            HistogramBuckets::Disjoint,
            include_str!("testdata/disjoint.txt"),
        ),
        (
            Format::Json,
            HistogramBuckets::Unset,
            include_str!("testdata/stats.json"),
        ),
        (
            Format::Json,
            HistogramBuckets::Cumulative,
            include_str!("testdata/cumulative.json"),
        ),
        (
            Format::Json,
            HistogramBuckets::Detailed,
            include_str!("testdata/detailed.json"),
        ),
        (
            Format::Prometheus,
            HistogramBuckets::Unset,
            include_str!("testdata/prometheus.txt"),
        ),
        (
            Format::Prometheus,
            HistogramBuckets::Summary,
            include_str!("testdata/summary.txt"),
        ),
    ];
    for (format, histogram_buckets, expected) in cases {
        let text_readouts = histogram_buckets == HistogramBuckets::Summary;
        let query = StatsQuery {
            format,
            histogram_buckets,
            text_readouts,
            ..StatsQuery::default()
        };
        let answer = render(&store, query);
        for (ours, envoys) in answer.lines().zip(expected.lines()) {
            assert_eq!(ours, envoys, "{format:?} {histogram_buckets:?}");
        }
        assert_eq!(
            answer.len(),
            expected.len(),
            "{format:?} {histogram_buckets:?}"
        );
    }
}

#[test]
fn names_are_in_byte_order_and_metrics_in_token_order() {
    let store = Store::default();
    let names = [
        "b",
        "a.x",
        "a-b.x",
        "a.x-y",
        "a",
        "cluster.we.x",
        "cluster.we\"ir.x",
        "a_b",
    ];
    let _counters: Vec<_> = names
        .iter()
        .map(|name| store.root().counter(name))
        .collect();
    let text = render(&store, StatsQuery::default());
    assert_eq!(
        text,
        "a: 0\na-b.x: 0\na.x: 0\na.x-y: 0\na_b: 0\nb: 0\ncluster.we\"ir.x: 0\ncluster.we.x: 0\n"
    );
    let prometheus = render(
        &store,
        StatsQuery {
            format: Format::Prometheus,
            ..StatsQuery::default()
        },
    );
    assert_eq!(
        prometheus,
        "# TYPE envoy_a counter\nenvoy_a{} 0\n\
         # TYPE envoy_a_x counter\nenvoy_a_x{} 0\n\
         # TYPE envoy_a_x_y counter\nenvoy_a_x_y{} 0\n\
         # TYPE envoy_a_b_x counter\nenvoy_a_b_x{} 0\n\
         # TYPE envoy_a_b counter\nenvoy_a_b{} 0\n\
         # TYPE envoy_b counter\nenvoy_b{} 0\n\
         # TYPE envoy_cluster_x counter\nenvoy_cluster_x{envoy_cluster_name=\"we\"} 0\n\
         envoy_cluster_x{envoy_cluster_name=\"we\\\"ir\"} 0\n"
    );
}

stat_group! {
    /// One of each.
    struct Each {
        counters { hits, misses }
        gauges { open }
        histograms { took: Milliseconds }
    }
}

#[test]
fn filters_kinds_and_used() {
    let store = Store::default();
    let group = store.scope("s").group::<Each>();
    let stats = group.local();
    stats.hits().inc();
    stats.open().inc();
    stats.open().dec();
    let text = |query: StatsQuery| render(&store, query);
    assert_eq!(
        text(StatsQuery::default()),
        "s.hits: 1\ns.misses: 0\ns.open: 0\ns.took: No recorded values\n"
    );
    let used = || StatsQuery {
        used_only: true,
        ..StatsQuery::default()
    };
    assert_eq!(text(used()), "s.hits: 1\ns.open: 0\n");
    stats.took().record(5);
    assert_eq!(text(used()), "s.hits: 1\ns.open: 0\n");
    store.merge_histograms();
    store.reset_counters();
    let gauges = StatsQuery {
        kinds: Kinds::Gauges,
        ..used()
    };
    assert_eq!(text(gauges), "s.open: 0\n");
    let counters = StatsQuery {
        kinds: Kinds::Counters,
        ..used()
    };
    assert_eq!(text(counters), "s.hits: 0\n");
    let histograms = StatsQuery {
        filter: Some(Box::new(|name| name.ends_with("took"))),
        histogram_buckets: HistogramBuckets::Detailed,
        ..used()
    };
    let five = "5.05,5.05";
    let quantiles = [
        "P0", "P25", "P50", "P75", "P90", "P95", "P99", "P99.5", "P99.9", "P100",
    ];
    let quantiles = quantiles
        .map(|quantile| format!("{quantile}({five})"))
        .join(" ");
    assert_eq!(
        text(histograms),
        format!("s.took:\n  totals=5,0.1:1\n  intervals=5,0.1:1\n  summary={quantiles}\n")
    );
    let json = |query| {
        render(
            &store,
            StatsQuery {
                format: Format::Json,
                ..query
            },
        )
    };
    let none = StatsQuery {
        filter: Some(Box::new(|_| false)),
        ..StatsQuery::default()
    };
    assert_eq!(json(none), "{\"stats\":[]}");
}

#[test]
fn rejected_stats_are_not_shown() {
    let suffix = |suffix: &'static str| -> crate::NameMatcher {
        Box::new(move |name: &str| name.ends_with(suffix))
    };
    let cases = [
        (
            StatsMatcher::AcceptAll,
            "s.hits: 1\ns.misses: 0\ns.open: 0\nshared: 1\n",
        ),
        (StatsMatcher::RejectAll, ""),
        (
            StatsMatcher::Inclusion(vec![suffix("hits"), suffix("open")]),
            "s.hits: 1\ns.open: 0\n",
        ),
        (
            StatsMatcher::Exclusion(vec![suffix("hits"), suffix("shared")]),
            "s.misses: 0\ns.open: 0\n",
        ),
    ];
    for (matcher, expected) in cases {
        let store = Store::new(StatsConfig {
            matcher,
            ..StatsConfig::default()
        });
        let stats = store.scope("s").group::<Each>().local();
        stats.hits().inc();
        let shared = store.root().counter("shared");
        shared.inc();
        let query = StatsQuery {
            filter: Some(Box::new(|name| !name.ends_with("took"))),
            ..StatsQuery::default()
        };
        assert_eq!(render(&store, query), expected);
        assert_eq!(shared.value(), 1);
    }
}

#[test]
fn histogram_bucket_settings() {
    let rule = |name: &'static str, buckets: &[f64]| {
        BucketRule::new(Box::new(move |stat: &str| stat == name), buckets.to_vec())
    };
    let histogram_buckets = vec![rule("a", &[100.0, 0.25, 12345678.9]), rule("b", &[])];
    let store = Store::new(StatsConfig {
        histogram_buckets,
        ..StatsConfig::default()
    });
    let histograms = ["a", "b"].map(|name| store.root().histogram(name, Unit::Bytes));
    histograms.iter().for_each(|histogram| histogram.record(60));
    store.merge_histograms();
    let query = StatsQuery {
        format: Format::Prometheus,
        ..StatsQuery::default()
    };
    let answer = render(&store, query);
    let bounds: Vec<&str> = answer
        .lines()
        .filter(|line| line.contains("_a_bucket"))
        .collect();
    assert_eq!(
        bounds,
        [
            "envoy_a_bucket{le=\"0.25\"} 0",
            "envoy_a_bucket{le=\"100\"} 1",
            "envoy_a_bucket{le=\"12345678.900000000372529029846191\"} 1",
            "envoy_a_bucket{le=\"+Inf\"} 1",
        ]
    );
    assert_eq!(
        answer
            .lines()
            .filter(|line| line.contains("_b_bucket"))
            .count(),
        20
    );
}

#[test]
fn one_name_counted_by_two_components() {
    stat_group! { struct Other { counters { hits } } }
    let store = Store::default();
    let (one, other) = (
        store.scope("s").group::<Each>(),
        store.scope("s").group::<Other>(),
    );
    one.local().hits().inc();
    other.local().hits().add(2);
    let query = StatsQuery {
        filter: Some(Box::new(|name| name == "s.hits")),
        ..StatsQuery::default()
    };
    assert_eq!(render(&store, query), "s.hits: 3\n");
}
