//! A response's status as a number.

use super::HeaderMap;
use crate::header_name::names;

impl HeaderMap {
    /// The number under `:status`, if it is one.
    pub fn status(&self) -> Option<u16> {
        let value = self.get(names::STATUS)?;
        match *value {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
            }
            _ => std::str::from_utf8(value).ok()?.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers() {
        for (text, status) in [
            ("200", Some(200)),
            ("999", Some(999)),
            ("099", Some(99)),
            ("20", Some(20)),
            ("20x", None),
            ("", None),
            ("70000", None),
        ] {
            let mut map = HeaderMap::new();
            assert_eq!(map.status(), None);
            map.append(names::STATUS, text.as_bytes());
            assert_eq!(map.status(), status, "{text}");
        }
    }
}
