//! JSON texts and values, straight into the output.

use super::number::write_f64;
use nuncio_base::metadata::Value;

/// Appends a value as JSON.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_f64(out, *number),
        Value::Text(text) => write_string(out, text.as_bytes()),
        Value::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Struct(fields) => {
            out.push(b'{');
            for (at, (name, field)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(out, name.as_bytes());
                out.push(b':');
                write_value(out, field);
            }
            out.push(b'}');
        }
    }
}

/// Appends a JSON string.
pub(super) fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.extend_from_slice(text);
    escape_tail(out, start);
    out.push(b'"');
}

/// Escapes what was appended since `start` for the inside of a JSON string. Text that isn't UTF-8
/// has its bytes beyond ASCII written as `\u00xx`, as Envoy does.
pub(super) fn escape_tail(out: &mut Vec<u8>, start: usize) {
    let tail = &out[start..];
    let Some(first) = tail.iter().position(|byte| needs_escape(*byte)) else {
        if tail.is_ascii() || std::str::from_utf8(tail).is_ok() {
            return;
        }
        return escape_from(out, start, start, false);
    };
    let utf8 = std::str::from_utf8(tail).is_ok();
    let from = if utf8 { start + first } else { start };
    escape_from(out, start, from, utf8);
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Writes the escaped form behind the text, then drops the text.
#[cold]
fn escape_from(out: &mut Vec<u8>, start: usize, from: usize, utf8: bool) {
    debug_assert!(start <= from);
    let end = out.len();
    for at in from..end {
        let byte = out[at];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => write_code(out, byte),
            0x80.. if !utf8 => write_code(out, byte),
            _ => out.push(byte),
        }
    }
    out.drain(from..end);
}

fn write_code(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 15)]);
}
