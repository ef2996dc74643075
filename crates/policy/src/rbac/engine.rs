//! From policies to a verdict.

use super::permission::Permission;
use super::principal::Principal;
use crate::facts::Facts;
use crate::input::Input;
use nuncio_matching::MatchTree;
use std::sync::Arc;

/// What follows from a policy that matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// What matches is allowed, all else is denied.
    Allow,
    /// What matches is denied, all else is allowed.
    Deny,
    /// All is allowed; what matches is to be logged.
    Log,
}

/// A policy: one of these permissions to one of these principals.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// What may be done.
    pub permissions: Vec<Permission>,
    /// Who may do it.
    pub principals: Vec<Principal>,
}

impl Policy {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        self.permissions.iter().any(|one| one.matches(facts))
            && self.principals.iter().any(|one| one.matches(facts))
    }
}

/// An action of the unified matcher.
#[derive(Clone, Debug)]
pub struct MatchAction {
    /// Its name, which stands for a policy's.
    pub name: Arc<str>,
    /// What follows.
    pub action: Action,
}

/// Decides.
#[derive(Clone, Debug)]
pub enum Engine {
    /// By policies, in the order of their names; the first that matches counts.
    Policies(Action, Vec<Policy>),
    /// By the unified matcher; what matches nothing is denied.
    Matcher {
        /// The tree.
        tree: MatchTree<Input, MatchAction>,
        /// Whether one of its actions logs.
        logs: bool,
    },
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policy that matched.
    pub policy: Option<Arc<str>>,
    /// Whether to log it, where that was asked (`access_log_hint` of `envoy.common`).
    pub log: Option<bool>,
}

impl Engine {
    /// Policies, sorted by their names.
    pub fn policies(action: Action, mut policies: Vec<Policy>) -> Self {
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Self::Policies(action, policies)
    }

    /// Decides about a request or a connection.
    pub fn decide(&self, facts: &Facts<'_>) -> Verdict {
        match self {
            Self::Policies(action, policies) => {
                let matched = policies.iter().find(|policy| policy.matches(facts));
                Verdict {
                    allowed: match action {
                        Action::Allow => matched.is_some(),
                        Action::Deny => matched.is_none(),
                        Action::Log => true,
                    },
                    policy: matched.map(|policy| Arc::clone(&policy.name)),
                    log: (*action == Action::Log).then_some(matched.is_some()),
                }
            }
            Self::Matcher { tree, logs } => {
                let matched = tree.find(&|input: &Input| input.ask(facts));
                let action = matched.map(|matched| matched.action);
                let log = matched.filter(|_| *logs);
                Verdict {
                    allowed: matches!(action, Some(Action::Allow | Action::Log)),
                    policy: matched.map(|matched| Arc::clone(&matched.name)),
                    log: log.map(|matched| matched.action == Action::Log),
                }
            }
        }
    }
}

impl Verdict {
    /// `%RESPONSE_CODE_DETAILS%` and `%CONNECTION_TERMINATION_DETAILS%` of what was denied.
    pub fn details(&self) -> String {
        let policy = self.policy.as_deref().unwrap_or("none");
        let policy: String = policy
            .chars()
            .map(|c| if c.is_ascii_whitespace() { '_' } else { c })
            .collect();
        format!("rbac_access_denied_matched_policy[{policy}]")
    }
}
