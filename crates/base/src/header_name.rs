//! Header names: known by number, or any other as interned lower-case text.

pub use crate::known_name::{Known, MessageKind, Repeats, names};
use std::fmt;
use std::sync::Arc;

/// Any header name, in lower case; what config names is made one once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderName(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Known(Known),
    Custom(Arc<str>),
}

impl HeaderName {
    /// Makes a name of any text by lower-casing it. Whether it is a valid name is the caller's
    /// question: see [`is_valid`](Self::is_valid).
    pub fn new(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        match Known::find(lower.as_bytes()) {
            Some(known) => Self(Repr::Known(known)),
            None => Self(Repr::Custom(lower.into())),
        }
    }

    /// Whether `name` is a token (RFC 9110 section 5.6.2), perhaps after a leading colon.
    pub fn is_valid(name: &str) -> bool {
        let token = name.strip_prefix(':').unwrap_or(name);
        !token.is_empty() && token.bytes().all(is_token)
    }

    /// The number of the name if it is a known one.
    pub fn known(&self) -> Option<Known> {
        match &self.0 {
            Repr::Known(known) => Some(*known),
            Repr::Custom(_) => None,
        }
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(known) => known.as_str(),
            Repr::Custom(text) => text,
        }
    }
}

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
pub const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

impl From<Known> for HeaderName {
    fn from(known: Known) -> Self {
        Self(Repr::Known(known))
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a header can be looked up by: a [`Known`], a [`HeaderName`] or lower-case text.
pub trait Key {
    /// The known number, or else the lower-case text.
    fn parts(&self) -> Result<Known, &[u8]>;
}

impl Key for Known {
    fn parts(&self) -> Result<Known, &[u8]> {
        Ok(*self)
    }
}

impl Key for &HeaderName {
    fn parts(&self) -> Result<Known, &[u8]> {
        match &self.0 {
            Repr::Known(known) => Ok(*known),
            Repr::Custom(text) => Err(text.as_bytes()),
        }
    }
}

impl Key for &[u8] {
    fn parts(&self) -> Result<Known, &[u8]> {
        Known::find(self).ok_or(self)
    }
}

/// Lower-case text that is known not to be a [`Known`] name: looked up by whoever has it.
#[derive(Clone, Copy, Debug)]
pub struct UnknownName<'a>(&'a [u8]);

impl<'a> UnknownName<'a> {
    /// A lower-case name of which somebody else found out that it is not known.
    pub fn known_unknown(lower: &'a [u8]) -> Self {
        debug_assert!(Known::find(lower).is_none());
        Self(lower)
    }

    /// Tells which of the two a lower-case name is, so that it is looked up once.
    pub fn of(lower: &'a [u8]) -> Result<Known, Self> {
        Known::find(lower).ok_or(Self(lower))
    }
}

impl Key for UnknownName<'_> {
    fn parts(&self) -> Result<Known, &[u8]> {
        Err(self.0)
    }
}

impl Key for &str {
    fn parts(&self) -> Result<Known, &[u8]> {
        Known::find(self.as_bytes()).ok_or(self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_validated() {
        assert_eq!(
            HeaderName::new("Content-Type").known(),
            Some(names::CONTENT_TYPE)
        );
        assert_eq!(HeaderName::new("X-Custom").as_str(), "x-custom");
        for (name, valid) in [
            ("x", true),
            (":path", true),
            ("", false),
            (":", false),
            ("a b", false),
        ] {
            assert_eq!(HeaderName::is_valid(name), valid, "{name:?}");
        }
    }
}
