//! Words that don't belong into code: other proxies' nouns, unfinished work, silenced tests.

use crate::lexer::{Kind, Token};
use crate::tree::{Finding, Tree, texts};

/// Other words for Envoy's nouns, and Envoy's.
const NAMES: &[(&str, &str)] = &[
    ("backend", "cluster, host or upstream"),
    ("blacklist", "deny list"),
    ("frontend", "listener or downstream"),
    ("interceptor", "filter"),
    ("middleware", "filter"),
    ("subcluster", "subset"),
    ("vserver", "virtual host"),
    ("whitelist", "allow list"),
];

/// Macros of unfinished work and of debugging.
const MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];

/// Objects to words, macros and attributes that are not for code that stays.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let code = file.code();
        for at in 0..code.len() {
            if let Some(message) = objection(&code[at..]) {
                findings.push(Finding::new(&file.path, code[at].line, message));
            }
        }
    }
    findings
}

/// What is wrong with the code that begins here.
fn objection(code: &[Token<'_>]) -> Option<String> {
    let word = code[0].text;
    if texts(code, &["#", "[", "ignore", "]"]) {
        return Some("an ignored test says why: `#[ignore = \"…\"]`".to_owned());
    }
    if silences_dead_code(code) {
        return Some("dead code goes, or its `allow` has a `reason`".to_owned());
    }
    if code[0].kind != Kind::Word {
        return None;
    }
    if MACROS.contains(&word) && texts(&code[1..], &["!"]) {
        return Some(format!("`{word}!` is not for code that stays"));
    }
    let (banned, envoys) = NAMES.iter().find(|(banned, _)| has_part(word, banned))?;
    Some(format!("`{word}`: Envoy's word for {banned} is {envoys}"))
}

/// `#[allow(dead_code)]` without a reason.
fn silences_dead_code(code: &[Token<'_>]) -> bool {
    let attribute = texts(code, &["#", "["]) || texts(code, &["#", "!", "["]);
    if !attribute {
        return false;
    }
    let end = code
        .iter()
        .position(|token| token.text == "]")
        .unwrap_or(code.len());
    let has = |word: &str| code[..end].iter().any(|token| token.text == word);
    (has("allow") || has("expect")) && has("dead_code") && !has("reason")
}

/// Whether an identifier in any case has the word as a part, also in the plural.
fn has_part(identifier: &str, word: &str) -> bool {
    parts(identifier)
        .iter()
        .any(|part| part == word || part.strip_suffix('s') == Some(word))
}

/// The words of an identifier, in lower case.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && lower) {
            parts.push(String::new());
        }
        lower = c.is_lowercase();
        if let Some(part) = parts.last_mut()
            && c != '_'
        {
            part.extend(c.to_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::{found, objects};

    #[test]
    fn other_words_for_envoys_nouns_are_found() {
        for (text, good) in [
            ("struct Backend;", false),
            ("let my_backends = 1;", false),
            ("const BACKEND: u8 = 1;", false),
            ("struct AuthMiddlewareConfig;", false),
            ("fn backended() {}", true),
            ("// a backend", true),
            ("a(\"backend\")", true),
            ("struct Upstream;", true),
        ] {
            assert_eq!(!objects(check, "crates/a/src/b.rs", text), good, "{text}");
        }
        assert_eq!(
            found(check, &[("a.rs", "\nfn backend() {}")]),
            ["a.rs:2: `backend`: Envoy's word for backend is cluster, host or upstream"]
        );
    }

    #[test]
    fn unfinished_and_silenced_code_is_found() {
        for (text, good) in [
            ("fn a() { todo!() }", false),
            ("fn a() { unimplemented!(\"x\") }", false),
            ("fn a() { dbg!(1); }", false),
            ("fn todo() {}", true),
            ("#[test] #[ignore] fn a() {}", false),
            ("#[test] #[ignore = \"slow\"] fn a() {}", true),
            ("#[allow(dead_code)] fn a() {}", false),
            ("#![allow(dead_code)]", false),
            (
                "#[allow(dead_code, reason = \"names only\")] fn a() {}",
                true,
            ),
            ("#[allow(missing_docs)] fn a() {}", true),
        ] {
            assert_eq!(!objects(check, "crates/a/src/b.rs", text), good, "{text}");
        }
    }
}
