//! What `stats_config` of the bootstrap says, in the store's own terms.

use crate::histogram::BucketRule;
use crate::tags::TagExtractors;

/// Whether a name matches; made from a `StringMatcher` by whoever reads the config.
pub type NameMatcher = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// How the store names, tags and shows stats.
#[derive(Default)]
pub struct StatsConfig {
    /// `stats_matcher`.
    pub matcher: StatsMatcher,
    /// `stats_tags` and the default tags.
    pub tags: TagExtractors,
    /// `histogram_bucket_settings`, first match wins.
    pub histogram_buckets: Vec<BucketRule>,
}

/// Which stats exist.
#[derive(Default)]
pub enum StatsMatcher {
    /// All of them.
    #[default]
    AcceptAll,
    /// `reject_all: true`.
    RejectAll,
    /// `inclusion_list`: those that any matches.
    Inclusion(Vec<NameMatcher>),
    /// `exclusion_list`: those that none matches.
    Exclusion(Vec<NameMatcher>),
}

impl StatsMatcher {
    /// Whether a stat of this full name exists.
    pub(crate) fn accepts(&self, name: &str) -> bool {
        match self {
            StatsMatcher::AcceptAll => true,
            StatsMatcher::RejectAll => false,
            StatsMatcher::Inclusion(list) => list.iter().any(|matches| matches(name)),
            StatsMatcher::Exclusion(list) => !list.iter().any(|matches| matches(name)),
        }
    }
}
