//! What is counted and recorded of verdicts.

use super::engine::Verdict;
use nuncio_base::metadata::{Metadata, Value};
use nuncio_stats::{Group, Scope, SharedCounter};
use nuncio_worker::local_slot::LocalSlot;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Where filters leave whether a request is to be logged.
const COMMON: &str = "envoy.common";

nuncio_stats::stat_group! {
    /// What is enforced.
    pub struct EnforcedStats {
        counters { allowed, denied }
    }
}

nuncio_stats::stat_group! {
    /// What would have been done by the shadow rules.
    pub struct ShadowStats {
        counters { shadow_allowed, shadow_denied }
    }
}

/// The scopes of both, and of single policies.
pub struct Scopes {
    enforced: Group<EnforcedStats>,
    shadow: Group<ShadowStats>,
    policies: [Scope; 2],
}

impl Scopes {
    /// Below `prefix`, as `http.<stat_prefix>.rbac`, with prefixes of the rules and of the shadow
    /// rules.
    pub fn new(root: &Scope, prefix: &str, [rules, shadow]: [&str; 2]) -> Self {
        let scope = |own: &str| root.scope(format!("{prefix}.{own}").trim_end_matches('.'));
        let (rules, shadow) = (scope(rules), scope(shadow));
        Self {
            enforced: rules.group(),
            shadow: shadow.group(),
            policies: [rules.scope("policy"), shadow.scope("policy")],
        }
    }

    /// What one worker counts by.
    pub fn local(&self) -> RbacStats {
        RbacStats {
            enforced: self.enforced.local(),
            shadow: self.shadow.local(),
            scopes: self.policies.clone(),
            policies: LocalSlot::default(),
        }
    }
}

/// What is counted, on one worker. Counters of single policies are as many as configuration has.
pub struct RbacStats {
    enforced: EnforcedStats,
    shadow: ShadowStats,
    scopes: [Scope; 2],
    policies: LocalSlot<HashMap<(Arc<str>, &'static str), SharedCounter>>,
}

impl RbacStats {
    /// Counts what was decided; by its policy too, where that is wanted.
    pub fn count(&self, verdict: &Verdict, shadow: bool, by_policy: bool) {
        let (counter, name) = match (shadow, verdict.allowed) {
            (false, true) => (self.enforced.allowed(), "allowed"),
            (false, false) => (self.enforced.denied(), "denied"),
            (true, true) => (self.shadow.shadow_allowed(), "shadow_allowed"),
            (true, false) => (self.shadow.shadow_denied(), "shadow_denied"),
        };
        counter.inc();
        if let Some(policy) = verdict.policy.as_ref().filter(|_| by_policy) {
            self.policies.with(|policies| {
                let key = (Arc::clone(policy), name);
                let scope = &self.scopes[usize::from(shadow)];
                let counter = policies.entry(key);
                counter
                    .or_insert_with(|| scope.scope(policy).counter(name))
                    .inc();
            });
        }
    }
}

/// How verdicts are recorded in dynamic metadata.
#[derive(Clone, Debug)]
pub struct Record {
    /// The filter's name, under which they stand.
    pub filter: &'static str,
    policy: String,
    result: String,
}

impl Record {
    /// For the shadow rules of `filter`, with their prefix.
    pub fn shadow(filter: &'static str, prefix: &str) -> Self {
        Self {
            filter,
            policy: format!("{prefix}shadow_effective_policy_id"),
            result: format!("{prefix}shadow_engine_result"),
        }
    }

    /// For the rules that are enforced.
    pub fn enforced(filter: &'static str, prefix: &str) -> Self {
        Self {
            filter,
            policy: format!("{prefix}enforced_effective_policy_id"),
            result: format!("{prefix}enforced_engine_result"),
        }
    }

    /// Records a verdict.
    pub fn write(&self, verdict: &Verdict, metadata: &mut Metadata) {
        let mut fields = BTreeMap::new();
        if let Some(policy) = &verdict.policy {
            fields.insert(self.policy.clone(), Value::Text(Arc::clone(policy)));
        }
        let result = if verdict.allowed { "allowed" } else { "denied" };
        fields.insert(self.result.clone(), Value::Text(result.into()));
        metadata.merge(self.filter, &Value::Struct(Arc::new(fields)));
    }
}

/// Says in the metadata whether the request is to be logged, where the verdict says so.
pub fn hint(verdict: &Verdict, metadata: &mut Metadata) {
    if let Some(log) = verdict.log {
        let fields = BTreeMap::from([("access_log_hint".to_owned(), Value::Bool(log))]);
        metadata.merge(COMMON, &Value::Struct(Arc::new(fields)));
    }
}
