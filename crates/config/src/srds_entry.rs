//! `ScopedRouteConfiguration`: a scope that was delivered, and where it has its table from.

use crate::rds::{RouteProvider, provider};
use crate::scoped_routes::{inline_table, scope_key};
use nuncio_extension::ParseCx;
use nuncio_proto::Message;
use nuncio_proto::envoy::config::route::v3::ScopedRouteConfiguration;
use nuncio_proto::google::protobuf::Any as ProtoAny;
use nuncio_route::RouteTable;
use nuncio_route::scopes::ScopeKey;
use nuncio_worker::Published;
use nuncio_xds::{ConfigSource, Resource};
use std::rc::Rc;

/// A scope as it is served.
pub struct ScopeEntry {
    /// The `ScopedRouteConfiguration` as it came.
    pub config: ProtoAny,
    /// Its key.
    pub key: ScopeKey,
    /// Its table.
    pub table: ScopeTable,
}

/// Where a scope has its table from.
pub enum ScopeTable {
    /// It stands beside the scope.
    Inline(Published<RouteTable>),
    /// It comes over RDS.
    Rds(Rc<RouteProvider>),
    /// It would be fetched when a request asks for it, which nothing does.
    OnDemand,
}

impl ScopeTable {
    /// The table, if there ever will be one.
    pub fn table(&self) -> Option<&Published<RouteTable>> {
        match self {
            Self::Inline(table) => Some(table),
            Self::Rds(provider) => Some(provider.table()),
            Self::OnDemand => None,
        }
    }
}

/// Converts a scope; tables come over RDS from `rds`, for connection managers of that stat prefix.
///
/// # Errors
/// Why it is refused, or what was recorded in `cx`.
pub fn scope_entry(
    cx: &mut ParseCx,
    resource: &Resource,
    (rds, stat_prefix): (Option<&ConfigSource>, &str),
) -> Result<ScopeEntry, String> {
    let proto = ScopedRouteConfiguration::decode(resource.body.value.as_slice());
    let proto = proto.map_err(|error| error.to_string())?;
    let ScopedRouteConfiguration {
        on_demand,
        name: _,
        route_configuration_name,
        route_configuration,
        key,
    } = proto;
    if route_configuration.is_none() && route_configuration_name.is_empty() {
        return Err("route_configuration_name is empty.".to_owned());
    }
    let key = cx.required("key", key, scope_key);
    let table = match (route_configuration, rds) {
        (Some(config), _) => {
            let table = cx.field("route_configuration", |cx| inline_table(cx, config));
            let workers = cx.env().workers.clone();
            table.map(|table| ScopeTable::Inline(Published::new(table, workers)))
        }
        (None, _) if on_demand => Ok(ScopeTable::OnDemand),
        (None, Some(rds)) => {
            let provider = provider(cx, rds.clone(), &route_configuration_name, stat_prefix);
            provider.map(ScopeTable::Rds)
        }
        (None, None) => {
            let message = "scoped_routes has no rds_config_source";
            Err(cx.error_at("route_configuration_name", message))
        }
    };
    match (key, table) {
        (Ok(key), Ok(table)) if cx.is_clean() => Ok(ScopeEntry {
            config: resource.body.clone(),
            key,
            table,
        }),
        _ => Err(String::new()),
    }
}
