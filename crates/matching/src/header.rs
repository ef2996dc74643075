//! `envoy.config.route.v3.HeaderMatcher`: does a header match?

use crate::range::{IntRange, parse_int};
use crate::string::StringMatcher;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, names};

/// What is asked of a header.
#[derive(Clone, Debug)]
pub enum HeaderMatch {
    /// A value matches. The deprecated `exact_match` and its like are this too.
    Value(StringMatcher),
    /// A value is a whole number in this range.
    Range(IntRange),
    /// The header is there, or is not.
    Present(bool),
}

/// Matches one header of a message.
///
/// Of several headers of the name each is looked at by itself and one that matches is enough, as
/// Envoy does since `match_headers_individually`. Where there is none, nothing matches and
/// `invert` changes nothing, unless a missing header counts as an empty one.
#[derive(Clone, Debug)]
pub struct HeaderMatcher {
    name: HeaderName,
    what: HeaderMatch,
    invert: bool,
    missing_is_empty: bool,
}

impl HeaderMatcher {
    /// Matches the header `name`; `host` means `:authority`, as everywhere in Envoy.
    pub fn new(name: &str, what: HeaderMatch) -> Self {
        let mut name = HeaderName::new(name);
        if name.known() == Some(names::HOST) {
            name = names::AUTHORITY.into();
        }
        Self {
            name,
            what,
            invert: false,
            missing_is_empty: false,
        }
    }

    /// Turns the answer (`invert_match`).
    #[must_use]
    pub fn inverted(mut self, invert: bool) -> Self {
        self.invert = invert;
        self
    }

    /// A missing header counts as an empty one (`treat_missing_header_as_empty`).
    #[must_use]
    pub fn missing_as_empty(mut self, missing_is_empty: bool) -> Self {
        self.missing_is_empty = missing_is_empty;
        self
    }

    /// The name of the header asked for.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Whether the message's headers match.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        if let HeaderMatch::Present(present) = self.what {
            let is_there = self.missing_is_empty || headers.contains(&self.name);
            return (is_there == present) != self.invert;
        }
        let mut values = headers.get_all(&self.name).peekable();
        if values.peek().is_none() {
            return self.missing_is_empty && self.value_matches(b"") != self.invert;
        }
        values.any(|value| self.value_matches(value)) != self.invert
    }

    fn value_matches(&self, value: &[u8]) -> bool {
        match &self.what {
            HeaderMatch::Value(matcher) => matcher.matches(value),
            HeaderMatch::Range(range) => {
                parse_int(value).is_some_and(|number| range.contains(number))
            }
            HeaderMatch::Present(present) => *present,
        }
    }
}

/// Whether all of `matchers` match.
pub fn all_match(matchers: &[HeaderMatcher], headers: &HeaderMap) -> bool {
    matchers.iter().all(|matcher| matcher.matches(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(name: &str, value: &str) -> HeaderMatcher {
        HeaderMatcher::new(name, HeaderMatch::Value(StringMatcher::exact(value, false)))
    }

    fn range(name: &str, start: i64, end: i64) -> HeaderMatcher {
        HeaderMatcher::new(name, HeaderMatch::Range(IntRange { start, end }))
    }

    fn present(name: &str, present: bool) -> HeaderMatcher {
        HeaderMatcher::new(name, HeaderMatch::Present(present))
    }

    // Each answer is what Envoy 1.40.0 gave to the same matcher and headers.
    #[test]
    fn as_envoy_answers() {
        let headers = HeaderMap::from_iter([
            (":authority", "h.test"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("accept", "1,2"),
        ]);
        let cases = [
            (exact("x-a", "1,2"), false),
            (exact("x-a", "1"), true),
            (exact("X-A", "2"), true),
            (exact("x-a", "1").inverted(true), false),
            (exact("x-a", "3").inverted(true), true),
            (exact("x-no", "3").inverted(true), false),
            (
                exact("x-no", "3").inverted(true).missing_as_empty(true),
                true,
            ),
            (exact("x-no", "").missing_as_empty(true), true),
            (exact("x-no", ""), false),
            (exact("accept", "1,2"), true),
            (exact("accept", "1"), false),
            (exact("host", "h.test"), true),
            (range("x-a", 2, 3), true),
            (range("x-no", 0, 3).missing_as_empty(true), false),
            (range("x-no", 0, 3).inverted(true), false),
            (present("x-no", false), true),
            (present("x-a", false), false),
            (present("x-no", true).inverted(true), true),
            (present("x-a", true).inverted(true), false),
            (present("x-no", true).missing_as_empty(true), true),
            (present("x-no", false).missing_as_empty(true), false),
            (
                present("x-no", true).missing_as_empty(true).inverted(true),
                false,
            ),
        ];
        for (matcher, answer) in cases {
            assert_eq!(matcher.matches(&headers), answer, "{matcher:?}");
        }
    }
}
