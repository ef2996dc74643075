//! Query strings: one parameter, or all of them made readable.

/// Appends the value of the first parameter of this name, decoded; whether there is one.
///
/// Control characters stay encoded, unlike in Envoy: who sends a request must not be able to end
/// a log's line or a header's value.
pub(super) fn write_param(query: &[u8], name: &[u8], out: &mut Vec<u8>) -> bool {
    for param in query.split(|byte| *byte == b'&') {
        let at = param.iter().position(|byte| *byte == b'=');
        let key = &param[..at.unwrap_or(param.len())];
        if !decoded_eq(key, name) {
            continue;
        }
        let mut value = at.map_or(&b""[..], |at| &param[at + 1..]);
        while let Some((byte, rest)) = value.split_first() {
            match escape(value) {
                Some(code) if !code.is_ascii_control() => {
                    out.push(code);
                    value = &value[3..];
                }
                _ => {
                    out.push(*byte);
                    value = rest;
                }
            }
        }
        return true;
    }
    false
}

/// Whether `text` is `name` once it is decoded.
fn decoded_eq(mut text: &[u8], name: &[u8]) -> bool {
    for expected in name {
        let (byte, len) = match (escape(text), text.first()) {
            (Some(code), _) => (code, 3),
            (None, Some(byte)) => (*byte, 1),
            (None, None) => return false,
        };
        if byte != *expected {
            return false;
        }
        text = &text[len..];
    }
    text.is_empty()
}

/// Appends a query string with those escapes decoded that stand for harmless characters, as Envoy
/// does: other escapes stay, percent signs that begin none go, but for one in the last two bytes.
pub(super) fn write_readable(mut query: &[u8], out: &mut Vec<u8>) {
    while let Some((byte, rest)) = query.split_first() {
        match escape(query) {
            Some(code) if is_harmless(code) => {
                out.push(code);
                query = &query[3..];
            }
            Some(_) => {
                out.extend_from_slice(&query[..3]);
                query = &query[3..];
            }
            None => {
                if *byte != b'%' || query.len() < 3 {
                    out.push(*byte);
                }
                query = rest;
            }
        }
    }
}

fn is_harmless(code: u8) -> bool {
    code.is_ascii_graphic()
        && !matches!(code, b'"' | b'<' | b'>' | b'\\' | b'^' | b'{' | b'|' | b'}')
}

/// The byte that a `%xx` at the beginning stands for (RFC 3986 section 2.1).
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let hex = |digit: u8| char::from(digit).to_digit(16);
    Some((hex(*high)? << 4 | hex(*low)?) as u8)
}
