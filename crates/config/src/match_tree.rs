//! `xds.type.matcher.v3.Matcher`: proto to a `nuncio_matching::MatchTree`, for whoever says which
//! inputs and actions there are.

use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_matching::{AddressRange, CidrRange, MatchTree, OnMatch, Predicate, StringMatcher};
use nuncio_proto::any::type_name;
use nuncio_proto::extra::{IpMatcher, IpRangeMatcher};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::xds::core::v3::TypedExtensionConfig;
use nuncio_proto::xds::r#type::matcher::v3 as proto;
use proto::matcher::matcher_list::predicate;
use proto::matcher::{MatcherList, MatcherTree, MatcherType, matcher_list, matcher_tree};

const REQUIRED: &str = "value is required";

/// The inputs and actions of one kind of tree.
pub trait MatchTreeKind {
    /// An input.
    type Input;
    /// An action.
    type Action;

    /// What Envoy says before an error about the tree itself.
    const REQUIREMENT: &'static str;

    /// Converts an input by its configuration.
    ///
    /// # Errors
    /// An input that is none of this kind's trees.
    fn input(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Self::Input>;

    /// Converts an action by its configuration.
    ///
    /// # Errors
    /// An action that is none of this kind's trees.
    fn action(&mut self, cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Self::Action>;
}

type Tree<K> = MatchTree<<K as MatchTreeKind>::Input, <K as MatchTreeKind>::Action>;
type Then<K> = OnMatch<<K as MatchTreeKind>::Input, <K as MatchTreeKind>::Action>;

/// A tree. How deep it goes was bounded when it was loaded.
///
/// # Errors
/// Inputs and actions that are none here; custom matchers, of which none is built.
pub fn match_tree<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: proto::Matcher,
) -> Parsed<Tree<K>> {
    let proto::Matcher {
        on_no_match: otherwise,
        matcher_type,
    } = proto;
    let tree = match matcher_type {
        None => Ok(MatchTree::list(Vec::new())),
        Some(MatcherType::MatcherList(list)) => {
            cx.field("matcher_list", |cx| matcher_list(cx, kind, list))
        }
        Some(MatcherType::MatcherTree(tree)) => {
            cx.field("matcher_tree", |cx| matcher_map(cx, kind, tree))
        }
    };
    let otherwise = cx.optional("on_no_match", otherwise, |cx, proto| {
        on_match(cx, kind, *proto)
    });
    Ok(tree?.or_else(otherwise?))
}

fn on_match<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: proto::matcher::OnMatch,
) -> Parsed<Then<K>> {
    use proto::matcher::on_match::OnMatch as Kind;
    if proto.keep_matching {
        let message = format!(
            "{}keep_matching is not supported in this context",
            K::REQUIREMENT
        );
        return Err(cx.error_at("keep_matching", message));
    }
    match proto.on_match {
        Some(Kind::Matcher(matcher)) => {
            let tree = cx.field("matcher", |cx| match_tree(cx, kind, *matcher))?;
            Ok(OnMatch::Tree(Box::new(tree)))
        }
        Some(Kind::Action(action)) => {
            let TypedExtensionConfig { name, typed_config } = action;
            let config = typed_config.unwrap_or_default();
            let action = cx.field("action", |cx| kind.action(cx, &name, &config))?;
            Ok(OnMatch::Action(action))
        }
        None => Err(cx.error_at("on_match", REQUIRED)),
    }
}

fn matcher_list<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: MatcherList,
) -> Parsed<Tree<K>> {
    let matchers = cx.list("matchers", proto.matchers, |cx, proto| {
        let matcher_list::FieldMatcher {
            predicate: question,
            on_match: then,
        } = proto;
        let question = cx.required("predicate", question, |cx, proto| {
            predicate(cx, kind, proto)
        });
        let then = cx.required("on_match", then, |cx, proto| on_match(cx, kind, proto));
        Ok((question?, then?))
    })?;
    Ok(MatchTree::list(matchers))
}

fn predicate<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: matcher_list::Predicate,
) -> Parsed<Predicate<K::Input>> {
    use predicate::MatchType;
    let mut list = |cx: &mut ParseCx, field, list: predicate::PredicateList| {
        cx.field(field, |cx| {
            cx.list("predicate", list.predicate, |cx, proto| {
                predicate(cx, kind, proto)
            })
        })
    };
    match proto.match_type {
        Some(MatchType::SinglePredicate(single)) => {
            cx.field("single_predicate", |cx| single_predicate(cx, kind, single))
        }
        Some(MatchType::OrMatcher(all)) => Ok(Predicate::Or(list(cx, "or_matcher", all)?)),
        Some(MatchType::AndMatcher(all)) => Ok(Predicate::And(list(cx, "and_matcher", all)?)),
        Some(MatchType::NotMatcher(one)) => {
            let one = cx.field("not_matcher", |cx| predicate(cx, kind, *one))?;
            Ok(Predicate::Not(Box::new(one)))
        }
        None => Err(cx.error_at("match_type", REQUIRED)),
    }
}

