//! `ScopedRoutes`: proto to `nuncio_http::route_source`. Scopes that come over xDS are `srds`'s.

use crate::route::{check_clusters, route_table};
use crate::srds::srds;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::route_source::{ScopedRoutes, Scopes};
use nuncio_proto::any;
use nuncio_proto::envoy::config::route::v3 as route_proto;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_route::RouteTable;
use nuncio_route::scopes::{ScopeElement, ScopeFragment, ScopeKey, ScopeKeyBuilder};
use nuncio_worker::Published;
use proto::ScopedRouteConfigurationsList;
use proto::scoped_routes::ConfigSpecifier;
use proto::scoped_routes::scope_key_builder::{FragmentBuilder, fragment_builder};
use route_proto::scoped_route_configuration::Key;
use route_proto::scoped_route_configuration::key::fragment;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

const REQUIRED: &str = "value is required";

/// Route tables by the keys of their scopes. Where the tables come from over RDS is not asked for
/// scopes that stand in the config: they have theirs beside them.
///
/// # Errors
/// As for route tables.
pub fn scoped_routes(
    cx: &mut ParseCx,
    proto: proto::ScopedRoutes,
    stat_prefix: &str,
) -> Parsed<ScopedRoutes> {
    let proto::ScopedRoutes {
        name,
        scope_key_builder,
        rds_config_source,
        config_specifier,
    } = proto;
    let builder = cx.required("scope_key_builder", scope_key_builder, |cx, proto| {
        let fragments = cx.list("fragments", proto.fragments, scope_fragment)?;
        Ok(Arc::new(ScopeKeyBuilder::new(fragments)))
    });
    let list = match config_specifier {
        Some(ConfigSpecifier::ScopedRouteConfigurationsList(list)) => list,
        Some(ConfigSpecifier::ScopedRds(config)) => {
            let rds = rds_config_source.as_ref();
            return srds(cx, &config, rds, (&name, stat_prefix), builder);
        }
        None => return Err(cx.error_at("config_specifier", REQUIRED)),
    };
    let shown = list.scoped_route_configurations.iter().map(any::pack);
    let shown = shown.collect();
    let tables = scope_list(cx, list)?;
    let workers = &cx.env().workers;
    let publish = |(key, table)| (key, Published::new(table, workers.clone()));
    let scopes = Arc::new(Scopes(tables.into_iter().map(publish).collect()));
    let in_use: Weak<Scopes> = Arc::downgrade(&scopes);
    cx.env().add_scoped_routes(&name, shown, in_use);
    Ok(ScopedRoutes {
        builder: builder?,
        scopes: Published::new(scopes, workers.clone()),
        provider: None,
    })
}

fn scope_fragment(cx: &mut ParseCx, proto: FragmentBuilder) -> Parsed<ScopeFragment> {
    use fragment_builder::Type;
    use fragment_builder::header_value_extractor::ExtractType;
    let Some(Type::HeaderValueExtractor(extractor)) = proto.r#type else {
        return Err(cx.error_at("type", REQUIRED));
    };
    cx.field("header_value_extractor", |cx| {
        let element = match extractor.extract_type {
            Some(ExtractType::Index(index)) => {
                if index > 0 && extractor.element_separator.is_empty() {
                    let message = "Index > 0 for empty string element separator.";
                    return Err(cx.error_at("index", message));
                }
                ScopeElement::Index(index as usize)
            }
            Some(ExtractType::Element(element)) => ScopeElement::Named {
                key: element.key.into_bytes().into(),
                separator: element.separator.into_bytes().into(),
            },
            None => {
                let message = "HeaderValueExtractor extract_type not set.";
                return Err(cx.error_at("extract_type", message));
            }
        };
        Ok(ScopeFragment {
            // Whatever the request called it.
            name: HeaderName::new(match extractor.name.to_ascii_lowercase().as_str() {
                "host" => ":authority",
                _ => &extractor.name,
            }),
            separator: extractor.element_separator.into_bytes().into(),
            element,
        })
    })
}

/// The later of two scopes with one key counts, and the later of two with one name replaces the
/// earlier, as in Envoy.
fn scope_list(
    cx: &mut ParseCx,
    proto: ScopedRouteConfigurationsList,
) -> Parsed<HashMap<ScopeKey, Arc<RouteTable>>> {
    let list = proto.scoped_route_configurations;
    let scopes = cx.field("scoped_route_configurations_list", |cx| {
        cx.list("scoped_route_configurations", list, scope)
    })?;
    let mut by_name: HashMap<String, ScopeKey> = HashMap::new();
    let mut tables = HashMap::new();
    for (name, key, table) in scopes {
        if let Some(replaced) = by_name.insert(name, key.clone()) {
            tables.remove(&replaced);
        }
        tables.insert(key, table);
    }
    Ok(tables)
}

fn scope(
    cx: &mut ParseCx,
    proto: route_proto::ScopedRouteConfiguration,
) -> Parsed<(String, ScopeKey, Arc<RouteTable>)> {
    // Whether it is loaded on demand makes no difference to what is there already.
    let route_proto::ScopedRouteConfiguration {
        on_demand: _,
        name,
        route_configuration_name,
        route_configuration,
        key,
    } = proto;
    if !route_configuration_name.is_empty() {
        let message = "Fetching routes via RDS (route_configuration_name) is not supported with \
                       inline scoped routes.";
        return Err(cx.error_at("route_configuration_name", message));
    }
    let Some(config) = route_configuration else {
        return Err(cx.error("You must specify a route_configuration with inline scoped routes."));
    };
    let key = cx.required("key", key, scope_key);
    let table = cx.field("route_configuration", |cx| inline_table(cx, config));
    Ok((name, key?, table?))
}

/// A scope's key.
pub(crate) fn scope_key(cx: &mut ParseCx, proto: Key) -> Parsed<ScopeKey> {
    let fragments = cx.list(
        "fragments",
        proto.fragments,
        |cx, fragment| match fragment.r#type {
            Some(fragment::Type::StringKey(text)) => Ok(text),
            None => Err(cx.error_at("type", REQUIRED)),
        },
    )?;
    Ok(ScopeKey::new(fragments.iter().map(String::as_str)))
}

/// A table that stands beside its scope.
pub(crate) fn inline_table(
    cx: &mut ParseCx,
    config: route_proto::RouteConfiguration,
) -> Parsed<Arc<RouteTable>> {
    let checks = config.validate_clusters.is_none_or(|value| value.value);
    let table = route_table(cx, config)?;
    if checks {
        check_clusters(cx, &table)?;
    }
    Ok(Arc::new(table))
}
