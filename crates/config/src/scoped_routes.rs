//! `ScopedRoutes`: proto to `nuncio_route::scopes`.

use crate::route::{check_clusters, route_table};
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::any;
use nuncio_proto::envoy::config::route::v3 as route_proto;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_route::RouteTable;
use nuncio_route::scopes::{ScopeElement, ScopeFragment, ScopeKey, ScopeKeyBuilder, Scopes};
use proto::ScopedRouteConfigurationsList;
use proto::scoped_routes::ConfigSpecifier;
use proto::scoped_routes::scope_key_builder::{FragmentBuilder, fragment_builder};
use route_proto::scoped_route_configuration::key::fragment;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

const REQUIRED: &str = "value is required";

/// Route tables by the keys of their scopes. Where the tables come from over RDS is not asked:
/// scopes that stand in the config have theirs beside them.
///
/// # Errors
/// As for route tables; scopes that come over xDS.
pub fn scoped_routes(cx: &mut ParseCx, proto: proto::ScopedRoutes) -> Parsed<Arc<Scopes>> {
    let proto::ScopedRoutes {
        name,
        scope_key_builder,
        rds_config_source: _,
        config_specifier,
    } = proto;
    let builder = cx.required("scope_key_builder", scope_key_builder, |cx, proto| {
        let fragments = cx.list("fragments", proto.fragments, scope_fragment)?;
        Ok(ScopeKeyBuilder::new(fragments))
    });
    let (list, tables) = match config_specifier {
        Some(ConfigSpecifier::ScopedRouteConfigurationsList(list)) => {
            let shown = list.scoped_route_configurations.iter().map(any::pack);
            (shown.collect(), scope_list(cx, list))
        }
        Some(ConfigSpecifier::ScopedRds(_)) => (Vec::new(), Err(cx.not_built("scoped_rds"))),
        None => (Vec::new(), Err(cx.error_at("config_specifier", REQUIRED))),
    };
    let scopes = Arc::new(Scopes {
        builder: builder?,
        tables: tables?,
    });
    let in_use: Weak<Scopes> = Arc::downgrade(&scopes);
    cx.env().add_scoped_routes(&name, list, in_use);
    Ok(scopes)
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
            name: HeaderName::new(&extractor.name),
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
    let key = cx.required("key", key, |cx, key| {
        let fragments = cx.list("fragments", key.fragments, |cx, fragment| {
            match fragment.r#type {
                Some(fragment::Type::StringKey(text)) => Ok(text),
                None => Err(cx.error_at("type", REQUIRED)),
            }
        })?;
        Ok(ScopeKey::new(fragments.iter().map(String::as_str)))
    });
    let table = cx.field("route_configuration", |cx| {
        let checks = config.validate_clusters.is_none_or(|value| value.value);
        let table = route_table(cx, config)?;
        if checks {
            check_clusters(cx, &table)?;
        }
        Ok(Arc::new(table))
    });
    Ok((name, key?, table?))
}