fn single_predicate<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: predicate::SinglePredicate,
) -> Parsed<Predicate<K::Input>> {
    use predicate::single_predicate::Matcher;
    let predicate::SinglePredicate { input, matcher } = proto;
    let input = tree_input(cx, kind, input);
    let matcher = match matcher {
        Some(Matcher::ValueMatch(matcher)) => {
            cx.field("value_match", |cx| string_matcher(cx, matcher))
        }
        Some(Matcher::CustomMatch(custom)) => Err(custom_match(cx, custom)),
        None => Err(cx.error_at("matcher", REQUIRED)),
    };
    Ok(Predicate::Value(input?, matcher?))
}

fn custom_match(cx: &mut ParseCx, proto: TypedExtensionConfig) -> nuncio_extension::Invalid {
    let config = proto.typed_config.unwrap_or_default();
    cx.field("custom_match", |cx| {
        unknown_extension(cx, &proto.name, &config)
    })
}

fn tree_input<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: Option<TypedExtensionConfig>,
) -> Parsed<K::Input> {
    cx.required("input", proto, |cx, proto| {
        let config = proto.typed_config.unwrap_or_default();
        kind.input(cx, &proto.name, &config)
    })
}

fn matcher_map<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    proto: MatcherTree,
) -> Parsed<Tree<K>> {
    use matcher_tree::TreeType;
    let MatcherTree { input, tree_type } = proto;
    let input = tree_input(cx, kind, input);
    match tree_type {
        Some(TreeType::ExactMatchMap(map)) => {
            let map = match_map(cx, kind, "exact_match_map", map);
            Ok(MatchTree::exact(input?, map?))
        }
        Some(TreeType::PrefixMatchMap(map)) => {
            let map = match_map(cx, kind, "prefix_match_map", map);
            Ok(MatchTree::prefixes(input?, map?))
        }
        Some(TreeType::CustomMatch(custom)) => {
            let config = custom.typed_config.clone().unwrap_or_default();
            if type_name(&config) != "xds.type.matcher.v3.IPMatcher" {
                return Err(custom_match(cx, custom));
            }
            cx.field("custom_match", |cx| {
                cx.field("typed_config", |cx| address_map(cx, kind, input?, &config))
            })
        }
        None => Err(cx.error_at("tree_type", REQUIRED)),
    }
}

/// Ranges of addresses: `xds.type.matcher.v3.IPMatcher`.
fn address_map<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    input: K::Input,
    config: &Any,
) -> Parsed<Tree<K>> {
    let proto: IpMatcher = cx.unpack(config)?;
    let mut all = Vec::new();
    let then = cx.list("range_matchers", proto.range_matchers, |cx, proto| {
        let IpRangeMatcher {
            ranges,
            on_match: then,
            exclusive,
        } = proto;
        let ranges = cx.list("ranges", ranges, |cx, range| {
            let length = range.prefix_len.map_or(0, |length| length.value);
            let parsed = CidrRange::parse(&range.address_prefix, length);
            parsed.map_err(|error| cx.error(error.message()))
        });
        let then = cx.required("on_match", then, |cx, proto| on_match(cx, kind, proto));
        Ok((ranges?, exclusive, then?))
    })?;
    let then = then.into_iter().enumerate();
    let then = then.map(|(then, (ranges, exclusive, follows))| {
        all.extend(ranges.into_iter().map(|range| AddressRange {
            range,
            exclusive,
            then,
        }));
        follows
    });
    let then = then.collect();
    Ok(MatchTree::ranges(input, all, then))
}

/// The entries by their keys, so that the same configuration always gives the same tree.
fn match_map<K: MatchTreeKind>(
    cx: &mut ParseCx,
    kind: &mut K,
    field: &'static str,
    proto: matcher_tree::MatchMap,
) -> Parsed<Vec<(String, Then<K>)>> {
    let mut entries: Vec<_> = proto.map.into_iter().collect();
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    cx.field(field, |cx| {
        cx.field("map", |cx| {
            let entries = entries.into_iter().map(|(key, proto)| {
                let then = cx.key(&key, |cx| on_match(cx, kind, proto));
                then.map(|then| (key, then))
            });
            let entries: Vec<_> = entries.collect();
            entries.into_iter().collect()
        })
    })
}

/// A string matcher of the xDS protocol's own package.
///
/// # Errors
/// A bad regex; a custom matcher, of which none is built.
pub fn string_matcher(cx: &mut ParseCx, proto: proto::StringMatcher) -> Parsed<StringMatcher> {
    use proto::string_matcher::MatchPattern;
    let proto::StringMatcher {
        ignore_case,
        match_pattern,
    } = proto;
    match match_pattern {
        Some(MatchPattern::Exact(text)) => Ok(StringMatcher::exact(&text, ignore_case)),
        Some(MatchPattern::Prefix(text)) => Ok(StringMatcher::prefix(&text, ignore_case)),
        Some(MatchPattern::Suffix(text)) => Ok(StringMatcher::suffix(&text, ignore_case)),
        Some(MatchPattern::Contains(text)) => Ok(StringMatcher::contains(&text, ignore_case)),
        Some(MatchPattern::SafeRegex(regex)) => cx.field("safe_regex", |cx| {
            StringMatcher::regex(&regex.regex).map_err(|error| cx.error(error.message()))
        }),
        Some(MatchPattern::Custom(_)) => Err(cx.not_built("custom")),
        None => Err(cx.error_at("match_pattern", REQUIRED)),
    }
}
