//! `envoy.type.matcher.v3.StringMatcher`: does a text match?

use crate::error::InvalidMatcher;
use crate::regex::Regex;

/// Matches a text. Texts are bytes: header values need not be UTF-8.
#[derive(Clone, Debug)]
pub struct StringMatcher {
    pattern: Pattern,
    /// ASCII case is ignored; the pattern's text is lower case then. Regexes take no notice.
    ignore_case: bool,
}

#[derive(Clone, Debug)]
enum Pattern {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Contains(Box<[u8]>),
    Regex(Regex),
}

impl From<Regex> for StringMatcher {
    /// The whole text matches it.
    fn from(regex: Regex) -> Self {
        Self {
            pattern: Pattern::Regex(regex),
            ignore_case: false,
        }
    }
}

impl StringMatcher {
    /// The whole text is this.
    pub fn exact(text: &str, ignore_case: bool) -> Self {
        Self::of(Pattern::Exact, text, ignore_case)
    }

    /// The text begins so.
    pub fn prefix(text: &str, ignore_case: bool) -> Self {
        Self::of(Pattern::Prefix, text, ignore_case)
    }

    /// The text ends so.
    pub fn suffix(text: &str, ignore_case: bool) -> Self {
        Self::of(Pattern::Suffix, text, ignore_case)
    }

    /// The text has this in it.
    pub fn contains(text: &str, ignore_case: bool) -> Self {
        Self::of(Pattern::Contains, text, ignore_case)
    }

    /// The whole text matches a regex in RE2's syntax.
    ///
    /// # Errors
    /// Where the regex is none, with RE2's words.
    pub fn regex(pattern: &str) -> Result<Self, InvalidMatcher> {
        Regex::new(pattern).map(Self::from)
    }

    fn of(kind: fn(Box<[u8]>) -> Pattern, text: &str, ignore_case: bool) -> Self {
        let text = if ignore_case {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        };
        Self {
            pattern: kind(text.into_bytes().into()),
            ignore_case,
        }
    }

    /// Whether `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.pattern {
            Pattern::Exact(exact) => self.same(text, exact),
            Pattern::Prefix(prefix) => text
                .get(..prefix.len())
                .is_some_and(|head| self.same(head, prefix)),
            Pattern::Suffix(suffix) => text
                .len()
                .checked_sub(suffix.len())
                .is_some_and(|at| self.same(&text[at..], suffix)),
            Pattern::Contains(part) => {
                part.is_empty() || text.windows(part.len()).any(|at| self.same(at, part))
            }
            Pattern::Regex(regex) => regex.is_full_match(text),
        }
    }

    /// The text that is matched whole, where that is all this matcher asks; for indexes.
    pub fn as_exact(&self) -> Option<&[u8]> {
        match &self.pattern {
            Pattern::Exact(exact) if !self.ignore_case => Some(exact),
            _ => None,
        }
    }

    fn same(&self, text: &[u8], pattern: &[u8]) -> bool {
        if self.ignore_case {
            text.eq_ignore_ascii_case(pattern)
        } else {
            text == pattern
        }
    }
}

/// `envoy.type.matcher.v3.ListStringMatcher`: any of these.
#[derive(Clone, Debug)]
pub struct ListStringMatcher(Box<[StringMatcher]>);

impl ListStringMatcher {
    /// Matches where one of `patterns` does.
    pub fn new(patterns: Vec<StringMatcher>) -> Self {
        Self(patterns.into())
    }

    /// Whether one of the patterns matches `text`.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind() {
        let regex = |pattern| StringMatcher::regex(pattern).unwrap();
        let cases = [
            (StringMatcher::exact("Ab", false), "Ab", "ab Abc A"),
            (StringMatcher::exact("Ab", true), "Ab aB ab", "abc a"),
            (StringMatcher::prefix("Ab", false), "Ab Abc", "abc A xAb"),
            (StringMatcher::prefix("Ab", true), "Ab abC", "A xab"),
            (StringMatcher::suffix("Ab", false), "Ab xAb", "xab b Abx"),
            (StringMatcher::suffix("Ab", true), "ab xAB", "b abx"),
            (StringMatcher::contains("Ab", false), "Ab xAby", "xaby A"),
            (StringMatcher::contains("Ab", true), "ab xaBy", "a b"),
            (regex("a|ab"), "a ab", "abc xa"),
            (regex("r[0-9]{2}"), "r12", "r123 r1"),
        ];
        for (matcher, yes, no) in cases {
            for text in yes.split(' ') {
                assert!(matcher.matches(text.as_bytes()), "{matcher:?} {text}");
            }
            for text in no.split(' ') {
                assert!(!matcher.matches(text.as_bytes()), "{matcher:?} {text}");
            }
        }
    }

    #[test]
    fn a_list_matches_where_one_does() {
        let list = ListStringMatcher::new(vec![
            StringMatcher::exact("a", false),
            StringMatcher::prefix("b", false),
        ]);
        assert!(list.matches(b"a") && list.matches(b"bc") && !list.matches(b"c"));
    }
}
