//! Takes a whole, ordinary field line apart in one pass. Whatever is unusual is left to the slower
//! reading, which finds out what is wrong.

use crate::chars::{LOWER_TOKEN, first_control};

/// Names up to this length are lowered on the stack.
pub(super) const SHORT_NAME: usize = 64;

/// A field line's parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldLine<'a> {
    /// As it was written.
    pub name: &'a [u8],
    /// Without white space around it.
    pub value: &'a [u8],
    /// The bytes of the line, its end included.
    pub len: usize,
}

/// The field line that `input` begins with, its name in lower case in `lower`; `None` where it is
/// not there as a whole, or not simply right.
pub(super) fn field_line<'a>(
    input: &'a [u8],
    lower: &mut [u8; SHORT_NAME],
) -> Option<FieldLine<'a>> {
    let mut name_len = 0;
    for (to, &from) in lower.iter_mut().zip(input) {
        *to = LOWER_TOKEN[from as usize];
        if *to == 0 {
            break;
        }
        name_len += 1;
    }
    let (name, rest) = input.split_at_checked(name_len)?;
    let [b':', rest @ ..] = rest else { return None };
    let before = rest.iter().take_while(|&&byte| is_space(byte)).count();
    let value = &rest[before..];
    let end = first_control(value)?;
    let (value, b"\r\n") = (&value[..end], value.get(end..end + 2)?) else {
        return None;
    };
    let after = value
        .iter()
        .rev()
        .take_while(|&&byte| is_space(byte))
        .count();
    (name_len > 0).then_some(FieldLine {
        name,
        value: &value[..end - after],
        len: name_len + 1 + before + end + 2,
    })
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
            let found = field_line(input.as_bytes(), &mut [0; SHORT_NAME]);
            let expected = expected.map(|(name, value, len): (&str, &str, usize)| FieldLine {
                name: name.as_bytes(),
                value: value.as_bytes(),
                len,
            });
            assert_eq!(found, expected, "{input:?}");
        }
    }
}
