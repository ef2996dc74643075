//! A request to the admin, taken apart.

use std::borrow::Cow;

/// A request, whole.
#[derive(Clone, Copy, Debug)]
pub struct AdminRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The `:path`.
    pub path_and_query: &'a str,
    /// The `content-type`, empty for none: forms may stand in the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// A path and query, with repeated slashes merged as the admin's connection manager does.
pub(crate) struct Target<'a> {
    text: Cow<'a, str>,
    path_end: usize,
}

impl<'a> Target<'a> {
    pub fn of(path_and_query: &'a str) -> Self {
        let text = path_and_query.split('#').next().unwrap_or_default();
        let end = text.find('?').unwrap_or(text.len());
        let (path, query) = text.split_at(end);
        if !path.contains("//") {
            return Self {
                text: Cow::Borrowed(text),
                path_end: end,
            };
        }
        // As Envoy merges them: a path of nothing but slashes keeps its first and its last.
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut merged = format!("/{}", parts.join("/"));
        if path.ends_with('/') {
            merged.push('/');
        }
        let path_end = merged.len();
        merged.push_str(query);
        Self {
            text: Cow::Owned(merged),
            path_end,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn path(&self) -> &str {
        &self.text[..self.path_end]
    }

    /// What follows the question mark.
    pub fn query(&self) -> &str {
        self.text[self.path_end..].trim_start_matches('?')
    }
}

/// The parameters of a query or a form, decoded, in order; one without `=` has an empty value.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Decodes `%41`; what is no such escape stands for itself.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, path, query) in [
            ("/ready", "/ready", ""),
            ("//stats?a=//b", "/stats", "a=//b"),
            ("///ready", "/ready", ""),
            ("//", "//", ""),
            ("/", "/", ""),
            ("/ready//", "/ready/", ""),
            ("/ready#x?y", "/ready", ""),
            ("/ready?", "/ready", ""),
            ("", "", ""),
        ] {
            let target = Target::of(text);
            assert_eq!((target.path(), target.query()), (path, query), "{text}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let decoded = parameters("a=%20b&c&&=d&e=f=g&h=%4&i=%zz+%+1");
        let expected = [
            ("a", " b"),
            ("c", ""),
            ("", "d"),
            ("e", "f=g"),
            ("h", "%4"),
            ("i", "%zz+%+1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(decoded, expected);
    }
}
