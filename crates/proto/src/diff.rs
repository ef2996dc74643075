//! What differs between two messages, for people: field by field, as JSON shows them, secrets
//! blotted out.

use crate::json::{self, Options};
use crate::reflect::MessageRef;
use crate::tree::json::parse;
use crate::tree::{NodeId, NodeKind, Tree};
use std::collections::BTreeMap;
use std::fmt;

/// Values longer than this are cut, in characters.
const LONGEST: usize = 80;

/// One field that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Where it is, such as `load_assignment.endpoints[0].priority`.
    pub path: String,
    /// What it was; none where it was not there.
    pub before: Option<String>,
    /// What it is; none where it is gone.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.path),
            (Some(before), None) => write!(f, "{}: {before} is gone", self.path),
            (None, Some(after)) => write!(f, "{}: {after} is new", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

/// What differs between two encoded messages, by path. Messages that differ in nothing that is
/// shown have one difference without values.
pub fn diff(before: &[u8], after: &[u8], message: MessageRef) -> Vec<Difference> {
    if before == after {
        return Vec::new();
    }
    let (old, new) = (fields(before, message), fields(after, message));
    let mut differences = Vec::new();
    let mut paths: Vec<_> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        if before != after {
            differences.push(Difference {
                path: path.clone(),
                before: before.cloned(),
                after: after.cloned(),
            });
        }
    }
    if differences.is_empty() {
        differences.push(Difference {
            path: "something that is not shown".to_owned(),
            before: None,
            after: None,
        });
    }
    differences
}

/// The scalars of a message by their paths.
fn fields(bytes: &[u8], message: MessageRef) -> BTreeMap<String, String> {
    let options = Options {
        redact: true,
        compact: true,
        ..Options::default()
    };
    let mut found = BTreeMap::new();
    if let Ok(tree) = parse(json::print(bytes, message, &options))
        && let Some(root) = tree.root()
    {
        collect(&tree, root, &mut String::new(), &mut found);
    }
    found
}

fn collect(tree: &Tree, node: NodeId, path: &mut String, found: &mut BTreeMap<String, String>) {
    let kind = tree.node(node).kind;
    let value = match kind {
        NodeKind::Map | NodeKind::List => {
            let mut empty = true;
            for (at, child) in tree.children(node).enumerate() {
                empty = false;
                let length = path.len();
                match kind {
                    NodeKind::List => path.push_str(&format!("[{at}]")),
                    _ => {
                        let dot = if path.is_empty() { "" } else { "." };
                        path.push_str(&format!("{dot}{}", tree.key(child)));
                    }
                }
                collect(tree, child, path, found);
                path.truncate(length);
            }
            match (empty, kind) {
                (false, _) => return,
                (true, NodeKind::List) => "[]".to_owned(),
                (true, _) => "{}".to_owned(),
            }
        }
        NodeKind::Null => "null".to_owned(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Number | NodeKind::String | NodeKind::Alias(_) => shortened(tree.text(node)),
    };
    found.insert(path.clone(), value);
}

/// On one line, and not without an end.
fn shortened(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::config::cluster::v3::Cluster;
    use crate::load::{self, Format};

    fn encoded(yaml: &str) -> Vec<u8> {
        let message = load::message_of::<Cluster>().unwrap();
        let options = load::Options::default();
        load::text("", yaml, Format::Yaml, message, &options)
            .unwrap()
            .bytes
    }

    #[test]
    fn fields_that_differ() {
        let message = load::message_of::<Cluster>().unwrap();
        let old = "{name: a, connect_timeout: 1s, health_checks: [{timeout: 1s, interval: 1s,
            unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]}";
        let new = "{name: a, connect_timeout: 2s, alt_stat_name: \"x\\ny\"}";
        let found = diff(&encoded(old), &encoded(new), message);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "alt_stat_name: x\\ny is new",
                "connect_timeout: 1s -> 2s",
                "health_checks[0].healthy_threshold: 1 is gone",
                "health_checks[0].interval: 1s is gone",
                "health_checks[0].tcp_health_check: {} is gone",
                "health_checks[0].timeout: 1s is gone",
                "health_checks[0].unhealthy_threshold: 1 is gone",
            ]
        );
        assert_eq!(diff(&encoded(new), &encoded(new), message), []);
        let secret = |key: &str| {
            let context = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
            encoded(&format!(
                "{{name: a, transport_socket: {{name: t, typed_config: {{
                '@type': {context}.UpstreamTlsContext, common_tls_context: {{tls_certificates: [
                {{private_key: {{inline_string: {key}}}}}]}}}}}}}}"
            ))
        };
        let found = diff(&secret("one"), &secret("two"), message);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "something that is not shown");
    }
}
