//! Known failures of a suite that is not ours: CI fails when the list and the outcome differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How a run of a suite and its list of known failures fit together.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// The run did not come to its end.
    pub broken: bool,
    /// Cases that failed and aren't listed.
    pub unexpected: Vec<String>,
    /// Cases that are listed and did not fail.
    pub recovered: Vec<String>,
}

impl Comparison {
    /// Compares `output`, lines of `FAIL CASE: …` and at the end `N passed, M failed`, with a list
    /// of one case a line. A case with `flaky` behind it may do either.
    pub fn of(output: &str, list: &str) -> Self {
        let first = |line| -> Option<&str> { str::split_whitespace(line).next() };
        let failed = output.lines().filter_map(|line| line.strip_prefix("FAIL "));
        let failed: BTreeSet<&str> = failed
            .filter_map(first)
            .map(|case| case.trim_end_matches(':'))
            .collect();
        let lines = list.lines().filter(|line| !line.starts_with('#'));
        let flaky = |line: &&str| line.split_whitespace().nth(1) == Some("flaky");
        let listed: BTreeSet<&str> = lines.clone().filter_map(first).collect();
        let steady: BTreeSet<&str> = lines.filter(|l| !flaky(l)).filter_map(first).collect();
        let owned = |case: &&str| (*case).to_owned();
        Self {
            broken: !output.lines().any(is_summary),
            unexpected: failed.difference(&listed).map(owned).collect(),
            recovered: steady.difference(&failed).map(owned).collect(),
        }
    }

    /// What to tell; nothing when they fit.
    pub fn complaint(&self) -> Option<String> {
        let mut text = String::new();
        if self.broken {
            return Some("the suite did not come to its end\n".to_owned());
        }
        for case in &self.unexpected {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{case} fails, and is not listed as known to");
        }
        for case in &self.recovered {
            let _ = writeln!(text, "{case} no longer fails: take it off the list");
        }
        (!text.is_empty()).then_some(text)
    }
}

fn is_summary(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words.as_slice(), [_, "passed,", _, "failed"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_to_fit_the_outcome() {
        let output =
            "FAIL  b: about b\nFAIL  c: about\nFAIL  f:\nby area: a 1/4\n1 passed, 3 failed";
        let comparison = Comparison::of(output, "# known\nb  not built\nd\nf  flaky\ng  flaky\n");
        assert_eq!(comparison.unexpected, ["c"]);
        assert_eq!(comparison.recovered, ["d"]);
        let complaint = "c fails, and is not listed as known to\n\
                         d no longer fails: take it off the list\n";
        assert_eq!(comparison.complaint().as_deref(), Some(complaint));
        assert_eq!(Comparison::of(output, "b\nc\nf\n").complaint(), None);
    }

    #[test]
    fn a_suite_that_broke_off_is_no_success() {
        let complaint = Comparison::of("FAIL  b: about b\nTraceback", "b\n").complaint();
        assert_eq!(
            complaint.as_deref(),
            Some("the suite did not come to its end\n")
        );
        assert!(Comparison::of("", "").complaint().is_some());
    }
}
