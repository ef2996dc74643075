//! The configuration.

use super::filter::{RbacFactory, RbacSpec};
use nuncio_config::duration;
use nuncio_config::match_input::Scene;
use nuncio_config::rbac::{Rules, engine};
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_policy::rbac::{Record, Scopes};
use nuncio_proto::envoy::extensions::filters::network::rbac::v3 as proto;
use std::sync::Arc;

/// The extension.
pub struct Rbac;

impl NetworkFilterExtension for Rbac {
    const NAME: &'static str = "envoy.filters.network.rbac";
    type Proto = proto::Rbac;
    type Spec = RbacFactory;

    fn parse(
        &self,
        proto: proto::Rbac,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<RbacFactory> {
        let continuous = proto.enforcement_type() == proto::rbac::EnforcementType::Continuous;
        let proto::Rbac {
            rules,
            matcher,
            shadow_rules,
            shadow_matcher,
            shadow_rules_stat_prefix: shadow_prefix,
            stat_prefix,
            enforcement_type: _,
            delay_deny,
        } = proto;
        let enforced = Rules {
            field: "rules",
            rules,
            matcher_field: "matcher",
            matcher,
        };
        let shadow = Rules {
            field: "shadow_rules",
            rules: shadow_rules,
            matcher_field: "shadow_matcher",
            matcher: shadow_matcher,
        };
        let enforced = engine(cx, Scene::Connection, enforced);
        let shadow = engine(cx, Scene::Connection, shadow);
        let delay = duration::limit(cx, "delay_deny", delay_deny, None);
        let root = cx.env().scope();
        let prefix = format!("{}.rbac", stat_prefix.trim_end_matches('.'));
        Ok(RbacFactory(Arc::new(RbacSpec {
            enforced: enforced?,
            shadow: shadow?.map(|engine| (engine, Record::shadow(Self::NAME, &shadow_prefix))),
            continuous,
            delay: delay?,
            scopes: Scopes::new(&root, &prefix, ["", &shadow_prefix]),
        })))
    }
}
