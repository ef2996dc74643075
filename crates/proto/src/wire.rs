//! The protobuf wire format: reading a message's fields one by one and writing them.
//!
//! Everything generic (loading, checking, printing, redacting) works on wire bytes and the tables
//! of `reflect`, so that a file's text, a `.pb` file and an xDS resource go through the same code.

mod read;

pub use read::{Fields, Malformed, Value, fields, take, take_varint};

impl<'a> Value<'a> {
    /// The bytes of a length-delimited value.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number of a varint.
    pub fn varint(self) -> Option<u64> {
        match self {
            Self::Varint(number) => Some(number),
            _ => None,
        }
    }
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a field's tag; `wire_type` is 0, 1, 2 or 5.
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends a length-delimited field.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field as it was read.
pub fn put(out: &mut Vec<u8>, number: u32, value: Value<'_>) {
    match value {
        Value::Varint(value) => {
            put_tag(out, number, 0);
            put_varint(out, value);
        }
        Value::Fixed64(value) => {
            put_tag(out, number, 1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Bytes(value) => put_bytes(out, number, value),
        Value::Fixed32(value) => {
            put_tag(out, number, 5);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Begins a length-delimited field whose length is not known yet; `end` closes it.
pub fn begin(out: &mut Vec<u8>, number: u32) -> usize {
    put_tag(out, number, 2);
    // One byte for the length, which is enough for most; `end` makes room for more.
    out.push(0);
    out.len()
}

/// Ends the field that `begin` began at `start`.
pub fn end(out: &mut Vec<u8>, start: usize) {
    let length = (out.len() - start) as u64;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    let mut encoded = Vec::with_capacity(10);
    put_varint(&mut encoded, length);
    out.splice(start - 1..start, encoded);
}
