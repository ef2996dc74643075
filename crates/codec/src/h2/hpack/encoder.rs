//! Fields to header blocks.

use super::table::{Table, hash};
use super::{OVERHEAD, huffman, static_table};
use bytes::{BufMut, BytesMut};
use nuncio_base::{Known, names};

/// A connection's encoder.
pub(in super::super) struct Encoder {
    table: Table,
    /// The largest table we use, whatever the peer allows.
    limit: usize,
    /// Sizes to be told at the beginning of the next block: the smallest there was, and the last.
    told: Option<(usize, usize)>,
    /// The entries that known names were found at last, by the names' numbers: most fields are
    /// the same in each message.
    last: [u32; NAMES],
}

/// Names that share a place only cost each other a search.
const NAMES: usize = 32;

/// What becomes of a field in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    Added,
    /// Its value is likely another one next time.
    Not,
    /// It is a secret that must not be guessed by its size (section 7.1.3).
    Never,
}

impl Encoder {
    /// An encoder whose table has at most `limit` bytes, and no more than the protocol's default
    /// before the peer allows it.
    pub fn new(limit: usize) -> Self {
        let size = limit.min(4096);
        Self {
            table: Table::new(size),
            limit,
            told: (size < 4096).then_some((size, size)),
            last: [0; NAMES],
        }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE.
    pub fn set_max_size(&mut self, size: usize) {
        let size = size.min(self.limit);
        if size != self.table.max_size() {
            let smallest = self.told.map_or(size, |(smallest, _)| smallest.min(size));
            self.told = Some((smallest, size));
            self.table.set_max_size(size);
        }
    }

    /// Writes what must stand at the beginning of a block.
    pub fn begin(&mut self, out: &mut BytesMut) {
        if let Some((smallest, last)) = self.told.take() {
            if smallest < last {
                number(smallest, 5, 0x20, out);
            }
            number(last, 5, 0x20, out);
        }
    }

    /// Writes a field.
    pub fn field(&mut self, known: Option<Known>, name: &[u8], value: &[u8], out: &mut BytesMut) {
        let in_static = known.and_then(static_table::index_of);
        if let Some(index) = in_static.and_then(|first| static_table::with_value(first, value)) {
            return number(index, 7, 0x80, out);
        }
        let statics = static_table::ENTRIES.len();
        let recalled = known.and_then(|known| self.recall(known));
        let indexing = self.indexing(known, name, value);
        if indexing == Indexing::Added
            && let Some(place) = self.find(recalled, known, name, value)
        {
            return number(place + statics + 1, 7, 0x80, out);
        }
        let named = in_static.or_else(|| {
            let place = recalled.or_else(|| self.find_name(known, name))?;
            Some(place + statics + 1)
        });
        let indexing = match (indexing, named) {
            // Once, for the sake of its name, which is longer than any number.
            (Indexing::Not, None) if self.fits(name, value) => Indexing::Added,
            (indexing, _) => indexing,
        };
        let (prefix, pattern) = match indexing {
            Indexing::Added => (6, 0x40),
            Indexing::Not => (4, 0),
            Indexing::Never => (4, 0x10),
        };
        number(named.unwrap_or(0), prefix, pattern, out);
        if named.is_none() {
            text(name, out);
        }
        if indexing == Indexing::Added {
            text(value, out);
            self.table.add(known, name, value, hash(name, value));
            self.note(known, 0);
        } else {
            // What is sent once is not worth the work of a shorter code, here and there.
            plain(value, out);
        }
    }

    /// Where a field with this name is.
    fn recall(&self, known: Known) -> Option<usize> {
        let number = self.last[usize::from(known.index()) % NAMES];
        self.table.place_of(number, known)
    }

    fn note(&mut self, known: Option<Known>, place: usize) {
        if let Some(known) = known {
            self.last[usize::from(known.index()) % NAMES] = self.table.number_of(place);
        }
    }

    fn find(
        &mut self,
        recalled: Option<usize>,
        known: Option<Known>,
        name: &[u8],
        value: &[u8],
    ) -> Option<usize> {
        let is_same = |place: &usize| self.table.get(*place).is_ok_and(|(.., v)| v == value);
        if let Some(place) = recalled.filter(is_same) {
            return Some(place);
        }
        let place = self.table.find(hash(name, value), name, value)?;
        self.note(known, place);
        Some(place)
    }

    fn find_name(&mut self, known: Option<Known>, name: &[u8]) -> Option<usize> {
        let place = self.table.find_name(known, name)?;
        self.note(known, place);
        Some(place)
    }

    /// Whether a field leaves room for others in the table.
    fn fits(&self, name: &[u8], value: &[u8]) -> bool {
        name.len() + value.len() + OVERHEAD <= self.table.max_size() / 2
    }

    fn indexing(&self, known: Option<Known>, name: &[u8], value: &[u8]) -> Indexing {
        match known {
            Some(names::AUTHORIZATION | names::PROXY_AUTHORIZATION) => Indexing::Never,
            Some(names::COOKIE) if value.len() < 20 => Indexing::Never,
            Some(
                names::PATH
                | names::AGE
                | names::CONTENT_LENGTH
                | names::ETAG
                | names::IF_MODIFIED_SINCE
                | names::IF_NONE_MATCH
                | names::LAST_MODIFIED
                | names::LOCATION
                | names::SET_COOKIE
                | names::X_ENVOY_UPSTREAM_SERVICE_TIME
                | names::X_REQUEST_ID,
            ) => Indexing::Not,
            _ if !self.fits(name, value) => Indexing::Not,
            _ => Indexing::Added,
        }
    }
}

/// Writes a number behind a pattern in the first byte (section 5.1).
fn number(value: usize, prefix: u32, pattern: u8, out: &mut BytesMut) {
    let mask = (1_usize << prefix) - 1;
    if value < mask {
        return out.put_u8(pattern | value as u8);
    }
    out.put_u8(pattern | mask as u8);
    let mut rest = value - mask;
    while rest >= 128 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn text(text: &[u8], out: &mut BytesMut) {
    let encoded = huffman::encoded_len(text);
    if encoded < text.len() {
        number(encoded, 7, 0x80, out);
        huffman::encode(text, out);
    } else {
        plain(text, out);
    }
}

fn plain(text: &[u8], out: &mut BytesMut) {
    number(text.len(), 7, 0, out);
    out.extend_from_slice(text);
}
