//! Header blocks to fields.

use super::table::{NEWEST, Table};
use super::{HpackError, huffman};
use nuncio_base::Known;

/// What takes the fields of a block, in order. It is given all of them, whatever it thinks of
/// them: the dynamic table must see the whole block.
pub(in super::super) trait Fields {
    /// One field. Whether its name and value need not be looked at when it comes again.
    fn field(&mut self, field: Field<'_>) -> bool;
}

/// A field of a block.
#[derive(Clone, Copy)]
pub(in super::super) struct Field<'a> {
    /// The number of the name if it is a known one.
    pub known: Option<Known>,
    /// The name as it was sent.
    pub name: &'a [u8],
    pub value: &'a [u8],
    /// It is an entry of a table, and was found good before.
    pub is_checked: bool,
}

/// A connection's decoder.
pub(in super::super) struct Decoder {
    table: Table,
    /// The largest table the peer may use (our SETTINGS_HEADER_TABLE_SIZE).
    limit: usize,
    /// How often that was set.
    limits: u64,
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
            limits: 0,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// How often what a block means was changed.
    pub fn changes(&self) -> u64 {
        self.table.changes() + self.limits
    }

    /// The peer knows our limit: its next block begins with a size within it.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.limits += 1;
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
                let field = self.table.lookup(index)?;
                let was_checked = field.is_checked;
                if fields.field(field) && !was_checked {
                    self.table.note_checked(index);
                }
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

    /// A field that is not in a table as a whole.
    fn literal(
        &mut self,
        rest: &mut &[u8],
        prefix: u32,
        adds: bool,
        fields: &mut impl Fields,
    ) -> Result<(), HpackError> {
        let index = number(rest, prefix)?;
        if adds {
            return self.added(index, rest, fields);
        }
        let (known, name) = if index == 0 {
            let name = text(rest)?.read(&mut self.name)?;
            (Known::find(name), name)
        } else {
            let entry = self.table.lookup(index)?;
            (entry.known, entry.name)
        };
        let value = text(rest)?.read(&mut self.value)?;
        fields.field(Field {
            known,
            name,
            value,
            is_checked: false,
        });
        Ok(())
    }

    /// One that becomes the newest entry.
    fn added(
        &mut self,
        index: usize,
        rest: &mut &[u8],
        fields: &mut impl Fields,
    ) -> Result<(), HpackError> {
        let (known, name) = if index == 0 {
            let name = text(rest)?.read(&mut self.name)?;
            (Known::find(name), name)
        } else {
            let entry = self.table.lookup(index)?;
            // The entry may have to go for the new one.
            self.name.clear();
            self.name.extend_from_slice(entry.name);
            (entry.known, &self.name[..])
        };
        let value = text(rest)?.read(&mut self.value)?;
        let is_good = fields.field(Field {
            known,
            name,
            value,
            is_checked: false,
        });
        self.table.add(known, name, value, 0);
        if is_good {
            self.table.note_checked(NEWEST);
        }
        Ok(())
    }
}

impl<'a> Text<'a> {
    fn read<'b>(self, out: &'b mut Vec<u8>) -> Result<&'b [u8], HpackError>
    where
        'a: 'b,
    {
        if !self.is_huffman {
            return Ok(self.bytes);
        }
        out.clear();
        huffman::decode(self.bytes, out)?;
        Ok(out)
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
