//! `Subset`: every field is converted, or refused by its name.

use super::{Fallback, Keys, Selector, Subset, SubsetSpec};
use nuncio_base::metadata::Value;
use nuncio_config::common::structure;
use nuncio_config::lb_policy;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::subset::v3 as proto;
use nuncio_upstream::LbSpec;
use proto::subset::lb_subset_selector::LbSubsetSelectorFallbackPolicy as SelectorPolicy;
use proto::subset::{LbSubsetFallbackPolicy, LbSubsetMetadataFallbackPolicy, LbSubsetSelector};
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.subset";
    type Proto = proto::Subset;

    fn parse(&self, proto: proto::Subset, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let fallback = match proto.fallback_policy() {
            LbSubsetFallbackPolicy::NoFallback => Fallback::None,
            LbSubsetFallbackPolicy::AnyEndpoint => Fallback::Any,
            LbSubsetFallbackPolicy::DefaultSubset => Fallback::Default,
        };
        let fallback_list =
            proto.metadata_fallback_policy() == LbSubsetMetadataFallbackPolicy::FallbackList;
        let selectors = cx.list("subset_selectors", proto.subset_selectors, selector);
        let policy = proto.subset_lb_policy.unwrap_or_default();
        let policy = cx.field("subset_lb_policy", |cx| {
            lb_policy::of_list(cx, "subset lb", &policy)
        });
        let default_subset = match proto.default_subset.map(structure) {
            Some(Value::Struct(fields)) => (*fields).clone(),
            _ => Default::default(),
        };
        Ok(Arc::new(Subset(Arc::new(SubsetSpec {
            policy: policy?,
            selectors: selectors?,
            fallback,
            default_subset,
            allow_redundant_keys: proto.allow_redundant_keys,
            locality_weight_aware: proto.locality_weight_aware,
            scale_locality_weight: proto.scale_locality_weight,
            panic_mode_any: proto.panic_mode_any,
            list_as_any: proto.list_as_any,
            fallback_list,
        }))))
    }
}

fn selector(cx: &mut ParseCx, proto: LbSubsetSelector) -> Parsed<Selector> {
    let policy = proto.fallback_policy();
    let LbSubsetSelector {
        keys,
        single_host_per_subset,
        fallback_policy: _,
        fallback_keys_subset,
    } = proto;
    let keys: Keys = keys.into_iter().collect();
    let fewer: Keys = fallback_keys_subset.into_iter().collect();
    let wrong = match policy == SelectorPolicy::KeysSubset {
        false if !fewer.is_empty() => {
            Some("fallback_keys_subset can be set only for KEYS_SUBSET fallback_policy")
        }
        true if fewer.is_empty() => Some("fallback_keys_subset cannot be empty"),
        true if !fewer.is_subset(&keys) => {
            Some("fallback_keys_subset must be a subset of selector keys")
        }
        true if fewer.len() == keys.len() => Some("fallback_keys_subset cannot be equal to keys"),
        _ => None,
    };
    if let Some(message) = wrong {
        return Err(cx.error_at("fallback_keys_subset", message));
    }
    Ok(Selector {
        keys,
        single_host: single_host_per_subset,
        fallback: match policy {
            SelectorPolicy::NotDefined => None,
            SelectorPolicy::NoFallback => Some(Fallback::None),
            SelectorPolicy::AnyEndpoint => Some(Fallback::Any),
            SelectorPolicy::DefaultSubset => Some(Fallback::Default),
            SelectorPolicy::KeysSubset => Some(Fallback::Keys(fewer)),
        },
    })
}
