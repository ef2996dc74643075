//! What needs a reason wherever it is used: `unsafe`, and locks in the data plane.

use crate::lexer::Kind;
use crate::list::List;
use crate::tree::{Finding, Tree};

/// Files that may be unsafe, each with its reason.
const UNSAFE: &str = "xtask/lists/unsafe.txt";

/// Files of the data plane that may lock, each with its reason.
const LOCKS: &str = "xtask/lists/locks.txt";

/// The crates of which a request passes the code.
const HOT: [&str; 14] = [
    "crates/base/",
    "crates/codec/",
    "crates/http/",
    "crates/listener/",
    "crates/matching/",
    "crates/net/",
    "crates/observe/",
    "crates/route/",
    "crates/router/",
    "crates/stats/",
    "crates/stream_info/",
    "crates/upstream/",
    "crates/worker/",
    "extensions/",
];

/// Objects to `unsafe` and to locks in files that no list names.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let (unsafety, locks) = (List::of(tree, UNSAFE), List::of(tree, LOCKS));
    let mut findings = Vec::new();
    for file in tree.rust() {
        let hot = HOT.iter().any(|folder| file.path.starts_with(folder)) && !file.is_test();
        let code = file.code();
        let unsafe_word = code
            .iter()
            .find(|t| t.kind == Kind::Word && t.text == "unsafe");
        if let Some(word) = unsafe_word
            && unsafety.find(&file.path).is_none()
        {
            let message = format!("unsafe: do without, or say in {UNSAFE} why it has to be");
            findings.push(Finding::new(&file.path, word.line, message));
        }
        let shipped = if hot { file.shipped() } else { Vec::new() };
        let lock = shipped
            .iter()
            .find(|token| matches!(token.text, "Mutex" | "RwLock"));
        if let Some(word) = lock
            && locks.find(&file.path).is_none()
        {
            let message = format!(
                "{} in the data plane: hand values over by message (nuncio_worker), or say in \
                 {LOCKS} why no request waits for it",
                word.text
            );
            findings.push(Finding::new(&file.path, word.line, message));
        }
    }
    findings.extend(unsafety.stale());
    findings.extend(locks.stale());
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::{found, objects};

    #[test]
    fn unsafe_and_locks_need_an_entry() {
        for (path, text, good) in [
            ("crates/base/src/a.rs", "fn a() { unsafe { b() } }", false),
            (
                "crates/base/src/a.rs",
                "fn a() { \"unsafe\" } // unsafe",
                true,
            ),
            (
                "crates/base/src/a.rs",
                "#![deny(unsafe_op_in_unsafe_fn)]",
                true,
            ),
            ("benches/src/a.rs", "unsafe fn a() {}", false),
            ("crates/http/src/a.rs", "use std::sync::Mutex;", false),
            ("crates/http/src/a.rs", "a: std::sync::RwLock<u8>", false),
            (
                "crates/http/src/a.rs",
                "#[cfg(test)] mod tests { use std::sync::Mutex; }",
                true,
            ),
            ("crates/http/src/tests.rs", "use std::sync::Mutex;", true),
            ("crates/server/src/a.rs", "use std::sync::Mutex;", true),
        ] {
            assert_eq!(!objects(check, path, text), good, "{path}: {text}");
        }
    }

    #[test]
    fn an_entry_allows_its_file_and_no_other() {
        let lists = [
            (UNSAFE, "crates/base/src/a.rs  why"),
            (LOCKS, "crates/base/src/b.rs  why"),
        ];
        let good = [
            ("crates/base/src/a.rs", "unsafe"),
            ("crates/base/src/b.rs", "Mutex"),
        ];
        assert!(found(check, &[lists[0], lists[1], good[0], good[1]]).is_empty());
        let bad = [
            ("crates/base/src/a.rs", "Mutex"),
            ("crates/base/src/b.rs", "unsafe"),
        ];
        assert_eq!(found(check, &[lists[0], lists[1], bad[0], bad[1]]).len(), 4);
    }
}
