//! Whole requests through a chain with the filter; what its configuration refuses.

use super::Rbac;
use crate::testing::{Script, errors};
use nuncio_base::metadata::Value;

const RULES: &str = "
  rules: {action: DENY, policies: {a b: {
    permissions: [{url_path: {path: {prefix: /no}}}], principals: [{any: true}]}}}
  shadow_rules: {policies: {p: {
    permissions: [{any: true}], principals: [{header: {name: x-a, string_match: {exact: '1'}}}]}}}
  shadow_rules_stat_prefix: sh_
  track_per_rule_stats: true";

const ROUTES: &str = "
  routes: [
    {match: {prefix: /nobody}, route: {cluster: c}, typed_per_filter_config: {envoy.filters.http.rbac:
      {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute}}},
    {match: {prefix: /own}, route: {cluster: c}, typed_per_filter_config: {envoy.filters.http.rbac:
      {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute,
       rbac: {rules: {action: ALLOW}}}}},
    {match: {prefix: /}, route: {cluster: c}}]";

#[test]
fn rules_of_filter_and_route() {
    for (path, passes, details) in [
        ("/yes", true, ""),
        ("/no", false, "rbac_access_denied_matched_policy[a_b]"),
        ("/nobody", true, ""),
        ("/own", false, "rbac_access_denied_matched_policy[none]"),
    ] {
        let script = Script::new().filter(&Rbac, RULES).routes(ROUTES);
        let outcome = script.request(&[(":path", path)]).run();
        assert_eq!(!outcome.upstream.is_empty(), passes, "{path}");
        if !passes {
            assert_eq!(outcome.details, details, "{path}");
            assert!(outcome.downstream.starts_with(":status=403"), "{path}");
            assert!(
                outcome.downstream.contains("[RBAC: access denied]"),
                "{path}"
            );
        }
    }
}

#[test]
fn verdicts_are_counted_and_recorded() {
    let script = Script::new().filter(&Rbac, RULES);
    let outcome = script.request(&[(":path", "/no"), ("x-a", "1")]).run();
    for (name, expected) in [
        ("denied", 1),
        ("allowed", 0),
        ("policy.a b.denied", 1),
        ("sh_.shadow_allowed", 1),
        ("sh_.policy.p.shadow_allowed", 1),
    ] {
        assert_eq!(
            outcome.stat(&format!("http.test.rbac.{name}")),
            expected,
            "{name}"
        );
    }
    let fields = outcome.metadata.get("envoy.filters.http.rbac").unwrap();
    for (name, expected) in [
        ("enforced_engine_result", "denied"),
        ("enforced_effective_policy_id", "a b"),
        ("sh_shadow_engine_result", "allowed"),
    ] {
        assert_eq!(
            fields.at([name]),
            Some(&Value::Text(expected.into())),
            "{name}"
        );
    }
}

#[test]
fn what_is_not_built_is_refused() {
    let policy = |fields: &str| format!("rules: {{policies: {{p: {{{fields}}}}}}}");
    let any = "permissions: [{any: true}], principals: [{any: true}]";
    for (yaml, expected) in [
        (
            policy(&format!("{any}, condition: {{}}")),
            "condition is not supported by this build",
        ),
        (policy("permissions: [{any: true}]"), "principals"),
        (
            "matcher: {matcher_list: {matchers: [{predicate: {single_predicate: {input: {name: i, \
             typed_config: {'@type': type.googleapis.com/envoy.type.matcher.v3.\
             HttpResponseStatusCodeMatchInput}}, value_match: {exact: a}}}, on_match: {action: \
             {name: a, typed_config: {'@type': type.googleapis.com/envoy.config.rbac.v3.Action, \
             name: nay}}}}]}}"
                .to_owned(),
            "Didn't find a registered implementation for 'i'",
        ),
        (
            policy(
                "permissions: [{uri_template: {name: u, typed_config: {'@type': \
                 type.googleapis.com/envoy.extensions.path.match.uri_template.v3.\
                 UriTemplateMatchConfig, path_template: a}}}], principals: [{any: true}]",
            ),
            "path_template a is invalid",
        ),
    ] {
        let errors = errors(&Rbac, &yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
}
