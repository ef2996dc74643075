//! Chains of HTTP filters (`HttpFilter` lists of connection managers, routers and clusters).

use crate::ecds::dynamic_filter;
use crate::unknown_extension::{is_envoys, unknown_extension};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterFactory, ParseCx, Parsed};
use nuncio_http::factory::{ChainSpec, FilterEntry};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use nuncio_proto::google::protobuf::{Any, Empty};

/// Converts a chain, whose last filter must be terminal, and no other.
///
/// # Errors
/// Recorded in `cx`, at the filter that is wrong.
pub fn chain(
    cx: &mut ParseCx,
    field: &'static str,
    filters: Vec<HttpFilter>,
    filter_cx: &HttpFilterCx,
) -> Parsed<ChainSpec> {
    let filter_cx = &HttpFilterCx {
        chain: filters.iter().flat_map(types).collect(),
        ..filter_cx.clone()
    };
    let count = filters.len();
    let mut number = 0;
    let entries = cx.list(field, filters, |cx, filter| {
        number += 1;
        let name = filter.name.clone();
        let Some((entry, factory)) = entry(cx, filter, filter_cx)? else {
            return Ok(None);
        };
        let terminal = factory.is_some_and(|factory| factory.is_terminal());
        let kind = factory.map_or("", |factory| factory.name());
        if terminal && number != count {
            return Err(cx.error(format!(
                "Error: terminal filter named {name} of type {} must be the last filter in a {} \
                 filter chain.",
                kind,
                chain_kind(filter_cx)
            )));
        }
        if terminal && entry.disabled {
            return Err(cx.error(format!("terminal filter {name} cannot be disabled")));
        }
        if !terminal && number == count {
            return Err(cx.error(format!(
                "Error: non-terminal filter named {name} of type {} is the last filter in a {} \
                 filter chain.",
                kind,
                chain_kind(filter_cx)
            )));
        }
        Ok(Some(entry))
    })?;
    Ok(ChainSpec {
        filters: entries.into_iter().flatten().collect(),
    })
}

/// The types that a filter's configuration has, or may have.
fn types(filter: &HttpFilter) -> Vec<String> {
    let name = |url: &String| url.rsplit('/').next().unwrap_or(url).to_owned();
    match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) => vec![type_name(config).to_owned()],
        Some(ConfigType::ConfigDiscovery(source)) => source.type_urls.iter().map(name).collect(),
        None => Vec::new(),
    }
}

fn chain_kind(filter_cx: &HttpFilterCx) -> &'static str {
    if filter_cx.upstream {
        "upstream http"
    } else {
        "http"
    }
}

fn entry(
    cx: &mut ParseCx,
    filter: HttpFilter,
    filter_cx: &HttpFilterCx,
) -> Parsed<Option<(FilterEntry, Option<&'static dyn HttpFilterFactory>)>> {
    let config = match filter.config_type {
        Some(ConfigType::TypedConfig(config)) => config,
        Some(ConfigType::ConfigDiscovery(source)) => {
            let spec = cx.field("config_discovery", |cx| {
                dynamic_filter(cx, &filter.name, &source, filter_cx)
            })?;
            let entry = FilterEntry {
                name: filter.name.into(),
                spec,
                disabled: filter.disabled,
            };
            return Ok(Some((entry, None)));
        }
        None => Any::default(),
    };
    let Some((factory, config)) = find(cx, config.clone()) else {
        return unknown(cx, &filter.name, &config, filter.is_optional);
    };
    let fits = match filter_cx.upstream {
        true => factory.is_upstream(),
        false => factory.is_downstream(),
    };
    if !fits {
        return Err(cx.error(format!(
            "Didn't find a registered implementation for '{}' with type URL: '{}'",
            filter.name,
            factory.type_name()
        )));
    }
    let spec = cx.field("typed_config", |cx| factory.parse(&config, filter_cx, cx))?;
    let disabled = filter.disabled;
    Ok(Some((
        FilterEntry {
            name: filter.name.into(),
            spec,
            disabled,
        },
        Some(factory),
    )))
}

/// The filter of a configuration. As in Envoy an empty one may also bear the type of its
/// configuration at routes.
fn find(cx: &ParseCx, config: Any) -> Option<(&'static dyn HttpFilterFactory, Any)> {
    let registry = cx.env().registry;
    if let Some(factory) = registry.http_filter(&config) {
        return Some((factory, config));
    }
    // Filters without a configuration at routes have this one.
    if type_name(&config) == Empty::full_name() {
        return None;
    }
    let factory = registry.http_filter_of_route(&config)?;
    let type_url = format!("type.googleapis.com/{}", factory.type_name());
    let own = Any {
        type_url,
        value: Vec::new(),
    };
    config.value.is_empty().then_some((factory, own))
}

/// A filter that is not built in. An optional one may be left out only where Envoy too would not
/// know it: a filter that Envoy has, an authorization filter above all, must not vanish.
fn unknown<T>(cx: &mut ParseCx, name: &str, config: &Any, is_optional: bool) -> Parsed<Option<T>> {
    let type_name = type_name(config);
    if is_optional && !is_envoys(type_name) {
        cx.warn(format!(
            "optional HTTP filter {name} of unknown type {type_name} is left out"
        ));
        return Ok(None);
    }
    Err(unknown_extension(cx, name, config))
}
