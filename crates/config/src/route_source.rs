//! `HttpConnectionManager.route_specifier`: where a connection manager's routes come from.

use crate::rds::rds;
use crate::route::{check_clusters, route_table};
use crate::scoped_routes::scoped_routes;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::route_source::RouteSource;
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::route::v3::RouteConfiguration;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_route::RouteTable;
use nuncio_worker::Published;
use proto::http_connection_manager::RouteSpecifier;
use std::cell::Cell;
use std::sync::{Arc, Weak};

/// Whether anything has routes: the admin dumps none before.
#[derive(Default)]
pub struct HasRoutes(pub Cell<bool>);

/// Where routes come from.
///
/// # Errors
/// As for route tables; none at all.
pub fn route_source(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<RouteSource> {
    cx.env().shared(HasRoutes::default).0.set(true);
    match &proto.route_specifier {
        Some(RouteSpecifier::RouteConfig(config)) => {
            cx.field("route_config", |cx| static_table(cx, config))
        }
        Some(RouteSpecifier::ScopedRoutes(config)) => {
            let scopes = cx.field("scoped_routes", |cx| {
                scoped_routes(cx, config.clone(), &proto.stat_prefix)
            });
            Ok(RouteSource::Scoped(scopes?))
        }
        Some(RouteSpecifier::Rds(config)) => {
            cx.field("rds", |cx| rds(cx, config, &proto.stat_prefix))
        }
        None => Err(cx.error("a route_specifier is required: route_config")),
    }
}

fn static_table(cx: &mut ParseCx, config: &RouteConfiguration) -> Parsed<RouteSource> {
    let table = route_table(cx, config.clone())?;
    if config.validate_clusters.is_none_or(|value| value.value) {
        check_clusters(cx, &table)?;
    }
    let table = Arc::new(table);
    let in_use: Weak<RouteTable> = Arc::downgrade(&table);
    let env = cx.env();
    env.add_route_config(&config.name, Packed::of(config), in_use);
    Ok(RouteSource::Table(Published::new(
        table,
        env.workers.clone(),
    )))
}
