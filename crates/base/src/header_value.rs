//! What may stand in the value of a header.

/// Whether a byte may: no control byte but the tab (RFC 9110 section 5.5; bytes above 127 are let
/// through as Envoy lets them).
pub const fn is_value_byte(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Whether all of them may, in a value that did not come through a codec.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_value_byte(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_may_not() {
        for (value, expected) in [
            (&b""[..], true),
            (b"a b\tc", true),
            (b"\xff\x80", true),
            (b"a\rb", false),
            (b"a\n", false),
            (b"\0", false),
            (b"\x7f", false),
        ] {
            assert_eq!(is_value(value), expected, "{value:?}");
        }
    }
}
