//! Query parameters of a `:path`, and `envoy.config.route.v3.QueryParameterMatcher` over them.
//!
//! Names and values are taken as they stand, not decoded, as Envoy's route matching does.

use crate::string::StringMatcher;
use std::borrow::Cow;

/// The parameters of a `:path` header's value, in order; a fragment is no part of them. A
/// parameter without `=` has an empty value.
pub fn parameters(target: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let query = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => &target[at + 1..],
        None => &[],
    };
    let end = query.iter().position(|byte| *byte == b'#');
    let query = &query[..end.unwrap_or(query.len())];
    query
        .split(|byte| *byte == b'&')
        .filter(|parameter| !parameter.is_empty())
        .map(
            |parameter| match parameter.iter().position(|byte| *byte == b'=') {
                Some(at) => (&parameter[..at], &parameter[at + 1..]),
                None => (parameter, &b""[..]),
            },
        )
}

/// The first value of a parameter.
pub fn first_value<'a>(target: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    parameters(target).find_map(|(found, value)| (found == name).then_some(value))
}

/// Percent-decoded; what is no escape stays as it is.
pub fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                let [high, low] = [high, low].map(|byte| digit(byte).unwrap_or_default() as u8);
                out.push(high << 4 | low);
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(out)
}

/// Matches one parameter of a query; of several with its name the first counts.
#[derive(Clone, Debug)]
pub struct QueryParameterMatcher {
    name: Box<[u8]>,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Value(StringMatcher),
    Present(bool),
}

impl QueryParameterMatcher {
    /// The parameter is there and its value matches.
    pub fn value(name: &str, matcher: StringMatcher) -> Self {
        Self::new(name, How::Value(matcher))
    }

    /// The parameter is there, or is not.
    pub fn present(name: &str, present: bool) -> Self {
        Self::new(name, How::Present(present))
    }

    fn new(name: &str, how: How) -> Self {
        Self {
            name: name.as_bytes().into(),
            how,
        }
    }

    /// Whether the query of `target`, a `:path` header's value, matches.
    pub fn matches(&self, target: &[u8]) -> bool {
        let value = first_value(target, &self.name);
        match &self.how {
            How::Value(matcher) => value.is_some_and(|value| matcher.matches(value)),
            How::Present(present) => value.is_some() == *present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_split_and_not_decoded() {
        let text = |target: &str| {
            parameters(target.as_bytes())
                .map(|(name, value)| {
                    format!(
                        "{}:{}",
                        String::from_utf8_lossy(name),
                        String::from_utf8_lossy(value)
                    )
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(text("/p?a=1%202&b&c=&a=x=y"), "a:1%202 b: c: a:x=y");
        assert_eq!(text("/p?a#b=1"), "a:");
        assert_eq!(text("/p"), "");
        assert_eq!(text("/p?"), "");
    }

    #[test]
    fn the_first_value_counts() {
        let prefix = QueryParameterMatcher::value("a", StringMatcher::prefix("z", true));
        for (target, yes) in [
            ("/?a=Zed", true),
            ("/?a=x&a=zed", false),
            ("/?a=zed&a=x", true),
            ("/?A=zed", false),
            ("/", false),
        ] {
            assert_eq!(prefix.matches(target.as_bytes()), yes, "{target}");
        }
        assert!(QueryParameterMatcher::present("a", true).matches(b"/?a"));
        assert!(QueryParameterMatcher::present("a", false).matches(b"/?b"));
    }
}
