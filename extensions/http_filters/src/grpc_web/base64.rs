//! Base64 (RFC 4648 section 4), piece by piece: whole groups of four in, a text per frame out.

use nuncio_base::Buffer;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes a text that comes in pieces; each group may be padded, since each frame may be a text
/// of its own.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    group: [u8; 4],
    len: usize,
}

impl Decoder {
    /// Decodes a piece; `None`: it is no base64. A group that is not whole waits for the next
    /// piece.
    pub fn decode(&mut self, data: &Buffer) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
        for &byte in data.slices().flat_map(|slice| slice.iter()) {
            self.group[self.len] = byte;
            self.len += 1;
            if self.len == 4 {
                self.len = 0;
                decode_group(self.group, &mut out)?;
            }
        }
        Some(out)
    }

    /// Whether the text may end here.
    pub fn is_whole(&self) -> bool {
        self.len == 0
    }
}

fn decode_group(group: [u8; 4], out: &mut Vec<u8>) -> Option<()> {
    let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut number = 0;
    for &byte in &group[..4 - padding] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        number = number << 6 | u32::from(digit);
    }
    number <<= 6 * padding;
    let [_, bytes @ ..] = number.to_be_bytes();
    let (bytes, unused) = bytes.split_at(3 - padding);
    out.extend_from_slice(bytes);
    unused.iter().all(|byte| *byte == 0).then_some(())
}

/// Encodes frames, each as a text of its own, however they are cut.
#[derive(Debug, Default)]
pub(super) struct FrameEncoder {
    group: [u8; 3],
    len: usize,
    /// The bytes of the frame's head that came, and its length as far as they say.
    head: usize,
    length: u32,
    left: usize,
}

impl FrameEncoder {
    /// Encodes what comes next.
    pub fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            self.group[self.len] = byte;
            self.len += 1;
            if self.len == 3 {
                self.put(out);
            }
            if self.head < 5 {
                if self.head > 0 {
                    self.length = self.length << 8 | u32::from(byte);
                }
                self.head += 1;
                self.left = self.length as usize;
            } else {
                self.left -= 1;
            }
            if self.head == 5 && self.left == 0 {
                self.put(out);
                *self = Self::default();
            }
        }
    }

    /// Writes the bytes of a group, padded where they are fewer than three.
    fn put(&mut self, out: &mut Vec<u8>) {
        if self.len == 0 {
            return;
        }
        let mut group = [0; 3];
        group[..self.len].copy_from_slice(&self.group[..self.len]);
        let [a, b, c] = group.map(u32::from);
        let number = a << 16 | b << 8 | c;
        for digit in 0..4 {
            out.push(match digit <= self.len {
                true => ALPHABET[(number >> (18 - 6 * digit)) as usize & 63],
                false => b'=',
            });
        }
        self.len = 0;
    }
}
