//! The keys of scoped routes: several route tables, of which a request's headers choose one
//! (Envoy's "Scoped RDS", `ScopedRoutes`).

use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::HeaderName;

/// How one fragment of a key is read from a header (`HeaderValueExtractor`). Of several headers of
/// the name the first counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeFragment {
    /// The header.
    pub name: HeaderName,
    /// What stands between the elements of its value; empty: the value is one element.
    pub separator: Box<[u8]>,
    /// Which element is meant.
    pub element: ScopeElement,
}

/// Which element of a header's value is a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeElement {
    /// The one at this place.
    Index(usize),
    /// The first with this key: what follows the separator, nothing where there is none.
    Named {
        /// What the element begins with.
        key: Box<[u8]>,
        /// What stands behind the key; not empty.
        separator: Box<[u8]>,
    },
}

impl ScopeFragment {
    fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let mut rest = Some(headers.get(&self.name)?);
        let mut elements = std::iter::from_fn(|| {
            let (element, after) = split(rest?, &self.separator);
            rest = after;
            Some(element)
        });
        match &self.element {
            ScopeElement::Index(index) => elements.nth(*index),
            ScopeElement::Named { key, separator } => elements.find_map(|element| {
                let (name, value) = split(element, separator);
                (name == &**key).then(|| value.unwrap_or_default())
            }),
        }
    }
}

/// What stands before the first separator and what behind it; all of it where there is none.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    let at = match separator.len() {
        0 => None,
        length => text.windows(length).position(|part| part == separator),
    };
    match at {
        Some(at) => (&text[..at], Some(&text[at + separator.len()..])),
        None => (text, None),
    }
}

/// A scope's key, in a form that can be compared as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeKey(Vec<u8>);

impl ScopeKey {
    /// The key with these fragments.
    pub fn new<'a>(fragments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut key = Self::default();
        for fragment in fragments {
            key.push(fragment.as_bytes());
        }
        key
    }

    fn push(&mut self, fragment: &[u8]) {
        self.0.extend_from_slice(&fragment.len().to_ne_bytes());
        self.0.extend_from_slice(fragment);
    }
}

/// How a request's key is read from its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeKeyBuilder(Vec<ScopeFragment>);

impl ScopeKeyBuilder {
    /// A key of these fragments, in this order.
    pub fn new(fragments: Vec<ScopeFragment>) -> Self {
        Self(fragments)
    }

    /// Reads a request's key into `key`, whose memory is used again; whether it has one.
    pub fn read(&self, headers: &HeaderMap, key: &mut ScopeKey) -> bool {
        key.0.clear();
        let mut fragments = self.0.iter().map(|fragment| fragment.read(headers));
        fragments.all(|fragment| fragment.map(|text| key.push(text)).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str, fragment: &ScopeFragment) -> Option<String> {
        let headers: HeaderMap = [("h", header), ("h", "second")].into_iter().collect();
        let text = fragment.read(&headers)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    #[test]
    fn fragments_are_elements_of_a_header() {
        let index = |separator: &str, index| ScopeFragment {
            name: HeaderName::new("h"),
            separator: separator.as_bytes().into(),
            element: ScopeElement::Index(index),
        };
        let named = |separator: &str| ScopeFragment {
            element: ScopeElement::Named {
                key: (*b"k").into(),
                separator: (*b"=").into(),
            },
            ..index(separator, 0)
        };
        let cases = [
            (index("", 0), "a,b", Some("a,b")),
            (index(",", 1), "a,b", Some("b")),
            (index(",", 1), "a,", Some("")),
            (index(",", 2), "a,b", None),
            (named(";"), "x=1;k=2;k=3", Some("2")),
            (named(";"), "k=2=3", Some("2=3")),
            (named(";"), "k", Some("")),
            (named(";"), "x; k=1", None),
            (named(""), "k=1;x", Some("1;x")),
        ];
        for (fragment, header, expected) in cases {
            assert_eq!(read(header, &fragment).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn keys_differ_where_a_fragment_does() {
        let keys = [
            ScopeKey::new(["a", "b"]),
            ScopeKey::new(["ab"]),
            ScopeKey::new(["ab", ""]),
            ScopeKey::new(["", "ab"]),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(at));
        }
    }
}
