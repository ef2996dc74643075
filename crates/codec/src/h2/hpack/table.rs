//! The dynamic table (RFC 7541 section 2.3.2): a queue of fields, the oldest of which go first.

use super::{Field, HpackError, OVERHEAD, static_table};
use nuncio_base::Known;
use std::collections::VecDeque;

/// The index on the wire of the entry that was added last.
pub(super) const NEWEST: usize = static_table::ENTRIES.len() + 1;

#[derive(Clone, Copy)]
struct Entry {
    /// A hash of name and value, for whoever looks for an entry.
    hash: u32,
    known: Option<Known>,
    /// Whoever took it last need not look at it again.
    is_checked: bool,
    /// Where it begins, counted from the first byte that ever was in the table.
    at: u64,
    name_len: u32,
    value_len: u32,
}

impl Entry {
    fn size(&self) -> usize {
        (self.name_len + self.value_len) as usize + OVERHEAD
    }
}

/// The table. Bytes are added at one end and dropped at the other, and moved down when as many are
/// dropped as may be in use: each once on the average.
#[derive(Default)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    bytes: Vec<u8>,
    /// The number of `bytes`' first.
    begins_at: u64,
    size: usize,
    max_size: usize,
    /// How many entries there ever were, as far as that can be counted.
    added: u16,
    /// How often it was changed.
    changes: u64,
}

impl Table {
    pub fn new(max_size: usize) -> Self {
        Self {
            max_size,
            ..Self::default()
        }
    }

    pub fn max_size(&self) -> usize {
        self.max_size
    }

    /// How often it was changed: it is the same as it was when that was the same.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Sets the largest size, and drops what is beyond it.
    pub fn set_max_size(&mut self, max_size: usize) {
        self.changes += 1;
        self.max_size = max_size;
        self.shrink_to(max_size);
    }

    /// The entry `place`, 0 being the one added last.
    pub fn get(&self, place: usize) -> Result<Field<'_>, HpackError> {
        let entry = self.entries.get(place).ok_or(HpackError::Index)?;
        let at = (entry.at - self.begins_at) as usize;
        let (name_len, value_len) = (entry.name_len as usize, entry.value_len as usize);
        let bytes = self.bytes.get(at..at + name_len + value_len);
        let (name, value) = bytes.ok_or(HpackError::Index)?.split_at(name_len);
        Ok(Field {
            known: entry.known,
            name,
            value,
            is_checked: entry.is_checked,
        })
    }

    /// An entry of both tables, by its index on the wire.
    pub fn lookup(&self, index: usize) -> Result<Field<'_>, HpackError> {
        match index.checked_sub(NEWEST) {
            Some(place) => self.get(place),
            None => static_table::field(index).ok_or(HpackError::Index),
        }
    }

    /// An entry, by its index on the wire, need not be looked at again.
    pub fn note_checked(&mut self, index: usize) {
        let place = index.checked_sub(NEWEST);
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            entry.is_checked = true;
        }
    }

    /// The place of an entry with this hash, name and value.
    pub fn find(&self, hash: u32, name: &[u8], value: &[u8]) -> Option<usize> {
        (0..self.entries.len()).find(|&place| self.is_at(place, hash, name, value))
    }

    /// Whether the entry `place` has this hash, name and value.
    pub fn is_at(&self, place: usize, hash: u32, name: &[u8], value: &[u8]) -> bool {
        let entry = self.entries.get(place);
        entry.is_some_and(|entry| entry.hash == hash)
            && self
                .get(place)
                .is_ok_and(|entry| entry.name == name && entry.value == value)
    }

    /// The place of an entry with this name.
    pub fn find_name(&self, known: Option<Known>, name: &[u8]) -> Option<usize> {
        let mut places = self.entries.iter().enumerate();
        places.find_map(|(place, entry)| {
            let same = entry.known == known
                && (known.is_some()
                    || (entry.name_len as usize == name.len()
                        && self.get(place).is_ok_and(|entry| entry.name == name)));
            same.then_some(place)
        })
    }

    /// Adds a field, for which others go; one that is larger than the table empties it.
    pub fn add(&mut self, known: Option<Known>, name: &[u8], value: &[u8], hash: u32) {
        self.changes += 1;
        let size = name.len() + value.len() + OVERHEAD;
        self.shrink_to(self.max_size.saturating_sub(size));
        if size > self.max_size {
            return;
        }
        let at = self.begins_at + self.bytes.len() as u64;
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.entries.push_front(Entry {
            hash,
            known,
            is_checked: false,
            at,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
        });
        self.size += size;
        self.added = self.added.wrapping_add(1);
    }

    /// The number of the entry `place`: as long as it is there, [`place`](Self::place) tells where;
    /// later it may be another's.
    pub fn number_of(&self, place: usize) -> u16 {
        self.added.wrapping_sub(place as u16)
    }

    /// Where the entry of this number is, if it is there with this name and value.
    #[inline]
    pub fn place_with(&self, number: u16, known: Known, value: &[u8]) -> Option<usize> {
        let place = usize::from(self.added.wrapping_sub(number));
        let entry = self.entries.get(place)?;
        if entry.known != Some(known) || entry.value_len as usize != value.len() {
            return None;
        }
        let at = (entry.at - self.begins_at) as usize + entry.name_len as usize;
        let is_same = self.bytes.get(at..at + value.len()) == Some(value);
        is_same.then_some(place)
    }

    /// Where the entry of this number is, if it is there.
    pub fn place(&self, number: u16) -> Option<usize> {
        let place = usize::from(self.added.wrapping_sub(number));
        (place < self.entries.len()).then_some(place)
    }

    /// The same, if it has this name.
    pub fn place_of(&self, number: u16, known: Known) -> Option<usize> {
        let place = self.place(number)?;
        (self.entries[place].known == Some(known)).then_some(place)
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size();
        }
        let end = self.begins_at + self.bytes.len() as u64;
        let first = self.entries.back().map_or(end, |oldest| oldest.at);
        let dropped = (first - self.begins_at) as usize;
        if dropped > self.max_size || self.entries.is_empty() {
            self.bytes.drain(..dropped);
            self.begins_at = first;
        }
    }
}

/// A hash that tells entries apart; what has the same one is compared.
pub(super) fn hash(name: &[u8], value: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (name.len() as u64) << 32 | value.len() as u64;
    for text in [name, value] {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    (hash >> 32) as u32
}
