//! The names of a message's headers as they were written, for a codec that keeps their case.
//!
//! Envoy's `preserve_case` formatter travels with the header map; so does this. A map that does
//! not keep its case holds no memory for it ([`HeaderMap::original_case`]).
//!
//! [`HeaderMap::original_case`]: crate::HeaderMap::original_case

/// How a name is written that the peer did not send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OtherNames {
    /// In lower case.
    #[default]
    Lower,
    /// With a capital at the beginning of each word.
    Proper,
}

/// Header names in their original case, and the reason phrase of a response where it is kept.
#[derive(Clone, Default)]
pub struct OriginalCase {
    names: Vec<u8>,
    ends: Vec<u32>,
    reason: Vec<u8>,
    other_names: OtherNames,
}

impl OriginalCase {
    /// Forgets everything; names that are not found are written as `other_names` says.
    pub fn reset(&mut self, other_names: OtherNames) {
        self.names.clear();
        self.ends.clear();
        self.reason.clear();
        self.other_names = other_names;
    }

    /// Remembers a name as it was written; the first of several spellings counts.
    pub fn push(&mut self, name: &[u8]) {
        self.names.extend_from_slice(name);
        self.ends.push(self.names.len() as u32);
    }

    /// The original spelling of a lower-case name.
    pub fn get(&self, lower: &[u8]) -> Option<&[u8]> {
        let mut from = 0;
        self.ends.iter().find_map(|&end| {
            let name = &self.names[from..end as usize];
            from = end as usize;
            name.eq_ignore_ascii_case(lower).then_some(name)
        })
    }

    /// How names are written that were not remembered.
    pub fn other_names(&self) -> OtherNames {
        self.other_names
    }

    /// Keeps the reason phrase of a response.
    pub fn set_reason(&mut self, reason: &[u8]) {
        self.reason.clear();
        self.reason.extend_from_slice(reason);
    }

    /// The kept reason phrase; empty where there is none.
    pub fn reason(&self) -> &[u8] {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spelling_is_found() {
        let mut case = OriginalCase::default();
        for name in ["X-ABC", "Host", "x-abc"] {
            case.push(name.as_bytes());
        }
        assert_eq!(case.get(b"x-abc"), Some(&b"X-ABC"[..]));
        assert_eq!(case.get(b"host"), Some(&b"Host"[..]));
        assert_eq!(case.get(b"x-ab"), None);
        case.reset(OtherNames::Proper);
        assert_eq!(
            (case.get(b"host"), case.other_names()),
            (None, OtherNames::Proper)
        );
    }
}
