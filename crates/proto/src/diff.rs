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

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// Fields that hold secrets and aren't marked as such, so that the admin shows them.
const SECRETS: [&str; 7] = [
    "access_token",
    "authorization_token",
    "google_refresh_token",
    "json_key",
    "local_jwks",
    "secret_access_key",
    "session_token",
];

/// Headers whose values are secrets, and the fields that name the header.
const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
];
const HEADER_FIELDS: [&str; 3] = ["header_name", "key", "name"];

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
/// shown have one difference without values. Of secrets only that they differ is told.
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
                before: before.map(Scalar::shown),
                after: after.map(Scalar::shown),
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

/// A value, and whether anybody may see it.
#[derive(PartialEq, Eq)]
struct Scalar {
    text: String,
    secret: bool,
}

impl Scalar {
    fn shown(&self) -> String {
        match self.secret {
            true => REDACTED.to_owned(),
            false => shortened(&self.text),
        }
    }
}

type Scalars = BTreeMap<String, Scalar>;

/// The scalars of a message by their paths.
fn fields(bytes: &[u8], message: MessageRef) -> Scalars {
    let mut found = printed(bytes, message, false);
    let redacted = printed(bytes, message, true);
    for (path, scalar) in &mut found {
        let same = |redacted: &Scalar| redacted.text == scalar.text;
        scalar.secret |= !redacted.get(path).is_some_and(same);
    }
    found
}

fn printed(bytes: &[u8], message: MessageRef, redact: bool) -> Scalars {
    let options = Options {
        redact,
        compact: true,
        ..Options::default()
    };
    let mut found = Scalars::new();
    if let Ok(tree) = parse(json::print(bytes, message, &options))
        && let Some(root) = tree.root()
    {
        collect((&tree, root), &mut String::new(), false, &mut found);
    }
    found
}

fn collect((tree, node): (&Tree, NodeId), path: &mut String, secret: bool, found: &mut Scalars) {
    let kind = tree.node(node).kind;
    let text = match kind {
        NodeKind::Map | NodeKind::List => {
            let of_header = kind == NodeKind::Map && is_secret_header(tree, node);
            let mut empty = true;
            for (at, child) in tree.children(node).enumerate() {
                empty = false;
                let length = path.len();
                let mut secret = secret;
                match kind {
                    NodeKind::List => path.push_str(&format!("[{at}]")),
                    _ => {
                        let key = tree.key(child);
                        let dot = if path.is_empty() { "" } else { "." };
                        path.push_str(&format!("{dot}{key}"));
                        secret |= SECRETS.contains(&key);
                        secret |= of_header && !HEADER_FIELDS.contains(&key);
                    }
                }
                collect((tree, child), path, secret, found);
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
        NodeKind::Number | NodeKind::String | NodeKind::Alias(_) => tree.text(node).to_owned(),
    };
    found.insert(path.clone(), Scalar { text, secret });
}

/// Whether a message says something of a header whose values are secrets.
fn is_secret_header(tree: &Tree, node: NodeId) -> bool {
    tree.children(node).any(|child| {
        let names_one = |name: &str| {
            SECRET_HEADERS
                .iter()
                .any(|one| one.eq_ignore_ascii_case(name))
        };
        HEADER_FIELDS.contains(&tree.key(child))
            && tree.node(child).kind == NodeKind::String
            && names_one(tree.text(child))
    })
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
    }

    #[test]
    fn secrets_are_not_shown() {
        let message = load::message_of::<Cluster>().unwrap();
        let prefix = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
        let socket = |context: &str| {
            format!(
                "{{name: a, transport_socket: {{name: t, typed_config: {{'@type': \
                 {prefix}.{context}}}}}}}"
            )
        };
        let google = "{name: a, lrs_server: {api_config_source: {grpc_services: [{google_grpc: {
            target_uri: t, stat_prefix: s, call_credentials: [{SECRET}]}}]}}}";
        let upstream = |field: &str| {
            socket(&format!(
                "UpstreamTlsContext, common_tls_context: {{tls_certificates: [{field}]}}"
            ))
        };
        let headers =
            "{name: a, health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1,
            healthy_threshold: 1, http_health_check: {path: /,
            request_headers_to_add: [{header: {key: Authorization, value: SECRET}}]}}]}";
        for (yaml, path) in [
            (
                upstream("{private_key: {inline_string: SECRET}}"),
                "private_key.inline_string",
            ),
            (
                upstream("{private_key: {inline_bytes: SECRETAA}}"),
                "private_key.inline_bytes",
            ),
            (
                upstream("{password: {inline_string: SECRET}}"),
                "password.inline_string",
            ),
            (
                socket(
                    "DownstreamTlsContext, session_ticket_keys: {keys: [{inline_string: SECRET}]}",
                ),
                "session_ticket_keys.keys[0].inline_string",
            ),
            (
                google.replace("SECRET", "access_token: SECRET"),
                "call_credentials[0].access_token",
            ),
            (
                google.replace("SECRET", "google_refresh_token: SECRET"),
                "call_credentials[0].google_refresh_token",
            ),
            (
                google.replace("SECRET", "service_account_jwt_access: {json_key: SECRET}"),
                "service_account_jwt_access.json_key",
            ),
            (
                google.replace("SECRET", "google_iam: {authorization_token: SECRET}"),
                "google_iam.authorization_token",
            ),
            (headers.to_owned(), "header.value"),
        ] {
            let of = |secret: &str| encoded(&yaml.replace("SECRET", secret));
            let found = diff(&of("hidden"), &of("secret"), message);
            let [one] = &found[..] else {
                panic!("{found:?}");
            };
            let text = one.to_string();
            assert!(
                text.ends_with(&format!("{path}: [redacted] -> [redacted]")),
                "{text}"
            );
        }
        // What only differs late does too.
        let name = |end: &str| encoded(&format!("{{name: {}{end}}}", "x".repeat(100)));
        assert_eq!(diff(&name("a"), &name("b"), message)[0].path, "name");
    }
}
