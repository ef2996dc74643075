//! `envoy.type.matcher.v3.PathMatcher`: a string matcher over a path without query and fragment.

use crate::string::StringMatcher;

/// Matches the path of a `:path` header.
#[derive(Clone, Debug)]
pub struct PathMatcher(StringMatcher);

impl PathMatcher {
    /// Matches where `matcher` matches the path alone.
    pub fn new(matcher: StringMatcher) -> Self {
        Self(matcher)
    }

    /// Whether the path in `target`, a `:path` header's value, matches.
    pub fn matches(&self, target: &[u8]) -> bool {
        self.0.matches(without_query(target))
    }

    /// The same, of the path without parameters.
    pub fn matches_without_parameters(&self, target: &[u8]) -> bool {
        let path = without_query(target);
        match path.contains(&b';') {
            true => self.0.matches(&without_parameters(path)),
            false => self.0.matches(path),
        }
    }
}

/// A `:path` header's value up to its query or fragment.
pub fn without_query(target: &[u8]) -> &[u8] {
    split_path(target).0
}

/// A `:path` header's value as path and the rest, which begins with `?` or `#` if there is one.
pub fn split_path(target: &[u8]) -> (&[u8], &[u8]) {
    let end = target
        .iter()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .unwrap_or(target.len());
    target.split_at(end)
}

/// A path whose segments end before their parameters (`;` and what follows).
pub fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut stripped = Vec::with_capacity(path.len());
    let mut is_parameter = false;
    for byte in path {
        match byte {
            b'/' => is_parameter = false,
            b';' => is_parameter = true,
            _ => {}
        }
        if !is_parameter {
            stripped.push(*byte);
        }
    }
    stripped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_fragment_are_no_part_of_the_path() {
        for (target, path) in [
            ("/a?b#c", "/a"),
            ("/a#b?c", "/a"),
            ("/a", "/a"),
            ("", ""),
            ("?", ""),
        ] {
            assert_eq!(
                without_query(target.as_bytes()),
                path.as_bytes(),
                "{target}"
            );
        }
        let matcher = PathMatcher::new(StringMatcher::exact("/a", false));
        assert!(matcher.matches(b"/a?x") && !matcher.matches(b"/ab"));
    }
}
