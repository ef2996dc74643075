//! The lists of extensions: sorted, without repetition, and with every extension that has a folder.

use crate::lexer::{Kind, Token};
use crate::tree::{File, Finding, Tree, texts};

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
    for extension in tree.rust().filter_map(module) {
        let named = (0..code.len()).any(|at| texts(&code[at..], &extension.tokens()));
        if !named {
            let message = format!("not listed in {LISTS}: {}", extension.modules.join("::"));
            findings.push(Finding::new(&extension.path, 0, message));
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

/// An extension: a folder with a `config.rs`.
struct Extension {
    path: String,
    /// Below the crate's root: `cors`, or `clusters` and `strict_dns`.
    modules: Vec<String>,
}

impl Extension {
    /// How the lists name it.
    fn tokens(&self) -> Vec<&str> {
        let mut tokens = Vec::new();
        for module in &self.modules {
            if !tokens.is_empty() {
                tokens.extend([":", ":"]);
            }
            tokens.push(module.as_str());
        }
        tokens
    }
}

fn module(file: &File) -> Option<Extension> {
    let inside = file
        .path
        .strip_prefix("extensions/")?
        .strip_suffix("/config.rs")?;
    let (_, modules) = inside.split_once("/src/")?;
    // What only other extensions use is no extension.
    let registered = file.shipped().iter().any(|token| {
        token.kind == Kind::Word && (token.text.ends_with("Extension") || token.text == "NAME")
    });
    registered.then(|| Extension {
        path: file.path.clone(),
        modules: modules.split('/').map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::found;

    const CONFIG: &str = "impl HttpFilterExtension for X {}";

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
        let listed = "static X: &[&dyn F] = &[&http_filters::cors::Cors];";
        for (path, text, good) in [
            ("extensions/http_filters/src/cors/config.rs", CONFIG, true),
            ("extensions/http_filters/src/fault/config.rs", CONFIG, false),
            (
                "extensions/http_filters/src/fault/config.rs",
                "fn helper() {}",
                true,
            ),
            ("extensions/http_filters/src/fault/filter.rs", CONFIG, true),
            (
                "extensions/upstream/src/clusters/dns/config.rs",
                CONFIG,
                false,
            ),
        ] {
            let found = found(check, &[(LISTS, listed), (path, text)]);
            assert_eq!(found.is_empty(), good, "{path}: {found:?}");
        }
    }
}
