//! Numbers as text, straight into the output.

use std::io::Write;

/// Appends a whole number.
pub(super) fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a whole number with its sign.
pub(super) fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// Appends a whole number in `width` places or more, filled up with `fill`.
pub(super) fn write_padded(out: &mut Vec<u8>, value: u64, width: usize, fill: u8) {
    let start = out.len();
    write_u64(out, value);
    pad_left(out, start, width, fill);
}

/// Fills up what was appended since `start` to `width` bytes, in front.
pub(super) fn pad_left(out: &mut Vec<u8>, start: usize, width: usize, fill: u8) {
    let missing = width.saturating_sub(out.len() - start);
    if missing > 0 {
        out.resize(out.len() + missing, fill);
        out[start..].rotate_right(missing);
        out[start..start + missing].fill(fill);
    }
}

/// Appends a number as Envoy's JSON has it: the digits that are needed to read it back, in plain
/// or in exponent form, whichever is shorter; whole numbers beyond 2^53 in all their digits.
pub(super) fn write_f64(out: &mut Vec<u8>, value: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !value.is_finite() {
        // JSON has no word for it.
        out.extend_from_slice(b"null");
        return;
    }
    if (1.0..1e5).contains(&value) && value.fract() == 0.0 {
        return write_u64(out, value as u64);
    }
    let start = out.len();
    if value.abs() >= EXACT {
        write_to(out, format_args!("{value:.0}"));
    } else {
        write_to(out, format_args!("{value}"));
    }
    let plain = out.len() - start;
    if plain < "1e+05".len() {
        return;
    }
    let exponent_form = out.len();
    write_to(out, format_args!("{value:e}"));
    normalize_exponent(out, exponent_form);
    if out.len() - exponent_form < plain {
        out.drain(start..exponent_form);
    } else {
        out.truncate(exponent_form);
    }
}

/// Turns `e5` into `e+05`, `e-7` into `e-07`.
fn normalize_exponent(out: &mut Vec<u8>, start: usize) {
    let Some(e) = out[start..].iter().position(|byte| *byte == b'e') else {
        return;
    };
    let at = start + e + 1;
    let negative = out.get(at) == Some(&b'-');
    if !negative {
        out.insert(at, b'+');
    }
    if out.len() - at == 2 {
        out.insert(at + 1, b'0');
    }
}

/// Appends formatted text; for what is rare.
pub(super) fn write_to(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a `Vec` never fails.
    let _ = out.write_fmt(text);
}
