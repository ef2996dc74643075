//! Lists of exceptions: text files of lines `KEY  REASON`, that may not go stale.

use crate::tree::{Finding, Tree};
use std::cell::Cell;

/// One exception.
pub struct Entry {
    /// What it is about: a path, or a path and a name.
    pub key: String,
    /// Why it is allowed, or how far.
    pub value: String,
    line: usize,
    used: Cell<bool>,
}

/// A list of exceptions.
pub struct List {
    path: String,
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

impl List {
    /// Reads the list at `path`; keys and values stand apart by two spaces or more.
    pub fn of(tree: &Tree, path: &str) -> Self {
        let text = tree.file(path).map_or("", |file| file.text.as_str());
        let entries = text.lines().zip(1..).filter(|(text, _)| is_entry(text));
        let entries = entries.map(|(text, line)| {
            let (key, value) = text.split_once("  ").unwrap_or((text, ""));
            Entry {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line,
                used: Cell::new(false),
            }
        });
        Self {
            path: path.to_owned(),
            entries: entries.collect(),
        }
    }

    /// The exception for `key`; it counts as used.
    pub fn find(&self, key: &str) -> Option<&Entry> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        entry.used.set(true);
        Some(entry)
    }

    /// Findings: entries that nothing used, without a value, or out of order.
    pub fn stale(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut previous = "";
        for entry in &self.entries {
            let mut find = |message: &str| {
                let message = format!("`{}` {message}", entry.key);
                findings.push(Finding::new(&self.path, entry.line, message));
            };
            if !entry.used.get() {
                find("is no longer needed here: take the line out");
            }
            if entry.value.is_empty() {
                find("needs a reason, two spaces behind it");
            }
            if entry.key.as_str() <= previous {
                find("is out of order, or there twice");
            }
            previous = &entry.key;
        }
        findings
    }
}

fn is_entry(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_not_go_stale() {
        let text = "# about\n\na.rs  reason\nc.rs  reason\nb.rs\n";
        let list = List::of(&Tree::of(&[("list.txt", text)]), "list.txt");
        assert_eq!(
            list.find("a.rs").map(|entry| entry.value.as_str()),
            Some("reason")
        );
        assert!(list.find("b.rs").is_some());
        assert!(list.find("x.rs").is_none());
        let stale: Vec<String> = list.stale().iter().map(ToString::to_string).collect();
        assert_eq!(
            stale,
            [
                "list.txt:4: `c.rs` is no longer needed here: take the line out",
                "list.txt:5: `b.rs` needs a reason, two spaces behind it",
                "list.txt:5: `b.rs` is out of order, or there twice",
            ]
        );
    }
}
