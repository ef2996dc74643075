//! A listener's filter chains, and what chooses among them.

use crate::filter_chain::filter_chain;
use crate::listener::{ConvertedChain, buffer_limit, traffic_direction};
use crate::match_input::{Scene, match_input};
use crate::match_tree::{MatchTreeKind, match_tree};
use crate::unknown_extension::unknown_extension;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_listener::{ChainTree, FilterChains, ListenAddress, TrafficDirection};
use nuncio_policy::Input;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::listener::v3 as proto;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::xds::r#type::matcher::v3::Matcher;
use nuncio_proto::{Message, Name, json, reflect};
use std::collections::HashSet;
use std::sync::Arc;

/// The chains with what chooses among them, and each as it was configured.
///
/// # Errors
/// What is wrong with a chain, and chains that can't be told apart.
pub(crate) fn filter_chains(
    cx: &mut ParseCx,
    proto: &proto::Listener,
    addresses: &[ListenAddress],
    known: &[ConvertedChain],
) -> Parsed<(Arc<FilterChains>, Vec<ConvertedChain>)> {
    let shown: Vec<_> = addresses.iter().map(|at| at.address.to_string()).collect();
    let adding = |what: &str| format!("error adding listener '{}': {what}", shown.join(","));
    if proto.filter_chains.is_empty() && proto.default_filter_chain.is_none() {
        return Err(cx.error_at("filter_chains", adding("no filter chains specified")));
    }
    let stat_name = match (proto.stat_prefix.as_str(), addresses.first()) {
        ("", Some(first)) => first.stat_name(),
        (prefix, _) => prefix.to_owned(),
    };
    let filter_cx = NetworkFilterCx {
        listener: proto.name.clone(),
        listener_stat_prefix: format!("listener.{stat_name}."),
        buffer_limit: buffer_limit(proto.per_connection_buffer_limit_bytes),
        inbound: traffic_direction(proto) == TrafficDirection::Inbound,
        outbound: traffic_direction(proto) == TrafficDirection::Outbound,
    };
    let convert = |cx: &mut ParseCx, chain: proto::FilterChain| -> Parsed<ConvertedChain> {
        if let Some((_, spec)) = known.iter().find(|(proto, _)| *proto == chain) {
            return Ok((chain, Arc::clone(spec)));
        }
        let spec = filter_chain(cx, chain.clone(), &filter_cx)?;
        Ok((chain, spec))
    };
    let has_tree = proto.filter_chain_matcher.is_some();
    let duplicates = match has_tree {
        true => check_names(cx, proto, &adding),
        false => refuse_duplicates(cx, proto, &adding),
    };
    let chains = cx.list("filter_chains", proto.filter_chains.clone(), convert);
    let default = cx.optional(
        "default_filter_chain",
        proto.default_filter_chain.clone(),
        convert,
    );
    let (mut chains, default) = (chains?, default?);
    duplicates?;
    let specs = chains.iter().map(|(_, spec)| Arc::clone(spec)).collect();
    let default_spec = default.as_ref().map(|(_, spec)| Arc::clone(spec));
    let tree = cx.optional(
        "filter_chain_matcher",
        proto.filter_chain_matcher.clone(),
        |cx, matcher| chain_tree(cx, matcher, &proto.filter_chains),
    )?;
    let all = match tree {
        Some(tree) => FilterChains::with_tree(specs, default_spec, tree),
        None => FilterChains::new(specs, default_spec)
            .map_err(|error| cx.error_at("filter_chains", adding(&error.to_string())))?,
    };
    chains.extend(default);
    Ok((Arc::new(all), chains))
}

/// The leaves of a tree name chains.
struct Names<'a>(&'a [proto::FilterChain]);

impl MatchTreeKind for Names<'_> {
    type Input = Input;
    type Action = Option<usize>;

    const REQUIREMENT: &'static str = "cannot create a filter chain matcher: ";

    fn input(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Input> {
        match_input(cx, name, config, Scene::Connection)
    }

    fn action(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Option<usize>> {
        if type_name(config) != "google.protobuf.StringValue" {
            return Err(unknown_extension(cx, name, config));
        }
        let chain: String = cx.field("typed_config", |cx| cx.decode(&config.value))?;
        Ok(self.0.iter().position(|known| known.name == chain))
    }
}

fn chain_tree(
    cx: &mut ParseCx,
    proto: Matcher,
    chains: &[proto::FilterChain],
) -> Parsed<ChainTree> {
    match_tree(cx, &mut Names(chains), proto).map(ChainTree::new)
}

/// A tree finds chains by their names: each has one of its own.
fn check_names(
    cx: &mut ParseCx,
    proto: &proto::Listener,
    adding: &dyn Fn(&str) -> String,
) -> Parsed<()> {
    let mut names = HashSet::new();
    let mut result = Ok(());
    for (index, chain) in proto.filter_chains.iter().enumerate() {
        let name = &chain.name;
        let wrong = match names.insert(name) {
            _ if name.is_empty() => {
                "\"name\" field is required when using a listener matcher".to_owned()
            }
            true => continue,
            false => format!("\"name\" field is duplicated with value '{name}'"),
        };
        result = cx.field("filter_chains", |cx| {
            cx.index(index, |cx| Err(cx.error_at("name", adding(&wrong))))
        });
    }
    result
}

/// Two chains with one match: Envoy names the chains and shows the match.
fn refuse_duplicates(
    cx: &mut ParseCx,
    proto: &proto::Listener,
    adding: &dyn Fn(&str) -> String,
) -> Parsed<()> {
    let mut result = Ok(());
    let chains = &proto.filter_chains;
    for (index, chain) in chains.iter().enumerate() {
        let criteria = chain.filter_chain_match.clone().unwrap_or_default();
        let mut earlier = chains[..index].iter();
        let same =
            earlier.find(|other| other.filter_chain_match.clone().unwrap_or_default() == criteria);
        let Some(same) = same else {
            continue;
        };
        let options = json::Options {
            compact: true,
            ..json::Options::default()
        };
        let shown = reflect::message(&proto::FilterChainMatch::full_name())
            .map(|message| json::print(&criteria.encode_to_vec(), message, &options));
        let message = adding(&format!(
            "filter chain '{}' has the same matching rules defined as '{}'. duplicate matcher \
             is: {}",
            chain.name,
            same.name,
            shown.unwrap_or_default()
        ));
        result = cx.field("filter_chains", |cx| {
            cx.index(index, |cx| Err(cx.error_at("filter_chain_match", message)))
        });
    }
    result
}
