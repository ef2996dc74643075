//! The headers of one message: in order, pseudo-headers first, all bytes in one arena.
//!
//! Order is visible on the wire, so it is kept as Envoy keeps it (its `header_map.md`): as added,
//! with the pseudo-headers in front. Names are lower case; known names are numbers, so that asking
//! for an absent one costs a bit test. A cleared map keeps its memory: maps are pooled.

use crate::header_case::{OriginalCase, OtherNames};
use crate::header_name::{Key, Known, MessageKind, names};
use field::Entry;
use std::fmt;

pub use field::{Field, Part};
pub use present::KnownNames;

mod field;
mod present;
mod status;

const CUSTOM: u8 = 0xff;

/// An ordered list of header fields. Values are bytes: HTTP allows more than UTF-8.
#[derive(Default, Clone)]
pub struct HeaderMap {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    present: KnownNames,
    size: usize,
    original: Option<Box<OriginalCase>>,
}

impl HeaderMap {
    /// An empty map that holds no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all names and values together: what Envoy's header limits count.
    pub fn byte_size(&self) -> usize {
        self.size
    }

    /// Removes everything; the memory stays for the next message.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
        self.present = KnownNames::default();
        self.size = 0;
        self.original = None;
    }

    /// Makes this map, which is empty, the same as another.
    pub fn copy_from(&mut self, other: &Self) {
        debug_assert!(self.arena.is_empty() && self.entries.is_empty());
        self.arena.extend_from_slice(&other.arena);
        self.entries.extend_from_slice(&other.entries);
        (self.present, self.size) = (other.present, other.size);
        self.original.clone_from(&other.original);
    }

    /// The names as the peer wrote them, where the codec that read this message keeps them.
    pub fn original_case(&self) -> Option<&OriginalCase> {
        self.original.as_deref()
    }

    /// Makes this map keep its names' case from now on: see [`OriginalCase`].
    pub fn keep_case(&mut self, other_names: OtherNames) -> &mut OriginalCase {
        let case = self.original.get_or_insert_default();
        case.reset(other_names);
        case
    }

    /// Where names are kept as written, the place for them.
    pub fn original_case_mut(&mut self) -> Option<&mut OriginalCase> {
        self.original.as_deref_mut()
    }

    /// The bytes of memory held, for pools that drop oversized maps.
    pub fn capacity(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The first value under `key`.
    pub fn get(&self, key: impl Key) -> Option<&[u8]> {
        self.position(&key, 0)
            .map(|at| self.value(&self.entries[at]))
    }

    /// The first value under `key`, if it is UTF-8.
    pub fn get_str(&self, key: impl Key) -> Option<&str> {
        self.get(key)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether there is a field under `key`.
    pub fn contains(&self, key: impl Key) -> bool {
        self.position(&key, 0).is_some()
    }

    /// Whether there is a field under one of these names.
    pub fn contains_any(&self, names: KnownNames) -> bool {
        self.present.has_any(names)
    }

    /// All values under `key`, in order.
    pub fn get_all<K: Key>(&self, key: K) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let at = self.position(&key, from)?;
            from = at + 1;
            Some(self.value(&self.entries[at]))
        })
    }

    /// All fields, names and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + Clone {
        self.entries
            .iter()
            .map(|entry| (self.name(entry), self.value(entry)))
    }

    /// All fields, to be written.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.entries.iter().map(|entry| Field {
            map: self,
            entry: *entry,
            value: self.value(entry),
        })
    }

    /// Makes `block`, which has the values of a head that is being read, the beginning of the
    /// memory of this map, which is empty. One copy of many bytes costs less than many of few.
    pub fn begin_with(&mut self, block: &[u8]) {
        debug_assert!(self.arena.is_empty());
        self.arena.extend_from_slice(block);
    }

    /// Adds a field at the end (a pseudo-header: behind the other pseudo-headers), even where one
    /// of that name exists.
    pub fn append(&mut self, key: impl Key, value: &[u8]) {
        self.append_part(key, value.into());
    }

    /// As [`append`](Self::append).
    pub fn append_part(&mut self, key: impl Key, value: Part<'_>) {
        debug_assert!(
            value.at.is_none_or(|at| {
                self.arena[range(at, value.bytes.len() as u32)] == *value.bytes
            })
        );
        let value_at = match value.at {
            Some(at) => at,
            None => self.push_bytes(value.bytes),
        };
        self.insert_entry(&key, value_at, value.bytes.len());
    }

    /// Adds a field whose name, which is no pseudo-header's, is not there yet; false, and nothing
    /// is done, where it is.
    pub fn append_first(&mut self, known: Known, value: Part<'_>) -> bool {
        let is_new = !self.present.has(known) && !known.is_pseudo();
        if is_new {
            let value_at = value.at.unwrap_or_else(|| self.push_bytes(value.bytes));
            self.present.add(known);
            let entry = Entry {
                known: known.index(),
                name_len: known.as_str().len() as u32,
                name_at: 0,
                value_at,
                value_len: value.bytes.len() as u32,
            };
            self.size += (entry.name_len + entry.value_len) as usize;
            self.entries.push(entry);
        }
        is_new
    }

    /// Adds a field as it is received: a repeated one of a name that Envoy keeps inline in such a
    /// message is joined to the first ([`Known::is_joined_in`]).
    pub fn receive<'a>(&mut self, key: impl Key, value: impl Into<Part<'a>>, kind: MessageKind) {
        let value = value.into();
        if let Ok(known) = key.parts()
            && self.present.has(known)
            && known.is_joined_in(kind)
        {
            self.join(known, value.bytes);
        } else {
            self.append_part(key, value);
        }
    }

    /// Sets the one value under `key`: in place where a field exists (others of that name go),
    /// else at the end.
    pub fn set(&mut self, key: impl Key, value: &[u8]) {
        let Some(first) = self.position(&key, 0) else {
            return self.append(key, value);
        };
        while let Some(other) = self.position(&key, first + 1) {
            self.remove_at(other);
        }
        self.set_value(first, value);
    }

    /// Removes what stands under `key` and adds the value at the end.
    pub fn replace(&mut self, key: impl Key, value: &[u8]) {
        let value_at = self.push_bytes(value);
        while let Some(at) = self.position(&key, 0) {
            self.remove_at(at);
        }
        self.insert_entry(&key, value_at, value.len());
    }

    /// Joins `value` to the first field of this name, or adds it: with a comma, or with `; ` for
    /// cookie crumbs (RFC 9113 section 8.2.3).
    pub fn join(&mut self, known: Known, value: &[u8]) {
        let separator: &[u8] = if known == names::COOKIE { b"; " } else { b"," };
        let Some(at) = self.position(&known, 0) else {
            return self.append(known, value);
        };
        let old = self.entries[at];
        let value_at = self.arena.len() as u32;
        self.arena
            .extend_from_within(range(old.value_at, old.value_len));
        if old.value_len > 0 {
            self.arena.extend_from_slice(separator);
        }
        self.arena.extend_from_slice(value);
        let value_len = self.arena.len() as u32 - value_at;
        self.size += (value_len - old.value_len) as usize;
        let entry = &mut self.entries[at];
        (entry.value_at, entry.value_len) = (value_at, value_len);
    }

    /// Removes every field under `key`; how many there were.
    pub fn remove(&mut self, key: impl Key) -> usize {
        let mut removed = 0;
        while let Some(at) = self.position(&key, 0) {
            self.remove_at(at);
            removed += 1;
        }
        removed
    }

    /// Removes the fields for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let mut at = 0;
        while at < self.entries.len() {
            let entry = self.entries[at];
            if keep(self.name(&entry), self.value(&entry)) {
                at += 1;
            } else {
                self.remove_at(at);
            }
        }
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        match entry.known {
            CUSTOM => &self.arena[range(entry.name_at, entry.name_len)],
            known => Known::from_index(known).as_str().as_bytes(),
        }
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        &self.arena[range(entry.value_at, entry.value_len)]
    }

    fn position(&self, key: &impl Key, from: usize) -> Option<usize> {
        let entries = self.entries.get(from..)?;
        let at = match key.parts() {
            Ok(known) => {
                if !self.present.has(known) {
                    return None;
                }
                entries
                    .iter()
                    .position(|entry| entry.known == known.index())
            }
            Err(text) => entries.iter().position(|entry| {
                entry.known == CUSTOM
                    && entry.name_len as usize == text.len()
                    && self.name(entry) == text
            }),
        };
        at.map(|at| at + from)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> u32 {
        let at = self.arena.len();
        self.arena.extend_from_slice(bytes);
        at as u32
    }

    fn insert_entry(&mut self, key: &impl Key, value_at: u32, value_len: usize) {
        let mut entry = Entry {
            known: CUSTOM,
            name_len: 0,
            name_at: 0,
            value_at,
            value_len: value_len as u32,
        };
        match key.parts() {
            Ok(known) => {
                entry.known = known.index();
                entry.name_len = known.as_str().len() as u32;
                self.present.add(known);
            }
            Err(text) => {
                debug_assert!(
                    !text.iter().any(u8::is_ascii_uppercase),
                    "names are lower case"
                );
                entry.name_at = self.push_bytes(text);
                entry.name_len = text.len() as u32;
            }
        }
        self.size += entry.name_len as usize + value_len;
        if is_pseudo(&entry) && self.entries.last().is_some_and(|last| !is_pseudo(last)) {
            let in_front = self.entries.iter().filter(|other| is_pseudo(other));
            self.entries.insert(in_front.count(), entry);
        } else {
            self.entries.push(entry);
        }
    }

    fn set_value(&mut self, at: usize, value: &[u8]) {
        let old = self.entries[at];
        let (value_at, value_len) = if value.len() <= old.value_len as usize {
            let start = old.value_at as usize;
            self.arena[start..start + value.len()].copy_from_slice(value);
            (old.value_at, value.len() as u32)
        } else {
            (self.push_bytes(value), value.len() as u32)
        };
        self.size = self.size + value.len() - old.value_len as usize;
        let entry = &mut self.entries[at];
        (entry.value_at, entry.value_len) = (value_at, value_len);
    }

    fn remove_at(&mut self, at: usize) {
        let entry = self.entries.remove(at);
        self.size -= (entry.name_len + entry.value_len) as usize;
        if entry.known != CUSTOM && !self.entries.iter().any(|other| other.known == entry.known) {
            self.present.remove(Known::from_index(entry.known));
        }
    }
}

fn is_pseudo(entry: &Entry) -> bool {
    entry.known != CUSTOM && Known::from_index(entry.known).is_pseudo()
}

fn range(at: u32, len: u32) -> std::ops::Range<usize> {
    at as usize..at as usize + len as usize
}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                (
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value),
                )
            }))
            .finish()
    }
}

impl PartialEq for HeaderMap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut map = Self::new();
        for (name, value) in fields {
            map.append(name.to_ascii_lowercase().as_str(), value.as_bytes());
        }
        map
    }
}

#[cfg(test)]
mod tests;
