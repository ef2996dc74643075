//! Cookies of a request, and `envoy.config.route.v3.CookieMatcher` over them.

use crate::string::StringMatcher;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::names;

/// The cookies of all `cookie` headers, in order, split as Envoy splits them: spaces before a name
/// are no part of it, others are, and quotes around a whole value are left out.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(names::COOKIE)
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(|cookie| {
            let start = cookie.iter().position(|byte| *byte != b' ')?;
            let cookie = &cookie[start..];
            let at = cookie.iter().position(|byte| *byte == b'=')?;
            let value = &cookie[at + 1..];
            let unquoted = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""));
            Some((&cookie[..at], unquoted.unwrap_or(value)))
        })
}

/// The first cookie of this name.
pub fn first_cookie<'a>(headers: &'a HeaderMap, name: &[u8]) -> Option<&'a [u8]> {
    cookies(headers).find_map(|(found, value)| (found == name).then_some(value))
}

/// A `set-cookie` header's value for a cookie that only servers may read. `max_age` is in seconds;
/// 0, and an empty path, are left out, and of an attribute without a value all but its name.
pub fn set_cookie_value(
    name: &str,
    value: &str,
    max_age: u64,
    path: &str,
    attributes: &[(String, String)],
) -> Vec<u8> {
    let mut text = format!("{name}=\"{value}\"");
    if max_age > 0 {
        text.push_str(&format!("; Max-Age={max_age}"));
    }
    if !path.is_empty() {
        text.push_str("; Path=");
        text.push_str(path);
    }
    for (name, value) in attributes {
        text.push_str("; ");
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
    }
    text.push_str("; HttpOnly");
    text.into_bytes()
}

/// Matches one cookie; of several with its name the first counts.
#[derive(Clone, Debug)]
pub struct CookieMatcher {
    name: Box<[u8]>,
    matcher: StringMatcher,
    invert: bool,
}

impl CookieMatcher {
    /// Matches where the cookie is there and `matcher` matches its value; `invert` turns the
    /// answer.
    pub fn new(name: &str, matcher: StringMatcher, invert: bool) -> Self {
        Self {
            name: name.as_bytes().into(),
            matcher,
            invert,
        }
    }

    /// Whether the request's cookies match.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        let matched =
            first_cookie(headers, &self.name).is_some_and(|value| self.matcher.matches(value));
        matched != self.invert
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_all_lines() {
        let headers = HeaderMap::from_iter([
            (
                "cookie",
                "a=1; b=\"two\"; odd; =x; d=\"; s= 1;e =5;f=\"6\" ",
            ),
            ("cookie", "  c=3;a=4;\tg=7"),
        ]);
        let found = |name: &str| {
            first_cookie(&headers, name.as_bytes())
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("two")),
            ("c", Some("3")),
            ("d", Some("\"")),
            ("s", Some(" 1")),
            ("e", None),
            ("e ", Some("5")),
            ("f", Some("\"6\" ")),
            ("g", None),
            ("odd", None),
        ] {
            assert_eq!(found(name).as_deref(), value, "{name}");
        }
        let not_two = CookieMatcher::new("b", StringMatcher::exact("two", false), true);
        assert!(!not_two.matches(&headers) && not_two.matches(&HeaderMap::new()));
    }
}
