//! Which buckets `/stats?histogram_buckets=…` and `/stats/prometheus` show
//! (`stats_config.histogram_bucket_settings`).

use crate::config::NameMatcher;

/// The buckets of histograms that no rule matches: upper bounds in the histogram's unit.
pub const DEFAULT_BUCKETS: &[f64] = &[
    0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0,
    60000.0, 300000.0, 600000.0, 1800000.0, 3600000.0,
];

/// One `histogram_bucket_settings` entry. (`bins` sizes a buffer of Envoy's that we don't have.)
pub struct BucketRule {
    matcher: NameMatcher,
    /// Upper bounds, rising; none for the default ones.
    buckets: Vec<f64>,
}

impl BucketRule {
    /// Histograms whose full name matches show these upper bounds, given in any order; none means
    /// the default ones.
    pub fn new(matcher: NameMatcher, mut buckets: Vec<f64>) -> Self {
        buckets.sort_by(f64::total_cmp);
        Self { matcher, buckets }
    }
}

/// The upper bounds for a histogram of this name.
pub(crate) fn buckets<'a>(rules: &'a [BucketRule], name: &str) -> &'a [f64] {
    match rules.iter().find(|rule| (rule.matcher)(name)) {
        Some(rule) if !rule.buckets.is_empty() => &rule.buckets,
        _ => DEFAULT_BUCKETS,
    }
}
