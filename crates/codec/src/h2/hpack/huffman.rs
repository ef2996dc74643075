//! The Huffman code of RFC 7541 appendix B. It is canonical: the lengths alone give the codes.

use super::HpackError;

/// The end of a string, which never stands in one.
const EOS: usize = 256;
const LONGEST: usize = 30;
/// Bits that are looked up at once when decoding.
const FIRST: usize = 9;

/// The length of each byte's code in bits, and of `EOS`'s.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The bytes in the order of their codes, and where each length begins.
struct Canonical {
    symbols: [u16; 257],
    /// Of each length: its first code, and the place of that code's symbol.
    first_code: [u32; LONGEST + 1],
    first_place: [u16; LONGEST + 2],
}

const CANONICAL: Canonical = {
    let mut symbols = [0; 257];
    let mut first_code = [0; LONGEST + 1];
    let mut first_place = [0; LONGEST + 2];
    let (mut code, mut place, mut length) = (0_u32, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        first_code[length] = code;
        first_place[length] = place;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] as usize == length {
                symbols[place as usize] = symbol as u16;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    first_place[LONGEST + 1] = place;
    Canonical {
        symbols,
        first_code,
        first_place,
    }
};

/// Each byte's code, right-aligned.
const CODES: [u32; 257] = {
    let mut codes = [0; 257];
    let mut length = 1;
    while length <= LONGEST {
        let mut place = CANONICAL.first_place[length];
        while place < CANONICAL.first_place[length + 1] {
            let offset = (place - CANONICAL.first_place[length]) as u32;
            codes[CANONICAL.symbols[place as usize] as usize] =
                CANONICAL.first_code[length] + offset;
            place += 1;
        }
        length += 1;
    }
    codes
};

/// What the next `FIRST` bits begin with: a byte and its length; length 0 for a longer code.
static SHORT: [(u8, u8); 1 << FIRST] = {
    let mut table = [(0, 0); 1 << FIRST];
    let mut symbol = 0;
    while symbol < EOS {
        let length = LENGTHS[symbol] as usize;
        if length <= FIRST {
            let first = (CODES[symbol] as usize) << (FIRST - length);
            let mut at = first;
            while at < first + (1 << (FIRST - length)) {
                table[at] = (symbol as u8, length as u8);
                at += 1;
            }
        }
        symbol += 1;
    }
    table
};

/// Decodes a string behind what is in `out`.
///
/// # Errors
/// `EOS` within it, or padding that is no part of `EOS` or longer than seven bits (section 5.2).
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), HpackError> {
    let begin = out.len();
    // Room for as many bytes as there can be: none has less than five bits.
    out.resize(begin + input.len() * 8 / 5 + 1, 0);
    let decoded = decode_to(input, &mut out[begin..]);
    out.truncate(begin + decoded.as_ref().copied().unwrap_or(0));
    decoded.map(drop)
}

/// How many bytes it came to.
fn decode_to(mut input: &[u8], out: &mut [u8]) -> Result<usize, HpackError> {
    // The bits not yet decoded stand at the top; what is behind `count` of them may be, too.
    let (mut bits, mut count) = (0_u64, 0_usize);
    for (at, slot) in out.iter_mut().enumerate() {
        if count < LONGEST {
            refill(&mut input, &mut bits, &mut count);
            if count == 0 {
                return Ok(at);
            }
        }
        let (byte, length) = SHORT[(bits >> (64 - FIRST)) as usize];
        let (symbol, length) = if length > 0 {
            (u16::from(byte), usize::from(length))
        } else {
            long(bits)
        };
        if length > count {
            // What is left is padding: less than a byte, all ones.
            let ones = !0_u64 << (64 - count);
            let good = count < 8 && bits & ones == ones;
            return if good {
                Ok(at)
            } else {
                Err(HpackError::Huffman)
            };
        }
        if usize::from(symbol) == EOS {
            return Err(HpackError::Huffman);
        }
        *slot = symbol as u8;
        bits <<= length;
        count -= length;
    }
    Err(HpackError::Huffman)
}

/// Takes as many whole bytes as there is room for.
fn refill(input: &mut &[u8], bits: &mut u64, count: &mut usize) {
    if let Some(word) = input.first_chunk() {
        let room = (63 - *count) / 8;
        // Bytes that are not taken leave bits behind, which are the same when they are taken.
        *bits |= u64::from_be_bytes(*word) >> *count;
        *count += 8 * room;
        *input = &input[room..];
        return;
    }
    while *count <= 56
        && let Some((&byte, rest)) = input.split_first()
    {
        *bits |= u64::from(byte) << (56 - *count);
        *count += 8;
        *input = rest;
    }
}

/// The symbol that the bits at the top begin with, longer than `FIRST` bits; and its length.
fn long(bits: u64) -> (u16, usize) {
    let mut length = FIRST + 1;
    while length < LONGEST {
        let code = (bits >> (64 - length)) as u32;
        let codes = CANONICAL.first_place[length + 1] - CANONICAL.first_place[length];
        if code < CANONICAL.first_code[length] + u32::from(codes) {
            break;
        }
        length += 1;
    }
    let code = (bits >> (64 - length)) as u32;
    let offset = code.wrapping_sub(CANONICAL.first_code[length]) as usize;
    let place = usize::from(CANONICAL.first_place[length]) + offset;
    let symbol = CANONICAL.symbols.get(place).copied();
    (symbol.unwrap_or(EOS as u16), length)
}

/// How many bytes a string takes when encoded.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text
        .iter()
        .map(|&byte| usize::from(LENGTHS[usize::from(byte)]))
        .sum();
    bits.div_ceil(8)
}

/// Writes a string encoded.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0_u64, 0);
    for &byte in text {
        let length = u32::from(LENGTHS[usize::from(byte)]);
        bits = bits << length | u64::from(CODES[usize::from(byte)]);
        count += length;
        while count >= 32 {
            count -= 32;
            out.extend_from_slice(&((bits >> count) as u32).to_be_bytes());
        }
    }
    while count >= 8 {
        count -= 8;
        out.push((bits >> count) as u8);
    }
    if count > 0 {
        let padding = 0xff_u8 >> count;
        out.push((bits << (8 - count)) as u8 | padding);
    }
}
