//! Protos to [`RbacSpec`] and [`RbacRouteSpec`].

use super::{Rbac, RbacRouteSpec, RbacSpec, Rules};
use nuncio_config::match_input::Scene;
use nuncio_config::rbac::{Rules as RulesProto, engine};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_policy::rbac::{Record, Scopes};
use nuncio_proto::envoy::extensions::filters::http::rbac::v3 as proto;
use std::sync::Arc;

impl HttpFilterExtension for Rbac {
    const NAME: &'static str = "envoy.filters.http.rbac";
    type Proto = proto::Rbac;
    type RouteProto = proto::RbacPerRoute;
    type Spec = RbacSpec;
    type RouteSpec = RbacRouteSpec;

    fn parse(
        &self,
        proto: proto::Rbac,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<RbacSpec> {
        let own = [
            proto.rules_stat_prefix.clone(),
            proto.shadow_rules_stat_prefix.clone(),
        ];
        let prefix = format!("{}rbac", filter.stat_prefix);
        let rules = Arc::new(rules(cx, proto)?);
        let root = cx.env().scope();
        Ok(RbacSpec {
            rules,
            scopes: Scopes::new(&root, &prefix, [&own[0], &own[1]]),
        })
    }

    fn parse_route(&self, proto: proto::RbacPerRoute, cx: &mut ParseCx) -> Parsed<RbacRouteSpec> {
        let proto::RbacPerRoute { rbac } = proto;
        let rules = cx.optional("rbac", rbac, rules)?;
        Ok(RbacRouteSpec {
            // None of its own means that nothing is asked.
            rules: Arc::new(rules.unwrap_or_default()),
        })
    }
}

fn rules(cx: &mut ParseCx, proto: proto::Rbac) -> Parsed<Rules> {
    let proto::Rbac {
        rules,
        rules_stat_prefix,
        matcher,
        shadow_rules,
        shadow_matcher,
        shadow_rules_stat_prefix,
        track_per_rule_stats,
    } = proto;
    let enforced = RulesProto {
        field: "rules",
        rules,
        matcher_field: "matcher",
        matcher,
    };
    let shadow = RulesProto {
        field: "shadow_rules",
        rules: shadow_rules,
        matcher_field: "shadow_matcher",
        matcher: shadow_matcher,
    };
    let enforced = engine(cx, Scene::Request, enforced);
    let shadow = engine(cx, Scene::Request, shadow);
    let name = Rbac::NAME;
    Ok(Rules {
        enforced: enforced?.map(|engine| (engine, Record::enforced(name, &rules_stat_prefix))),
        shadow: shadow?.map(|engine| (engine, Record::shadow(name, &shadow_rules_stat_prefix))),
        count_by_policy: track_per_rule_stats,
    })
}
