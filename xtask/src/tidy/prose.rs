//! What is written for readers: every module says what it is for, and nothing is left for later.

use crate::lexer::{Kind, tokens};
use crate::tree::{File, Finding, Tree};

/// Notes to self; work that is left belongs into an issue.
const MARKERS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Objects to modules without a doc line, and to notes to self.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let first = file
            .text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        if first
            .strip_prefix("//!")
            .is_none_or(|doc| doc.trim().len() < 10)
        {
            let message = "begin with a line `//!` that says what the module is for";
            findings.push(Finding::new(&file.path, 1, message));
        }
        findings.extend(markers(file));
    }
    findings
}

fn markers(file: &File) -> Vec<Finding> {
    let comments = tokens(&file.text)
        .into_iter()
        .filter(|token| token.kind == Kind::Comment);
    let mut findings = Vec::new();
    for comment in comments {
        for (line, number) in comment.text.lines().zip(comment.line..) {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if let Some(word) = words.find(|word| MARKERS.contains(word)) {
                let message = format!("{word}: do it now, or write an issue");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::{found, objects};

    #[test]
    fn modules_say_what_they_are_for() {
        for (text, good) in [
            ("//! Says what it is for.\nfn a() {}", true),
            ("\n//! Says what it is for.", true),
            ("//!\n//! Says what it is for.", false),
            ("//! Short", false),
            ("// Says what it is for.", false),
            ("use a;\n//! Says what it is for.", false),
            ("", false),
        ] {
            assert_eq!(!objects(check, "crates/a/src/b.rs", text), good, "{text:?}");
        }
    }

    #[test]
    fn notes_to_self_are_found() {
        let doc = "//! Says what it is for.\n";
        for (text, good) in [
            ("// TODO: later", false),
            ("/*\n FIXME(me) */", false),
            ("a(); // x XXX y", false),
            ("// x-XXXX todo", true),
            ("a(\"TODO\")", true),
        ] {
            let text = format!("{doc}{text}");
            assert_eq!(
                !objects(check, "crates/a/src/b.rs", &text),
                good,
                "{text:?}"
            );
        }
        let text = format!("{doc}/*\n\nTODO */");
        let expected = "crates/a/src/b.rs:4: TODO: do it now, or write an issue";
        assert_eq!(found(check, &[("crates/a/src/b.rs", &text)]), [expected]);
    }
}
