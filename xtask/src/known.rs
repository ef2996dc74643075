//! Known failures of a suite that is not ours: CI fails when the list and the outcome differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How a run of the suite and its list of known failures fit together.
#[derive(PartialEq, Eq, Debug)]
pub struct Comparison {
    /// Cases that failed and aren't listed.
    pub unexpected: Vec<String>,
    /// Cases that are listed and passed.
    pub recovered: Vec<String>,
    /// Cases that are listed and did not run.
    pub missing: Vec<String>,
}

impl Comparison {
    /// Compares `output`, lines of `ok CASE` and `FAIL CASE: …`, with a list of one case a line.
    pub fn of(output: &str, list: &str) -> Self {
        let cases = |word: &str| -> BTreeSet<&str> {
            let lines = output.lines().filter_map(|line| line.strip_prefix(word));
            lines
                .filter(|rest| rest.starts_with(' '))
                .filter_map(case)
                .collect()
        };
        let (passed, failed) = (cases("ok"), cases("FAIL"));
        let listed = list.lines().filter(|line| !line.starts_with('#'));
        let listed: BTreeSet<&str> = listed.filter_map(case).collect();
        let owned = |cases: Vec<&&str>| cases.into_iter().map(|case| (*case).to_owned()).collect();
        let ran = |case: &&&str| passed.contains(**case) || failed.contains(**case);
        Self {
            unexpected: owned(failed.difference(&listed).collect()),
            recovered: owned(listed.intersection(&passed).collect()),
            missing: owned(listed.iter().filter(|case| !ran(case)).collect()),
        }
    }

    /// What to tell; nothing when they fit. Listed cases that did not run are nobody's fault when
    /// only a part of the suite was asked for.
    pub fn complaint(&self) -> Option<String> {
        let mut text = String::new();
        for case in &self.unexpected {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{case} fails, and is not listed as known to");
        }
        for case in &self.recovered {
            let _ = writeln!(text, "{case} passes: take it off the list");
        }
        (!text.is_empty()).then_some(text)
    }
}

fn case(line: &str) -> Option<&str> {
    line.split_whitespace()
        .next()
        .map(|name| name.trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_to_fit_the_outcome() {
        let output = "ok    a\nFAIL  b: about b\nFAIL  c: about\n  ok but no case\nok    d\n";
        let comparison = Comparison::of(output, "# known\nb  not built\nd\ne\n");
        assert_eq!(comparison.unexpected, ["c"]);
        assert_eq!(comparison.recovered, ["d"]);
        assert_eq!(comparison.missing, ["e"]);
        let complaint = "c fails, and is not listed as known to\nd passes: take it off the list\n";
        assert_eq!(comparison.complaint().as_deref(), Some(complaint));
        assert_eq!(Comparison::of(output, "b\nc\n").complaint(), None);
    }
}
