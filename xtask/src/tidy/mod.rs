//! The structure checks: what STYLE.md promises and neither rustc nor clippy looks at.

pub mod edges;
pub mod guarded;
pub mod layers;
pub mod length;
pub mod prose;
pub mod registry;
pub mod words;

use crate::tree::{Finding, Tree};

/// Everything any check objects to, by file and line. `metadata` is what `cargo metadata` printed.
pub fn check(tree: &Tree, metadata: &str) -> Vec<Finding> {
    let mut findings = layers::check(tree, metadata);
    for check in [
        edges::check,
        guarded::check,
        length::check,
        prose::check,
        registry::check,
        words::check,
    ] {
        findings.extend(check(tree));
    }
    findings.sort();
    findings
}

/// What the tests of the checks share.
#[cfg(test)]
pub mod samples {
    use super::{Finding, Tree};

    /// The findings of one check over sample files.
    pub fn found(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Whether a check objects to one sample file.
    pub fn objects(check: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> bool {
        !found(check, &[(path, text)]).is_empty()
    }
}
