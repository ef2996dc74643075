//! The dynamic table (RFC 7541 section 2.3.2): a queue of fields, the oldest of which go first.

use super::{HpackError, OVERHEAD, static_table};
use nuncio_base::Known;
use std::collections::VecDeque;

#[derive(Clone, Copy)]
struct Entry {
    /// A hash of name and value, for whoever looks for an entry.
    hash: u32,
    known: Option<Known>,
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
    /// How many entries there ever were.
    added: u32,
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

    /// Sets the largest size, and drops what is beyond it.
    pub fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.shrink_to(max_size);
    }

    /// Name and value of the entry `place`, 0 being the one added last.
    pub fn get(&self, place: usize) -> Result<(Option<Known>, &[u8], &[u8]), HpackError> {
        let entry = self.entries.get(place).ok_or(HpackError::Index)?;
        let at = (entry.at - self.begins_at) as usize;
        let (name_len, value_len) = (entry.name_len as usize, entry.value_len as usize);
        let bytes = self.bytes.get(at..at + name_len + value_len);
        let (name, value) = bytes.ok_or(HpackError::Index)?.split_at(name_len);
        Ok((entry.known, name, value))
    }

    /// Name and value of an entry of both tables, by its index on the wire.
    pub fn lookup(&self, index: usize) -> Result<(Option<Known>, &[u8], &[u8]), HpackError> {
        let statics = static_table::ENTRIES.len();
        match index {
            0 => Err(HpackError::Index),
            index if index <= statics => {
                let (name, value) = static_table::ENTRIES[index - 1];
                let known = static_table::known(index);
                Ok((known, name.as_bytes(), value.as_bytes()))
            }
            index => self.get(index - statics - 1),
        }
    }

    /// The place of an entry with this hash, name and value.
    pub fn find(&self, hash: u32, name: &[u8], value: &[u8]) -> Option<usize> {
        let mut places = self.entries.iter().enumerate();
        places.find_map(|(place, entry)| {
            let same = entry.hash == hash
                && self
                    .get(place)
                    .is_ok_and(|(_, n, v)| n == name && v == value);
            same.then_some(place)
        })
    }

    /// The place of an entry with this name.
    pub fn find_name(&self, known: Option<Known>, name: &[u8]) -> Option<usize> {
        let mut places = self.entries.iter().enumerate();
        places.find_map(|(place, entry)| {
            let same = entry.known == known
                && (known.is_some()
                    || (entry.name_len as usize == name.len()
                        && self.get(place).is_ok_and(|(_, n, _)| n == name)));
            same.then_some(place)
        })
    }

    /// Adds a field, for which others go; one that is larger than the table empties it.
    pub fn add(&mut self, known: Option<Known>, name: &[u8], value: &[u8], hash: u32) {
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
            at,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
        });
        self.size += size;
        self.added = self.added.wrapping_add(1);
    }

    /// The number of the entry `place`: as long as it is there, [`place_of`](Self::place_of) tells
    /// where.
    pub fn number_of(&self, place: usize) -> u32 {
        self.added.wrapping_sub(place as u32)
    }

    /// Where the entry of this number and name is, if it is there.
    pub fn place_of(&self, number: u32, known: Known) -> Option<usize> {
        let place = self.added.wrapping_sub(number) as usize;
        let entry = self.entries.get(place)?;
        (entry.known == Some(known)).then_some(place)
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
