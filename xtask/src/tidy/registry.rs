//! The lists of extensions: sorted, without repetition, and with everything that extends.

use crate::lexer::{Kind, Token};
use crate::tree::{File, Finding, Tree, texts};
use std::collections::BTreeMap;

/// The lists.
const LISTS: &str = "crates/nuncio/src/extensions.rs";

/// Objects to lists out of order, and to extensions that are in none.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.file(LISTS) else {
        return Vec::new();
    };
    let code = file.shipped();
    let mut findings = Vec::new();
    for list in lists(&code) {
        for pair in list.windows(2) {
            let [(before, _), (entry, line)] = pair else {
                continue;
            };
            if entry <= before {
                let message = format!("`{entry}` is out of order, or there twice");
                findings.push(Finding::new(LISTS, *line, message));
            }
        }
    }
    let mut listed = BTreeMap::<String, usize>::new();
    for (entry, _) in lists(&code).into_iter().flatten() {
        let name = entry.rsplit([':', '&']).next().unwrap_or_default();
        *listed.entry(name.to_owned()).or_default() += 1;
    }
    let ours = tree
        .rust()
        .filter(|file| file.path.starts_with("extensions/"));
    for extension in ours.flat_map(extensions) {
        // Some names occur in several folders; each takes one of the entries.
        match listed.get_mut(&extension.name) {
            Some(left @ 1..) => *left -= 1,
            _ => {
                let message = format!("`{}` is in no list of {LISTS}", extension.name);
                findings.push(Finding::new(&extension.path, extension.line, message));
            }
        }
    }
    findings
}

/// The entries of each `&[…]` of a static, with their lines.
fn lists<'a>(code: &[Token<'a>]) -> Vec<Vec<(String, usize)>> {
    let mut lists = Vec::new();
    for at in 0..code.len() {
        if !texts(&code[at..], &["=", "&", "["]) {
            continue;
        }
        let body = &code[at + 3..];
        let end = body
            .iter()
            .position(|token| token.text == "]")
            .unwrap_or(body.len());
        let entries = body[..end]
            .split(|token| token.text == ",")
            .filter(|e| !e.is_empty());
        let entry = |tokens: &[Token<'a>]| {
            (
                tokens.iter().map(|token| token.text).collect::<String>(),
                tokens[0].line,
            )
        };
        lists.push(entries.map(entry).collect());
    }
    lists
}

/// A type that extends.
struct Extension {
    path: String,
    line: usize,
    name: String,
}

/// The types of a file with an `impl SomethingExtension for`.
fn extensions(file: &File) -> Vec<Extension> {
    let code = if file.is_test() {
        Vec::new()
    } else {
        file.shipped()
    };
    let extending = code.windows(4).filter(|tokens| {
        let [keyword, extension, preposition, name] = tokens else {
            return false;
        };
        keyword.text == "impl"
            && extension.text.ends_with("Extension")
            && preposition.text == "for"
            && name.kind == Kind::Word
    });
    let extension = |tokens: &[Token<'_>]| Extension {
        path: file.path.clone(),
        line: tokens[3].line,
        name: tokens[3].text.to_owned(),
    };
    extending.map(extension).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::found;

    #[test]
    fn lists_are_sorted_and_unique() {
        for (list, good) in [
            (
                "&http_filters::buffer::Buffer, &http_filters::cors::Cors,",
                true,
            ),
            (
                "&http_filters::cors::Cors, &http_filters::buffer::Buffer,",
                false,
            ),
            (
                "&http_filters::cors::Cors, &http_filters::cors::Cors",
                false,
            ),
            ("", true),
        ] {
            let text = format!("pub static X: &[&dyn Factory] = &[{list}];");
            assert_eq!(found(check, &[(LISTS, &text)]).is_empty(), good, "{list}");
        }
    }

    #[test]
    fn lists_are_complete() {
        let listed = "static X: &[&dyn F] = &[&http::Cors, &lb::random::Policy];";
        let cors = "impl HttpFilterExtension for Cors {}";
        let policy = "impl LoadBalancerExtension for Policy {}";
        for (files, good) in [
            (&[("extensions/a/src/cors/config.rs", cors)][..], true),
            (&[("extensions/a/src/random/config.rs", policy)], true),
            (
                &[(
                    "extensions/a/src/x.rs",
                    "impl HttpFilterExtension for Fault {}",
                )],
                false,
            ),
            (
                &[("extensions/a/src/x.rs", "impl Other for Fault {}")],
                true,
            ),
            (
                &[(
                    "extensions/a/src/tests.rs",
                    "impl HttpFilterExtension for Fault {}",
                )],
                true,
            ),
            // Two of one name, and one is listed.
            (
                &[
                    ("extensions/a/src/b.rs", policy),
                    ("extensions/a/src/c.rs", policy),
                ],
                false,
            ),
        ] {
            let mut all = vec![(LISTS, listed)];
            all.extend(files);
            let found = found(check, &all);
            assert_eq!(found.is_empty(), good, "{files:?}: {found:?}");
        }
    }
}
