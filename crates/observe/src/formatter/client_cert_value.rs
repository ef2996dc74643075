//! `%XFCC_VALUE(key)%`: what `x-forwarded-client-cert` says of a client's certificate.
//!
//! The header has an element for each client, with commas between them, and an element has
//! `Key=value` pairs with semicolons between them. Either may stand in a quoted value.

use super::error::FormatError;
use nuncio_base::{HeaderMap, names};

/// A key that elements can have, in lower case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(&'static str);

const KEYS: [&str; 7] = ["by", "cert", "chain", "dns", "hash", "subject", "uri"];

impl Key {
    pub(super) fn parse(params: &str) -> Result<Self, FormatError> {
        if params.is_empty() {
            return Err(FormatError::new("XFCC_VALUE command requires a subcommand"));
        }
        let wanted = params.to_ascii_lowercase();
        let known = KEYS.iter().find(|key| **key == wanted);
        known.map(|key| Self(key)).ok_or_else(|| {
            FormatError::new(format!(
                "XFCC_VALUE command does not support subcommand: {wanted}"
            ))
        })
    }

    /// Appends the first value under this key, if there is one.
    pub(super) fn write(self, headers: &HeaderMap, out: &mut Vec<u8>) -> bool {
        let header = headers.get(names::X_FORWARDED_CLIENT_CERT);
        let mut elements = header
            .into_iter()
            .flat_map(|header| Parts::new(header, b','));
        elements.any(|element| match element {
            Ok(element) => self.write_from(element, out),
            // A quote that doesn't end hides what stands behind it, and its own element.
            Err(Unclosed) => false,
        })
    }

    fn write_from(self, element: &[u8], out: &mut Vec<u8>) -> bool {
        for pair in Parts::new(element, b';').flatten() {
            let equals = pair.iter().position(|byte| *byte == b'=');
            let (key, value) = match equals {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            if key.trim_ascii().eq_ignore_ascii_case(self.0.as_bytes()) {
                write_value(value.trim_ascii(), out);
                return true;
            }
        }
        false
    }
}

/// Without quotes around it, and without the backslashes before quotes and backslashes.
fn write_value(value: &[u8], out: &mut Vec<u8>) {
    let value = match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    };
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = bytes.next_if(|next| byte == b'\\' && matches!(next, b'"' | b'\\'));
        out.push(escaped.unwrap_or(byte));
    }
}

/// What stands between separators, except for those in quotes.
struct Parts<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

/// A part whose last quote doesn't end.
struct Unclosed;

impl<'a> Parts<'a> {
    fn new(text: &'a [u8], separator: u8) -> Self {
        let rest = Some(text);
        Self { rest, separator }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<&'a [u8], Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        let (mut quoted, mut escaped) = (false, false);
        for (at, &byte) in text.iter().enumerate() {
            if byte == b'"' && !escaped {
                quoted = !quoted;
            } else if byte == self.separator && !quoted {
                self.rest = Some(&text[at + 1..]);
                return Some(Ok(&text[..at]));
            }
            escaped = byte == b'\\' && !escaped;
        }
        Some(if quoted { Err(Unclosed) } else { Ok(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_envoy_finds_them() {
        for (header, hash, uri) in [
            (
                r#"By=spiffe://a;Hash=abc;URI=b;DNS=x;Subject="CN=a,O=b;c""#,
                Some("abc"),
                Some("b"),
            ),
            ("By=first;URI=one,URI=two;Hash=h2", Some("h2"), Some("one")),
            ("garbage", None, None),
            (r#"URI="quo\"ted""#, None, Some("quo\"ted")),
            (" URI = sp ; Hash = h ", Some("h"), Some("sp")),
            ("URI=;Hash", Some(""), Some("")),
            ("uRi=a=b;Hash=\"\"", Some(""), Some("a=b")),
            (r#"URI="unterminated;Hash=h"#, None, None),
            (r#"URI=a,Hash="b"#, None, Some("a")),
            (r#"Hash=z;URI=""#, None, None),
            (r#"URI=a\,b,URI=c"#, None, Some("a\\")),
            (r#"URI="a\\b";Hash="c\d""#, Some("c\\d"), Some("a\\b")),
            (r#"URI=a\"b;Hash=z"#, Some("z"), Some("a\"b")),
            (r#"URI=a"b;c"d;Hash=z"#, Some("z"), Some("a\"b;c\"d")),
            (r#"URI="a"b;Hash=z"#, Some("z"), Some("\"a\"b")),
            (r#"URI="";Hash=" z ""#, Some(" z "), Some("")),
            (r#""URI"=a;Hash"#, Some(""), None),
            (r#"URI="a\\\"b";Hash=""x"""#, Some("\"x\""), Some("a\\\"b")),
            (",;;URI=c;URI=d", None, Some("c")),
        ] {
            let headers = HeaderMap::from_iter([("x-forwarded-client-cert", header)]);
            for (key, expected) in [("Hash", hash), ("URI", uri)] {
                let mut out = Vec::new();
                let found = Key::parse(key).unwrap().write(&headers, &mut out);
                let found = found.then(|| String::from_utf8(out).unwrap());
                assert_eq!(found.as_deref(), expected, "{key} of {header}");
            }
        }
    }
}
