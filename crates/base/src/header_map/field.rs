//! A field on its way into a header map, and out of it.

use super::{CUSTOM, HeaderMap};
use crate::header_name::Known;

/// A field's places in the arena of its map.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// A known name's index, or `CUSTOM`.
    pub known: u8,
    pub name_len: u32,
    pub name_at: u32,
    pub value_at: u32,
    pub value_len: u32,
}

/// A value, and where it stands in the block that its map began with
/// ([`HeaderMap::begin_with`]): then nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The value.
    pub bytes: &'a [u8],
    /// Its place, where it has one.
    pub at: Option<u32>,
}

impl<'a> From<&'a [u8]> for Part<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, at: None }
    }
}

/// A field that is to be written.
pub struct Field<'a> {
    pub(super) map: &'a HeaderMap,
    pub(super) entry: Entry,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The number of its name, if it is a known one.
    pub fn known(&self) -> Option<Known> {
        (self.entry.known != CUSTOM).then(|| Known::from_index(self.entry.known))
    }

    /// Its name.
    pub fn name(&self) -> &'a [u8] {
        self.map.name(&self.entry)
    }

    /// The value and what stands behind it, where that much does: so many bytes, be it too many,
    /// are copied without a call.
    pub fn wide_value<const N: usize>(&self) -> Option<&'a [u8; N]> {
        let from = self.map.arena.get(self.entry.value_at as usize..)?;
        from.first_chunk().filter(|_| self.value.len() <= N)
    }
}
