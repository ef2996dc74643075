//! Patterns over the dot-separated tokens of a stat name.
//!
//! `*` is any one token, `**` any number of them (at the end: at least one), `$` the one that is
//! the tag's value; it goes from the name together with the dot after it, or before it when it is
//! last.

use std::ops::Range;

/// A compiled pattern.
pub(super) struct TokenPattern {
    parts: Vec<Part>,
}

enum Part {
    Literal(&'static str),
    One,
    Many,
    Value,
}

/// Where a name's tokens are.
pub(super) fn split(name: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    name.split('.')
        .map(|token| {
            let range = start..start + token.len();
            start = range.end + 1;
            range
        })
        .collect()
}

impl TokenPattern {
    pub(super) fn new(pattern: &'static str) -> Self {
        let parts = pattern.split('.').map(|part| match part {
            "*" => Part::One,
            "**" => Part::Many,
            "$" => Part::Value,
            literal => Part::Literal(literal),
        });
        Self {
            parts: parts.collect(),
        }
    }

    /// The first token, if the pattern says which.
    pub(super) fn first_literal(&self) -> Option<&'static str> {
        match self.parts.first() {
            Some(Part::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    /// Where the value is, and what is to be removed.
    pub(super) fn find(
        &self,
        name: &str,
        tokens: &[Range<usize>],
    ) -> Option<(Range<usize>, Range<usize>)> {
        let value = tokens[search(&self.parts, name, tokens, 0)??].clone();
        let cut = if value.end < name.len() {
            value.start..value.end + 1
        } else {
            value.start.saturating_sub(1)..value.end
        };
        Some((value, cut))
    }
}

/// Whether the parts match all tokens from `at` on, and if so, which token is the value.
fn search(parts: &[Part], name: &str, tokens: &[Range<usize>], at: usize) -> Option<Option<usize>> {
    let Some((part, rest)) = parts.split_first() else {
        return (at == tokens.len()).then_some(None);
    };
    match part {
        Part::Many if rest.is_empty() => (at < tokens.len()).then_some(None),
        Part::Many => (at..tokens.len()).find_map(|from| search(rest, name, tokens, from)),
        _ if at >= tokens.len() => None,
        Part::Literal(literal) if name[tokens[at].clone()] != **literal => None,
        Part::Literal(_) | Part::One => search(rest, name, tokens, at + 1),
        Part::Value => search(rest, name, tokens, at + 1).map(|_| Some(at)),
    }
}
