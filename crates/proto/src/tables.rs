//! The reflection tables: one read-only blob made by the build script, and how to read its words.
//!
//! Every offset in the blob comes from the build script, so reads outside it cannot happen; a read
//! that did would yield an empty string or a zero, never a panic.

pub mod layout;

use layout::{FIELD_WORDS, H_FIELDS, H_NAMES, H_RULES, H_STRINGS};

static BLOB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tables.bin"));

/// The word at `offset` bytes.
fn word(offset: usize) -> u32 {
    match BLOB.get(offset..).and_then(<[u8]>::first_chunk::<4>) {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => 0,
    }
}

/// A word of the header.
pub fn header(index: usize) -> u32 {
    word(index * 4)
}

/// Word `index` of record `record` in the section that header word `section` begins.
pub fn record(section: usize, words: usize, record: u32, index: usize) -> u32 {
    word(header(section) as usize + (record as usize * words + index) * 4)
}

/// How many field records there are.
pub fn field_count() -> usize {
    (header(H_NAMES) - header(H_FIELDS)) as usize / (FIELD_WORDS * 4)
}

/// The string at `offset` of the strings.
pub fn string(offset: u32) -> &'static str {
    str::from_utf8(counted(H_STRINGS, offset)).unwrap_or_default()
}

/// The bytes of a string, for comparing.
pub fn string_bytes(offset: u32) -> &'static [u8] {
    counted(H_STRINGS, offset)
}

/// The `validate.FieldRules` at `offset` of the rules; 0 means none.
pub fn rules(offset: u32) -> &'static [u8] {
    if offset == 0 {
        &[]
    } else {
        counted(H_RULES, offset)
    }
}

fn counted(section: usize, offset: u32) -> &'static [u8] {
    let at = header(section) as usize + offset as usize;
    let counted = || {
        let (length, rest) = BLOB.get(at..)?.split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_le_bytes(*length)))
    };
    counted().unwrap_or_default()
}
