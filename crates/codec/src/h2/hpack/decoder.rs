//! Header blocks to fields.

use super::table::Table;
use super::{HpackError, huffman};
use nuncio_base::Known;

/// What takes the fields of a block, in order. It is given all of them, whatever it thinks of
/// them: the dynamic table must see the whole block.
pub(in super::super) trait Fields {
    /// One field; the name as it was sent, and its number if it is a known one.
    fn field(&mut self, known: Option<Known>, name: &[u8], value: &[u8]);
}

/// A connection's decoder.
pub(in super::super) struct Decoder {
    table: Table,
    /// The largest table the peer may use (our SETTINGS_HEADER_TABLE_SIZE).
    limit: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A string on the wire: as it is, or Huffman-encoded.
struct Text<'a> {
    bytes: &'a [u8],
    is_huffman: bool,
}

impl Decoder {
    /// A decoder with a table of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            table: Table::new(limit),
            limit,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The peer knows our limit: its next block begins with a size within it.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Decodes a whole block.
    ///
    /// # Errors
    /// The block breaks RFC 7541: a connection error of type COMPRESSION_ERROR.
    pub fn decode(&mut self, block: &[u8], fields: &mut impl Fields) -> Result<(), HpackError> {
        let mut rest = block;
        let mut first = true;
        while let Some(&byte) = rest.first() {
            let is_size = byte & 0xe0 == 0x20;
            if !is_size && self.table.max_size() > self.limit {
                return Err(HpackError::TableSize);
            }
            if byte & 0x80 != 0 {
                let index = number(&mut rest, 7)?;
                let (known, name, value) = self.table.lookup(index)?;
                fields.field(known, name, value);
            } else if is_size {
                let size = number(&mut rest, 5)?;
                if !first || size > self.limit {
                    return Err(HpackError::TableSize);
                }
                self.table.set_max_size(size);
                continue;
            } else {
                let adds = byte & 0x40 != 0;
                self.literal(&mut rest, if adds { 6 } else { 4 }, adds, fields)?;
            }
            first = false;
        }
        Ok(())
    }

    fn literal(
        &mut self,
        rest: &mut &[u8],
        prefix: u32,
        adds: bool,
        fields: &mut impl Fields,
    ) -> Result<(), HpackError> {
        let index = number(rest, prefix)?;
        self.name.clear();
        let known = if index == 0 {
            text(rest)?.read(&mut self.name)?;
            Known::find(&self.name)
        } else {
            let (known, name, _) = self.table.lookup(index)?;
            self.name.extend_from_slice(name);
            known
        };
        let value = text(rest)?;
        let value = if value.is_huffman {
            self.value.clear();
            value.read(&mut self.value)?;
            &self.value
        } else {
            value.bytes
        };
        if adds {
            self.table.add(known, &self.name, value, 0);
        }
        fields.field(known, &self.name, value);
        Ok(())
    }
}

impl Text<'_> {
    fn read(&self, out: &mut Vec<u8>) -> Result<(), HpackError> {
        if self.is_huffman {
            return huffman::decode(self.bytes, out);
        }
        out.extend_from_slice(self.bytes);
        Ok(())
    }
}

/// A number whose first byte has `prefix` bits of it (section 5.1).
fn number(rest: &mut &[u8], prefix: u32) -> Result<usize, HpackError> {
    let (&first, mut more) = rest.split_first().ok_or(HpackError::Truncated)?;
    let mask = (1_u32 << prefix) - 1;
    let mut value = u32::from(first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (&byte, behind) = more.split_first().ok_or(HpackError::Truncated)?;
            more = behind;
            // Four bytes more are 2^28: nothing here is that large.
            if shift > 21 {
                return Err(HpackError::Number);
            }
            value += u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = more;
    Ok(value as usize)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<Text<'a>, HpackError> {
    let is_huffman = rest.first().is_some_and(|byte| byte & 0x80 != 0);
    let length = number(rest, 7)?;
    let (bytes, behind) = rest.split_at_checked(length).ok_or(HpackError::Truncated)?;
    *rest = behind;
    Ok(Text { bytes, is_huffman })
}
