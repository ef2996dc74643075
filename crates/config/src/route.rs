//! `envoy.config.route.v3.RouteConfiguration`: proto to a `nuncio_route::RouteTable`.

use crate::cluster_tree;
use crate::common::metadata;
use crate::filter_config::filter_configs;
use crate::header_mutation::{HeaderFields, header_mutations};
use crate::route_action::mirror_policy;
use crate::table_cx::TableCx;
use crate::virtual_host::virtual_host;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_route::{RouteTable, RouteTableConfig};
use std::rc::Rc;

/// The largest body of a direct response where config says nothing, in bytes.
const DEFAULT_MAX_DIRECT_RESPONSE_BODY: usize = 4096;

/// A route table. Whether its clusters are there is asked later, by
/// [`check_clusters`], for the tables whose `validate_clusters` says so.
///
/// # Errors
/// What Envoy refuses, in its words, and what is not built, by its name: all errors of the table
/// are recorded, not only the first.
pub fn route_table(cx: &mut ParseCx, proto: proto::RouteConfiguration) -> Parsed<RouteTable> {
    let proto::RouteConfiguration {
        name,
        virtual_hosts,
        vhds,
        internal_only_headers,
        response_headers_to_add,
        response_headers_to_remove,
        request_headers_to_add,
        request_headers_to_remove,
        most_specific_header_mutations_wins,
        validate_clusters,
        max_direct_response_body_size_bytes,
        cluster_specifier_plugins,
        request_mirror_policies,
        ignore_port_in_host_matching,
        vhost_header,
        ignore_path_parameters_in_path_matching,
        typed_per_filter_config,
        metadata: table_metadata,
        route_specifiers,
    } = proto;
    cx.refuse("vhds", vhds.is_some())?;
    cx.refuse("route_specifiers", !route_specifiers.is_empty())?;
    let plugins = cluster_tree::plugins(cx, cluster_specifier_plugins)?;
    let max_body = max_direct_response_body_size_bytes
        .map_or(DEFAULT_MAX_DIRECT_RESPONSE_BODY, |size| size.value as usize);
    let table_cx = TableCx { max_body, plugins };
    let request = HeaderFields::request(request_headers_to_add, request_headers_to_remove);
    let response = HeaderFields::response(response_headers_to_add, response_headers_to_remove);
    // Each part is converted before any error ends the message: all its errors come together.
    let virtual_hosts = cx.list("virtual_hosts", virtual_hosts, |cx, host| {
        virtual_host(cx, host, &table_cx)
    });
    let request_headers = header_mutations(cx, request);
    let response_headers = header_mutations(cx, response);
    let filters = filter_configs(cx, typed_per_filter_config);
    let mirrors = cx.list(
        "request_mirror_policies",
        request_mirror_policies,
        mirror_policy,
    );
    let config = RouteTableConfig {
        name: name.into(),
        virtual_hosts: virtual_hosts?,
        request_headers: request_headers?,
        response_headers: response_headers?,
        filters: filters?,
        mirror_policies: mirrors?.into(),
        internal_only_headers: internal_only_headers
            .iter()
            .map(|name| HeaderName::new(name))
            .collect(),
        most_specific_header_mutations_wins,
        ignore_port_in_host_matching,
        vhost_header: Some(vhost_header)
            .filter(|name| !name.is_empty())
            .map(|name| HeaderName::new(&name)),
        ignore_path_parameters_in_path_matching,
        validate_clusters: validate_clusters.map(|value| value.value),
        metadata: metadata(table_metadata),
    };
    let mut table =
        RouteTable::new(config).map_err(|error| cx.error_at("virtual_hosts", error.message()))?;
    table.count_in(&cx.env().store.scope(""));
    Ok(table)
}

/// Checks that the clusters of a table's routes are there; `cx` is at the table's message.
///
/// # Errors
/// The first that is not, recorded at its route.
pub fn check_clusters(cx: &mut ParseCx, table: &RouteTable) -> Parsed<()> {
    let env = Rc::clone(cx.env());
    let checked = table.check_clusters(|name| env.has_cluster(name));
    checked.map_err(|error| match error.route() {
        None => cx.error(error.message()),
        Some((host, route)) => cx.field("virtual_hosts", |cx| {
            cx.index(host, |cx| {
                let record = |cx: &mut ParseCx| cx.error_at("route", error.message());
                cx.field("routes", |cx| cx.index(route, record))
            })
        }),
    })
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
