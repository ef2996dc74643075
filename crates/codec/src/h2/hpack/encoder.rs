//! Fields to header blocks.

use super::table::{NEWEST, Table, hash};
use super::{OVERHEAD, huffman, static_table};
use nuncio_base::{Known, names};

/// A connection's encoder.
pub(in super::super) struct Encoder {
    table: Table,
    /// The largest table we use, whatever the peer allows.
    limit: usize,
    /// Texts may be written in the Huffman code.
    huffman: bool,
    /// Sizes to be told at the beginning of the next block: the smallest there was, and the last.
    told: Option<(usize, usize)>,
    /// The entries that known names were found at last, by the names' numbers: most fields are
    /// the same in each message.
    last: [u16; NAMES],
    /// The same for fields with other names, by their hashes.
    last_others: [u16; OTHERS],
    /// The block that is being written.
    block: Vec<u8>,
}

/// As many as known names can be.
const NAMES: usize = 128;
/// Fields that share a place only cost each other a search.
const OTHERS: usize = 16;

/// A block of so many bytes is kept for the next.
const SMALL_BLOCK: usize = 256;

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
    pub fn new(limit: usize, huffman: bool) -> Self {
        let size = limit.min(4096);
        Self {
            table: Table::new(size),
            limit,
            huffman,
            told: (size < 4096).then_some((size, size)),
            last: [0; NAMES],
            last_others: [0; OTHERS],
            block: Vec::new(),
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

    /// Begins a block with what must stand there.
    pub fn begin(&mut self) {
        self.block.clear();
        if let Some((smallest, last)) = self.told.take() {
            if smallest < last {
                number(smallest, 5, 0x20, &mut self.block);
            }
            number(last, 5, 0x20, &mut self.block);
        }
    }

    /// The block.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// Gives memory back that an idle connection need not hold.
    pub fn rest(&mut self) {
        if self.block.capacity() > SMALL_BLOCK {
            self.block = Vec::new();
        }
    }

    /// Writes a field.
    #[inline]
    pub fn field(&mut self, known: Option<Known>, name: &[u8], value: &[u8]) {
        match self.repeated(known, name, value) {
            Some(index) => number(index, 7, 0x80, &mut self.block),
            None => self.new_field(known, name, value),
        }
    }

    /// The index of a field that is in one of the tables, if it is where it was at last.
    #[inline]
    fn repeated(&self, known: Option<Known>, name: &[u8], value: &[u8]) -> Option<usize> {
        let Some(known) = known else {
            let hash = hash(name, value);
            let place = self.table.place(self.last_others[hash as usize % OTHERS])?;
            let same = self.table.is_at(place, hash, name, value);
            return same.then_some(place + NEWEST);
        };
        if let Some(index) = static_table::with_value(known, value) {
            return Some(index);
        }
        let number = self.last[usize::from(known.index()) % NAMES];
        let place = self.table.place_with(number, known, value)?;
        Some(place + NEWEST)
    }

    #[inline(never)]
    fn new_field(&mut self, known: Option<Known>, name: &[u8], value: &[u8]) {
        let indexing = self.indexing(known, name, value);
        let hash = match indexing {
            Indexing::Added => hash(name, value),
            Indexing::Not | Indexing::Never => 0,
        };
        if indexing == Indexing::Added
            && let Some(place) = self.table.find(hash, name, value)
        {
            self.note(known, hash, place);
            return number(place + NEWEST, 7, 0x80, &mut self.block);
        }
        let in_static = known.and_then(static_table::index_of);
        let named = in_static.or_else(|| self.find_name(known, name).map(|place| place + NEWEST));
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
        let (block, huffman) = (&mut self.block, self.huffman);
        number(named.unwrap_or(0), prefix, pattern, block);
        if named.is_none() {
            text(name, huffman, block);
        }
        if indexing == Indexing::Added {
            text(value, huffman, block);
            self.table.add(known, name, value, hash);
            self.note(known, hash, 0);
        } else {
            // What is sent once is not worth the work of a shorter code, here and there.
            plain(value, block);
        }
    }

    /// Where a field with this name is.
    fn recall(&self, known: Known) -> Option<usize> {
        let number = self.last[usize::from(known.index()) % NAMES];
        self.table.place_of(number, known)
    }

    fn note(&mut self, known: Option<Known>, hash: u32, place: usize) {
        let number = self.table.number_of(place);
        match known {
            Some(known) => self.last[usize::from(known.index()) % NAMES] = number,
            None => self.last_others[hash as usize % OTHERS] = number,
        }
    }

    fn find_name(&mut self, known: Option<Known>, name: &[u8]) -> Option<usize> {
        if let Some(place) = known.and_then(|known| self.recall(known)) {
            return Some(place);
        }
        let place = self.table.find_name(known, name)?;
        if known.is_some() {
            self.note(known, 0, place);
        }
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
#[inline]
fn number(value: usize, prefix: u32, pattern: u8, out: &mut Vec<u8>) {
    let mask = (1_usize << prefix) - 1;
    if value < mask {
        out.push(pattern | value as u8);
    } else {
        out.push(pattern | mask as u8);
        rest_of_number(value - mask, out);
    }
}

#[cold]
fn rest_of_number(mut rest: usize, out: &mut Vec<u8>) {
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn text(text: &[u8], huffman: bool, out: &mut Vec<u8>) {
    if huffman {
        let encoded = huffman::encoded_len(text);
        if encoded < text.len() {
            number(encoded, 7, 0x80, out);
            return huffman::encode(text, out);
        }
    }
    plain(text, out);
}

fn plain(text: &[u8], out: &mut Vec<u8>) {
    number(text.len(), 7, 0, out);
    out.extend_from_slice(text);
}
