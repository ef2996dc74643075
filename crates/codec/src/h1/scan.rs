//! Takes a whole, ordinary field line apart in one pass. Whatever is unusual is left to the slower
//! reading, which finds out what is wrong.

use crate::chars::{LOWER_TOKEN, colon, first_control};
use nuncio_base::Known;

/// Names that nobody knows are taken up to this length.
pub(super) const SHORT_NAME: usize = 64;

/// A field line's parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldLine<'a> {
    /// As it was written.
    pub name: &'a [u8],
    /// The name, if it is a known one; else it is in `lower`.
    pub known: Option<Known>,
    /// Without white space around it.
    pub value: &'a [u8],
    /// Where the value begins.
    pub value_at: usize,
    /// The bytes of the line, its end included.
    pub len: usize,
}

/// The field line that `input` begins with; a name that is no known one is put in lower case into
/// `lower`. `None` where the line is not there as a whole, or not simply right.
pub(super) fn field_line<'a>(
    input: &'a [u8],
    lower: &mut [u8; SHORT_NAME],
) -> Option<FieldLine<'a>> {
    let name_len = colon(input).filter(|&len| len <= SHORT_NAME)?;
    let (name, rest) = (&input[..name_len], &input[name_len + 1..]);
    let known = Known::find_beginning(input, name_len);
    if known.is_none() && !lower_token(name, lower) {
        return None;
    }
    let before = match rest {
        [b' ', b'!'..=b'~', ..] => 1,
        _ => rest.iter().take_while(|&&byte| is_space(byte)).count(),
    };
    let rest = &rest[before..];
    let end = first_control(rest)?;
    let (value, [b'\r', b'\n', ..]) = rest.split_at(end) else {
        return None;
    };
    let after = match value {
        [.., b' ' | b'\t'] => value
            .iter()
            .rev()
            .take_while(|&&byte| is_space(byte))
            .count(),
        _ => 0,
    };
    (name_len > 0).then_some(FieldLine {
        name,
        known,
        value: &value[..end - after],
        value_at: name_len + 1 + before,
        len: name_len + 1 + before + end + 2,
    })
}

/// Puts a token in lower case into `lower`; false if it is none.
fn lower_token(name: &[u8], lower: &mut [u8; SHORT_NAME]) -> bool {
    let mut least = u8::MAX;
    for (to, &from) in lower.iter_mut().zip(name) {
        *to = LOWER_TOKEN[from as usize];
        least = least.min(*to);
    }
    least != 0
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_lines_are_taken_apart() {
        let long = "n".repeat(SHORT_NAME);
        for (input, expected) in [
            ("a:b\r\n", Some(("a", "b", 5))),
            ("Host: x.y\r\nb: c\r\n", Some(("Host", "x.y", 11))),
            ("a: \t b\tc \t \r\n\r\n", Some(("a", "b\tc", 13))),
            ("a:\r\n", Some(("a", "", 4))),
            ("a:  \r\n", Some(("a", "", 6))),
            (
                "a: 12345678901234567890\r\n",
                Some(("a", "12345678901234567890", 25)),
            ),
            // Not whole.
            ("", None),
            ("a", None),
            ("a:", None),
            ("a: b", None),
            ("a: b\r", None),
            // Not right, or not for here.
            ("\r\n", None),
            (": b\r\n", None),
            ("a : b\r\n", None),
            ("a: b\n", None),
            ("a: b\rc\r\n", None),
            ("a: b\0\r\n", None),
            ("a: 12345678\x7f\r\n", None),
            (&format!("{long}n: b\r\n"), None),
        ] {
            let mut lower = [0; SHORT_NAME];
            let found = field_line(input.as_bytes(), &mut lower);
            let found = found.map(|line| {
                let at = line.value_at..line.value_at + line.value.len();
                assert_eq!(line.value, &input.as_bytes()[at], "{input:?}");
                let name = line.name.to_ascii_lowercase();
                assert_eq!(line.known, Known::find(&name), "{input:?}");
                assert!(
                    line.known.is_some() || lower.starts_with(&name),
                    "{input:?}"
                );
                (line.name, line.value, line.len)
            });
            let expected = expected.map(|(name, value, len): (&str, &str, usize)| {
                (name.as_bytes(), value.as_bytes(), len)
            });
            assert_eq!(found, expected, "{input:?}");
        }
    }
}
