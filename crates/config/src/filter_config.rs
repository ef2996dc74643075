//! `typed_per_filter_config`: what a level of the route table says to HTTP filters.

use crate::unknown_extension::{is_envoys, unknown_extension};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::route::v3::FilterConfig;
use nuncio_proto::google::protobuf::Any;
use nuncio_route::{FilterConfigs, FilterOverride};
use std::collections::HashMap;

/// The packages of Envoy's HTTP filters.
const HTTP_FILTERS: &str = "envoy.extensions.filters.http.";

/// What is said to each filter.
///
/// # Errors
/// Settings that no filter has; a filter that is not built.
pub fn filter_configs(cx: &mut ParseCx, proto: HashMap<String, Any>) -> Parsed<FilterConfigs> {
    // In the order of their names, so that errors come in the same order every time.
    let mut entries: Vec<_> = proto.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    cx.field("typed_per_filter_config", |cx| {
        let parsed: Vec<_> = entries
            .into_iter()
            .map(|(name, config)| {
                let parsed = cx.key(&name, |cx| filter_override(cx, &name, &config));
                parsed.map(|value| value.map(|value| (name, value)))
            })
            .collect();
        let parsed: Parsed<Vec<_>> = parsed.into_iter().collect();
        Ok(FilterConfigs::new(parsed?.into_iter().flatten()))
    })
}

/// What is said to one filter; nothing where it is optional and even Envoy would not know it.
fn filter_override(cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Option<FilterOverride>> {
    if type_name(config) != FilterConfig::full_name() {
        return filter_config(cx, name, config, false);
    }
    let FilterConfig {
        config,
        is_optional,
        disabled,
    } = cx.unpack(config)?;
    match config {
        // A disabled filter needs no settings, and those it has are not looked at.
        _ if disabled => Ok(Some(FilterOverride {
            config: None,
            disabled: Some(true),
        })),
        // Settings of no type turn the filter on and say no more.
        Some(config) if config.type_url.is_empty() => Ok(Some(FilterOverride {
            config: None,
            disabled: Some(false),
        })),
        Some(config) => cx.field("config", |cx| filter_config(cx, name, &config, is_optional)),
        None => Err(cx.error(format!(
            "Empty route/virtual host per filter configuration for {name} filter"
        ))),
    }
}

fn filter_config(
    cx: &mut ParseCx,
    name: &str,
    config: &Any,
    is_optional: bool,
) -> Parsed<Option<FilterOverride>> {
    let Some(factory) = cx.env().registry.http_filter_of_route(config) else {
        let type_name = type_name(config);
        if is_optional && !is_envoys(type_name) {
            return Ok(None);
        }
        // Envoy has this filter and we do not: every chain with it is refused, so there is none
        // that these settings could be for, and without one they change nothing.
        if type_name.starts_with(HTTP_FILTERS) && is_envoys(type_name) {
            cx.warn(format!(
                "settings of type {type_name} for a filter {name}, which no chain can have: \
                 this build has no filter for them"
            ));
            return Ok(None);
        }
        return Err(unknown_extension(cx, name, config));
    };
    Ok(Some(FilterOverride {
        config: Some(factory.parse_route(config, cx)?),
        disabled: Some(false),
    }))
}
