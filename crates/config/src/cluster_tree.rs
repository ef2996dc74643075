//! Cluster specifier plugins, of which there is one: trees of the unified matcher.

use crate::match_input::{Scene, match_input};
use crate::match_tree::{MatchTreeKind, match_tree};
use crate::unknown_extension::{is_envoys, unknown_extension};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_policy::Input;
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::route::v3 as route_proto;
use nuncio_proto::envoy::extensions::router::cluster_specifiers::matcher::v3 as proto;
use nuncio_proto::google::protobuf::Any;
use nuncio_route::ClusterTree;
use std::collections::HashMap;

/// The plugins of a table by name. One that is optional, and that not even Envoy would know, may
/// stand there as long as no route uses it.
///
/// # Errors
/// Plugins that are not built; two of one name.
pub fn plugins(
    cx: &mut ParseCx,
    protos: Vec<route_proto::ClusterSpecifierPlugin>,
) -> Parsed<HashMap<String, Option<ClusterTree>>> {
    let mut plugins = HashMap::new();
    cx.list("cluster_specifier_plugins", protos, |cx, proto| {
        let extension = proto.extension.clone().unwrap_or_default();
        let config = extension.typed_config.unwrap_or_default();
        let tree = match proto.is_optional && !is_envoys(type_name(&config)) {
            true => None,
            false => Some(plugin(cx, proto)?),
        };
        if plugins.insert(extension.name.clone(), tree).is_some() {
            let name = extension.name;
            return Err(cx.error(format!("Duplicate cluster specifier plugin name: {name}")));
        }
        Ok(())
    })?;
    Ok(plugins)
}

/// A plugin.
///
/// # Errors
/// One that is no tree; what is wrong in a tree.
pub fn plugin(cx: &mut ParseCx, proto: route_proto::ClusterSpecifierPlugin) -> Parsed<ClusterTree> {
    let extension = proto.extension.unwrap_or_default();
    let config = extension.typed_config.unwrap_or_default();
    cx.field("extension", |cx| {
        if type_name(&config) != proto::MatcherClusterSpecifier::full_name() {
            return Err(unknown_extension(cx, &extension.name, &config));
        }
        cx.field("typed_config", |cx| {
            let proto: proto::MatcherClusterSpecifier = cx.unpack(&config)?;
            let mut kind = ClusterTrees(Vec::new());
            let tree = cx.required("cluster_matcher", proto.cluster_matcher, |cx, matcher| {
                match_tree(cx, &mut kind, matcher)
            })?;
            Ok(ClusterTree::new(tree, kind.0))
        })
    })
}

struct ClusterTrees(Vec<String>);

impl MatchTreeKind for ClusterTrees {
    type Input = Input;
    type Action = u32;

    const REQUIREMENT: &'static str =
        "requirement violation while creating route cluster matcher: INVALID_ARGUMENT: ";

    fn input(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Input> {
        match_input(cx, name, config, Scene::Request)
    }

    fn action(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<u32> {
        if type_name(config) != proto::ClusterAction::full_name() {
            return Err(unknown_extension(cx, name, config));
        }
        let action: proto::ClusterAction = cx.field("typed_config", |cx| cx.unpack(config))?;
        self.0.push(action.cluster);
        Ok(self.0.len() as u32 - 1)
    }
}
