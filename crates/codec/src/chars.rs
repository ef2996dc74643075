//! Which bytes may stand where: tables, and tests of eight bytes at once.

use nuncio_base::header_name::is_token;

/// A token's byte in lower case; 0 for a byte that cannot be in a token.
pub(crate) const LOWER_TOKEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if is_token(byte as u8) {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// How many bytes of a value are looked at together: compilers make one comparison of them.
const TOGETHER: usize = 16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks of the bytes below `limit` (at most 128), the lowest mark at the first of them. Above it
/// there may be marks too many.
const fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & HIGHS
}

/// As [`below`], of the bytes that are `byte`.
const fn equal(word: u64, byte: u64) -> u64 {
    below(word ^ (ONES * byte), 1)
}

/// Whether a byte may stand in a field value: no control byte but the tab (RFC 9110 section 5.5;
/// bytes above 127 are let through as Envoy lets them).
const fn is_value_byte(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Whether a target's byte is visible ASCII.
const fn is_visible(byte: u8) -> bool {
    byte > b' ' && byte < 0x7f
}

/// Whether one of the bytes may not stand in a field value.
fn has_bad(run: &[u8; TOGETHER]) -> bool {
    let found = |bad, &byte: &u8| bad | u8::from(!is_value_byte(byte));
    run.iter().fold(0, found) != 0
}

/// Whether all bytes may stand in a field value.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    let (runs, rest) = bytes.as_chunks::<TOGETHER>();
    if runs.iter().any(has_bad) {
        return false;
    }
    // The last run may overlap the one before it: that is less than a loop over what is left.
    match bytes.last_chunk::<TOGETHER>() {
        Some(last) => rest.is_empty() || !has_bad(last),
        None => rest.iter().all(|&byte| is_value_byte(byte)),
    }
}

/// Where the first byte is that may not stand in a field value.
pub(crate) fn first_control(bytes: &[u8]) -> Option<usize> {
    let (runs, _) = bytes.as_chunks::<TOGETHER>();
    let clean = runs.iter().take_while(|run| !has_bad(run)).count() * TOGETHER;
    let mut at = clean;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let packed = u64::from_le_bytes(*word);
        let marks = below(packed, 0x20) | equal(packed, 0x7f);
        if marks == 0 {
            at += 8;
            continue;
        }
        at += marks.trailing_zeros() as usize / 8;
        if !is_value_byte(bytes[at]) {
            return Some(at);
        }
        at += 1;
    }
    let rest = bytes[at..].iter();
    let found = rest.into_iter().position(|&byte| !is_value_byte(byte))?;
    Some(at + found)
}

/// Where the first colon is.
pub(crate) fn colon(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = equal(u64::from_le_bytes(*word), b':'.into());
        if marks != 0 {
            return Some(index * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|&byte| byte == b':')?;
    Some(words.len() * 8 + found)
}

/// Whether all bytes are visible ASCII.
pub(crate) fn is_all_visible(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let packed = u64::from_le_bytes(*word);
        if packed & HIGHS != 0 || below(packed, 0x21) | equal(packed, 0x7f) != 0 {
            return false;
        }
    }
    rest.iter().all(|&byte| is_visible(byte))
}

/// Whether a line holds control bytes that are worse than misplaced line ends and tabs: Envoy
/// tells such a line from one that is merely wrong.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .any(|&byte| !is_value_byte(byte) && byte != b'\r')
}

/// Whether all bytes may be in an authority (RFC 3986 section 3.2), and there is one.
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'-' | b'.'
                        | b'_'
                        | b'~'
                        | b'%'
                        | b'!'
                        | b'$'
                        | b'&'
                        | b'\''
                        | b'('
                        | b')'
                        | b'*'
                        | b'+'
                        | b','
                        | b';'
                        | b'='
                        | b':'
                        | b'@'
                        | b'['
                        | b']'
                );
            byte += 1;
        }
        table
    };
    !bytes.is_empty() && bytes.iter().all(|&byte| TABLE[byte as usize])
}

/// Cuts spaces and tabs off both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The comma-separated elements of a value, trimmed; empty ones are left out.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether an element of the list is `token`, in any case.
pub(crate) fn has_element(value: &[u8], token: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The number that the bytes are, digits only.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_once_is_as_one_by_one() {
        for byte in 0..=255_u8 {
            for at in 0..17 {
                let mut bytes = [b'a'; 17];
                bytes[at] = byte;
                assert_eq!(is_value(&bytes), is_value_byte(byte), "{byte} at {at}");
                let control = (!is_value_byte(byte)).then_some(at);
                assert_eq!(first_control(&bytes), control, "{byte} at {at}");
                assert_eq!(is_all_visible(&bytes), is_visible(byte), "{byte} at {at}");
                let found = (byte == b':').then_some(at);
                assert_eq!(colon(&bytes), found, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("010", Some(10)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("1 ", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn lists_are_split_and_trimmed() {
        let all: Vec<_> = elements(b" a,, b\t,c").collect();
        assert_eq!(all, [b"a", b"b", b"c"]);
        assert!(has_element(b"x, Keep-ALIVE", "keep-alive"));
        assert!(!has_element(b"keep-alivex", "keep-alive"));
    }
}
