//! Makes text from a config (cluster names, addresses) fit to be part of a stat name.

use std::borrow::Cow;

/// Strips dots at both ends and replaces `://`, `:/`, `:` and NUL by `_`, as Envoy does.
pub(crate) fn stat_name(text: &str) -> Cow<'_, str> {
    let trimmed = text.strip_suffix('.').unwrap_or(text);
    let trimmed = trimmed.strip_prefix('.').unwrap_or(trimmed);
    if !trimmed.bytes().any(|byte| matches!(byte, b':' | 0)) {
        return trimmed.into();
    }
    let mut name = trimmed.replace("://", "_").replace(":/", "_");
    if name.contains([':', '\0']) {
        name = name.replace([':', '\0'], "_");
    }
    name.into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_sanitized_as_envoy_does() {
        let cases = [
            ("a", "a"),
            ("a.b", "a.b"),
            ("a.", "a"),
            (".a", "a"),
            ("..a..", ".a."),
            ("c:olon", "c_olon"),
            ("http://x:80/p", "http_x_80/p"),
            ("x:/y", "x_y"),
            ("[::1]:80", "[__1]_80"),
            ("nul\0", "nul_"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(super::stat_name(text), expected, "{text:?}");
        }
    }
}
