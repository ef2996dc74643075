//! `VirtualHost.matcher`: a tree whose actions are `Route` and `RouteList`.

use crate::match_tree::{MatchTreeKind, match_tree};
use crate::table_cx::TableCx;
use crate::unknown_extension::unknown_extension;
use crate::virtual_host::route;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::extensions::matching::common_inputs::network::v3::FilterStateInput;
use nuncio_proto::envoy::r#type::matcher::v3 as inputs;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::xds::r#type::matcher::v3::Matcher;
use nuncio_route::{Route, RouteInput, RouteTree};
use std::ops::Range;

/// What Envoy would know as an input where not only requests are looked at.
const OTHER_INPUTS: [&str; 2] = [
    "envoy.type.matcher.",
    "envoy.extensions.matching.common_inputs.",
];

/// A virtual host's tree, and the routes that its actions mean. `table` is what holds for all of
/// the table.
///
/// # Errors
/// As for routes; inputs that a virtual host does not have; custom matchers.
pub fn route_tree(
    cx: &mut ParseCx,
    proto: Matcher,
    table: &TableCx,
) -> Parsed<(RouteTree, Vec<Route>)> {
    let mut kind = RouteTrees {
        routes: Vec::new(),
        table,
    };
    let tree = cx.field("matcher", |cx| match_tree(cx, &mut kind, proto))?;
    Ok((tree, kind.routes))
}

struct RouteTrees<'a> {
    routes: Vec<Route>,
    table: &'a TableCx,
}

impl MatchTreeKind for RouteTrees<'_> {
    type Input = RouteInput;
    type Action = Range<u32>;

    const REQUIREMENT: &'static str =
        "requirement violation while creating route match tree: INVALID_ARGUMENT: ";

    fn input(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<RouteInput> {
        let kind = type_name(config);
        if kind == inputs::HttpRequestHeaderMatchInput::full_name() {
            let input: inputs::HttpRequestHeaderMatchInput = unpack(cx, config)?;
            return Ok(RouteInput::Header(HeaderName::new(&input.header_name)));
        }
        if kind == FilterStateInput::full_name() {
            let FilterStateInput { key, field } = unpack(cx, config)?;
            cx.refuse("field", !field.is_empty())?;
            return Ok(RouteInput::FilterState(key.into()));
        }
        if OTHER_INPUTS.iter().any(|package| kind.starts_with(package)) {
            return Err(cx.error(format!(
                "{}Route table can only match on request headers, saw {}",
                Self::REQUIREMENT,
                config.type_url
            )));
        }
        Err(unknown_extension(cx, name, config))
    }

    fn action(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Range<u32>> {
        let kind = type_name(config);
        let table = self.table;
        let first = self.routes.len() as u32;
        if kind == proto::Route::full_name() {
            let parsed = unpack(cx, config)?;
            let parsed = cx.field("typed_config", |cx| route(cx, parsed, table))?;
            self.routes.push(parsed);
        } else if kind == proto::RouteList::full_name() {
            let list: proto::RouteList = unpack(cx, config)?;
            let parsed = cx.field("typed_config", |cx| {
                cx.list("routes", list.routes, |cx, proto| route(cx, proto, table))
            })?;
            self.routes.extend(parsed);
        } else {
            return Err(unknown_extension(cx, name, config));
        }
        Ok(first..self.routes.len() as u32)
    }
}

fn unpack<T: nuncio_proto::Message + Name + Default>(cx: &mut ParseCx, config: &Any) -> Parsed<T> {
    cx.field("typed_config", |cx| cx.unpack(config))
}

#[cfg(test)]
#[path = "route_tree_tests.rs"]
mod tests;
