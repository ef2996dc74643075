//! HPACK (RFC 7541): header fields to bytes and back, with a dynamic table on each side.
//!
//! Names that are known come out as numbers; a table keeps the number beside the name, so that a
//! field that is referred to is looked up no more.

mod decoder;
mod encoder;
mod huffman;
mod static_table;
mod table;

pub(super) use decoder::{Decoder, Field, Fields};
pub(super) use encoder::Encoder;

#[cfg(test)]
mod tests;

/// How many bytes an entry costs besides its name and value (section 4.1).
const OVERHEAD: usize = 32;

/// A header block that cannot be decoded; the connection has no common state any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HpackError {
    /// It ends within a field.
    Truncated,
    /// A number that is too large.
    Number,
    /// An index without an entry.
    Index,
    /// A string's Huffman code.
    Huffman,
    /// A size of the table beyond what was allowed, or not at the beginning.
    TableSize,
}
