//! A listener's filters: those that are configured, and those that other fields ask for.

use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_listener::{DisablePredicate, ListenerFilterFactory, SometimesDisabled};
use nuncio_proto::envoy::config::listener::v3 as proto;
use nuncio_proto::google::protobuf::Any;
use std::sync::Arc;

/// The original destination filter's name, and its configuration's.
const ORIGINAL_DST: (&str, &str) = (
    "envoy.filters.listener.original_dst",
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
);
/// The PROXY protocol filter's.
const PROXY_PROTOCOL: (&str, &str) = (
    "envoy.filters.listener.proxy_protocol",
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
);

/// The listener filters. Those that `use_original_dst` and `use_proxy_proto` ask for come last.
/// Where a chain can be chosen only with what the TLS inspector finds out and that is not among
/// them, nothing puts it there, as in Envoy: the chain gets no connections.
///
/// # Errors
/// What filters refuse, and those that are not here.
pub(crate) fn listener_filters(
    cx: &mut ParseCx,
    proto: &proto::Listener,
) -> Parsed<Vec<Arc<dyn ListenerFilterFactory>>> {
    use proto::listener_filter::ConfigType;
    let mut filters = cx.list(
        "listener_filters",
        proto.listener_filters.clone(),
        |cx, filter| {
            let config = match filter.config_type {
                Some(ConfigType::TypedConfig(config)) => config,
                Some(ConfigType::ConfigDiscovery(_)) => {
                    return Err(cx.not_built("config_discovery"));
                }
                None => Any::default(),
            };
            let Some(factory) = cx.env().registry.listener_filter(&config) else {
                return Err(unknown_extension(cx, &filter.name, &config));
            };
            let disabled = cx.optional("filter_disabled", filter.filter_disabled, predicate);
            let made = cx.field("typed_config", |cx| factory.parse(&config, cx))?;
            Ok(match disabled? {
                None => made,
                Some(disabled) => SometimesDisabled::of(made, disabled),
            })
        },
    )?;
    let is_true = |value: Option<nuncio_proto::google::protobuf::BoolValue>| {
        value.is_some_and(|value| value.value)
    };
    if is_true(proto.use_original_dst) {
        filters.push(built_in(cx, ORIGINAL_DST)?);
    }
    if proto
        .filter_chains
        .first()
        .is_some_and(|chain| is_true(chain.use_proxy_proto))
    {
        filters.push(built_in(cx, PROXY_PROTOCOL)?);
    }
    Ok(filters)
}

/// A filter that a listener has without naming it, with nothing configured.
fn built_in(
    cx: &mut ParseCx,
    (name, type_name): (&str, &str),
) -> Parsed<Arc<dyn ListenerFilterFactory>> {
    let config = Any {
        type_url: format!("type.googleapis.com/{type_name}"),
        value: Vec::new(),
    };
    match cx.env().registry.listener_filter(&config) {
        Some(factory) => factory.parse(&config, cx),
        None => Err(unknown_extension(cx, name, &config)),
    }
}

/// When a filter is not asked. How deep it goes was bounded when it was loaded.
fn predicate(
    cx: &mut ParseCx,
    proto: proto::ListenerFilterChainMatchPredicate,
) -> Parsed<DisablePredicate> {
    use proto::listener_filter_chain_match_predicate::Rule;
    let list =
        |cx: &mut ParseCx, field, rules| cx.field(field, |cx| cx.list("rules", rules, predicate));
    match proto.rule {
        Some(Rule::OrMatch(set)) => Ok(DisablePredicate::Any(list(cx, "or_match", set.rules)?)),
        Some(Rule::AndMatch(set)) => Ok(DisablePredicate::All(list(cx, "and_match", set.rules)?)),
        Some(Rule::NotMatch(rule)) => {
            let rule = cx.field("not_match", |cx| predicate(cx, *rule))?;
            Ok(DisablePredicate::Not(Box::new(rule)))
        }
        Some(Rule::AnyMatch(_)) => Ok(DisablePredicate::All(Vec::new())),
        Some(Rule::DestinationPortRange(range)) => {
            Ok(DisablePredicate::DestinationPort(range.start..range.end))
        }
        None => Err(cx.error("field: 'rule', reason: is required")),
    }
}
