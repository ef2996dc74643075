//! Which bytes may stand where: tables, and tests of sixteen bytes at once.

use nuncio_base::header_name::is_token;
use nuncio_base::header_value::is_value_byte;
use nuncio_base::sixteen::Sixteen;

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

/// Marks what may not stand in a field value.
fn controls(wide: Sixteen) -> u16 {
    (wide.below(b' ') & !wide.equal(b'\t')) | wide.equal(0x7f)
}

/// Where the first byte is that `marks` marks, as it marks zeros.
fn first(bytes: &[u8], marks: impl Fn(Sixteen) -> u16) -> Option<usize> {
    let mut rest = bytes;
    let found = loop {
        let found = marks(Sixteen::beginning(rest));
        if found != 0 {
            break found.trailing_zeros() as usize;
        }
        rest = rest.get(16..)?;
    };
    (found < rest.len()).then(|| bytes.len() - rest.len() + found)
}

/// Where the first byte is that may not stand in a field value.
pub(crate) fn first_control(bytes: &[u8]) -> Option<usize> {
    first(bytes, controls)
}

/// Whether all bytes may stand in a field value.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    first_control(bytes).is_none()
}

/// Where the first colon is, if no control byte is before it.
pub(crate) fn colon(bytes: &[u8]) -> Option<usize> {
    first(bytes, |wide| wide.equal(b':') | wide.below(b' ')).filter(|&at| bytes[at] == b':')
}

/// Whether all bytes are visible ASCII.
pub(crate) fn is_all_visible(bytes: &[u8]) -> bool {
    first(bytes, |wide| wide.below(0x21) | !wide.below(0x7f)).is_none()
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
    fn sixteen_at_once_is_as_one_by_one() {
        for byte in 0..=255_u8 {
            for at in 0..17 {
                let mut bytes = [b'a'; 17];
                bytes[at] = byte;
                assert_eq!(is_value(&bytes), is_value_byte(byte), "{byte} at {at}");
                let control = (!is_value_byte(byte)).then_some(at);
                assert_eq!(first_control(&bytes), control, "{byte} at {at}");
                assert_eq!(
                    is_all_visible(&bytes),
                    byte.is_ascii_graphic(),
                    "{byte} at {at}"
                );
                let found = (byte == b':').then_some(at);
                assert_eq!(colon(&bytes), found, "{byte} at {at}");
                let before = [&bytes[..], b":"].concat();
                let found = (byte >= b' ').then_some(if byte == b':' { at } else { 17 });
                assert_eq!(colon(&before), found, "{byte} at {at}");
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
