//! `envoy.config.metrics.v3.StatsConfig`, and how often stats are looked at.

use crate::duration;
use crate::matching::string_matcher;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::envoy::config::bootstrap::v3::bootstrap::{StatsEviction, StatsFlush};
use nuncio_proto::envoy::config::metrics::v3 as proto;
use nuncio_proto::envoy::r#type::matcher::v3::StringMatcher;
use nuncio_stats::{
    BucketRule, NameMatcher, StatsConfig, StatsMatcher, TagExtractors, TagSpecifier, TagValue,
};
use std::time::Duration;

/// How often stats are flushed. `stats_eviction_interval` need only be a multiple of it: it is
/// about the scopes of extensions that ask for it, none of which is here.
///
/// # Errors
/// Recorded in `cx`.
pub fn flush_interval(cx: &mut ParseCx, proto: &Bootstrap) -> Parsed<Duration> {
    const EVICTION: &str = "stats_eviction_interval";
    let on_admin = Some(StatsFlush::StatsFlushOnAdmin(true));
    if proto.stats_flush_interval.is_some() && proto.stats_flush == on_admin {
        let text = "Only one of stats_flush_interval or stats_flush_on_admin should be set!";
        return Err(cx.error(text));
    }
    let interval = duration::optional(cx, "stats_flush_interval", proto.stats_flush_interval)?;
    let interval = interval.unwrap_or(Duration::from_secs(5));
    let eviction = proto.stats_eviction.as_ref();
    let eviction = eviction.map(|StatsEviction::StatsEvictionInterval(interval)| *interval);
    let eviction = duration::optional(cx, EVICTION, eviction)?.unwrap_or_default();
    // Whole milliseconds, of which there is at least one, are what counts.
    if eviction.as_millis() % interval.as_millis().max(1) != 0 {
        let message = "stats_eviction_interval must be a multiple of stats_flush_interval";
        return Err(cx.error_at(EVICTION, message));
    }
    Ok(interval)
}

/// Converts the stats config. `cli_tags`: `--stats-tag`, which all stats carry.
///
/// # Errors
/// Recorded in `cx`.
pub fn stats_config(
    cx: &mut ParseCx,
    config: Option<proto::StatsConfig>,
    cli_tags: &[(String, String)],
) -> Parsed<StatsConfig> {
    let config = config.unwrap_or_default();
    let defaults = config
        .use_all_default_tags
        .as_ref()
        .is_none_or(|value| value.value);
    let overrides = config
        .allow_default_tag_overrides
        .as_ref()
        .is_some_and(|value| value.value);
    let tags = tags(cx, config.stats_tags, cli_tags, defaults, overrides);
    let matcher = cx.optional("stats_matcher", config.stats_matcher, matcher);
    let buckets = cx.list(
        "histogram_bucket_settings",
        config.histogram_bucket_settings,
        buckets,
    );
    Ok(StatsConfig {
        matcher: matcher?.unwrap_or_default(),
        tags: tags?,
        histogram_buckets: buckets?,
    })
}

fn tags(
    cx: &mut ParseCx,
    specifiers: Vec<proto::TagSpecifier>,
    cli_tags: &[(String, String)],
    defaults: bool,
    overrides: bool,
) -> Parsed<TagExtractors> {
    let of_cli = cli_tags.iter().map(|(name, value)| TagSpecifier {
        name: name.clone(),
        value: TagValue::Fixed(value.clone()),
    });
    let of_config = specifiers.into_iter().map(|specifier| TagSpecifier {
        name: specifier.tag_name,
        value: match specifier.tag_value {
            Some(proto::tag_specifier::TagValue::Regex(regex)) => TagValue::Regex(regex),
            Some(proto::tag_specifier::TagValue::FixedValue(value)) => TagValue::Fixed(value),
            None => TagValue::Default,
        },
    });
    let all: Vec<_> = of_config.chain(of_cli).collect();
    TagExtractors::new(defaults, overrides, &all)
        .map_err(|error| cx.error_at("stats_tags", error.to_string()))
}

fn name_matcher(cx: &mut ParseCx, proto: StringMatcher) -> Parsed<NameMatcher> {
    let matcher = string_matcher(cx, proto)?;
    Ok(Box::new(move |name| matcher.matches(name.as_bytes())))
}

fn matcher(cx: &mut ParseCx, proto: proto::StatsMatcher) -> Parsed<StatsMatcher> {
    use proto::stats_matcher::StatsMatcher as Kind;
    Ok(match proto.stats_matcher {
        None | Some(Kind::RejectAll(false)) => StatsMatcher::AcceptAll,
        Some(Kind::RejectAll(true)) => StatsMatcher::RejectAll,
        Some(Kind::InclusionList(list)) => {
            StatsMatcher::Inclusion(cx.field("inclusion_list", |cx| {
                cx.list("patterns", list.patterns, name_matcher)
            })?)
        }
        Some(Kind::ExclusionList(list)) => {
            StatsMatcher::Exclusion(cx.field("exclusion_list", |cx| {
                cx.list("patterns", list.patterns, name_matcher)
            })?)
        }
    })
}

fn buckets(cx: &mut ParseCx, proto: proto::HistogramBucketSettings) -> Parsed<BucketRule> {
    let matcher = cx.required("match", proto.r#match, name_matcher)?;
    Ok(BucketRule::new(matcher, proto.buckets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    #[test]
    fn evictions_fall_together_with_flushes() {
        let interval = |yaml| convert(yaml, |cx, proto: Bootstrap| flush_interval(cx, &proto));
        for (yaml, seconds) in [
            ("{}", Some(5)),
            ("{stats_flush_interval: 2s}", Some(2)),
            ("{stats_eviction_interval: 10s}", Some(5)),
            ("{stats_eviction_interval: 7s}", None),
            (
                "{stats_flush_interval: 2s, stats_eviction_interval: 4s}",
                Some(2),
            ),
            (
                "{stats_flush_interval: 2s, stats_eviction_interval: 3s}",
                None,
            ),
            (
                "{stats_flush_on_admin: true, stats_eviction_interval: 1s}",
                None,
            ),
        ] {
            let found = interval(yaml).ok().map(|interval| interval.as_secs());
            assert_eq!(found, seconds, "{yaml}");
        }
    }
}
