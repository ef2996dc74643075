//! `envoy.config.metrics.v3.StatsConfig`.

use crate::matching::string_matcher;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::metrics::v3 as proto;
use nuncio_proto::envoy::r#type::matcher::v3::StringMatcher;
use nuncio_stats::{
    BucketRule, NameMatcher, StatsConfig, StatsMatcher, TagExtractors, TagSpecifier, TagValue,
};

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
