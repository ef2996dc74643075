//! Hexadecimal digits.

/// The two digits of every byte, in lower case.
pub const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
};

/// Bytes as digits in lower case.
pub fn encode(bytes: &[u8]) -> String {
    let pairs = bytes.iter().flat_map(|byte| PAIRS[usize::from(*byte)]);
    pairs.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[0, 0x1f, 0xa0, 0xff]), "001fa0ff");
    }
}
