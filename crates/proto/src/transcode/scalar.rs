//! Numbers, bools, enums, strings and bytes from their text.

use crate::error::ErrorKind;
use crate::reflect::{EnumRef, FieldRef, Kind};
use crate::suggest;
use crate::transcode::Transcoder;
use crate::tree::{NodeId, NodeKind};
use crate::wire;

/// A scalar as the wire has it.
#[derive(Clone, Copy)]
pub enum Scalar {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
}

impl Scalar {
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Varint(0) | Self::Fixed32(0) | Self::Fixed64(0))
    }

    pub fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Fixed32(_) => 5,
        }
    }

    pub fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Varint(number) => wire::put_varint(out, number),
            Self::Fixed32(number) => out.extend_from_slice(&number.to_le_bytes()),
            Self::Fixed64(number) => out.extend_from_slice(&number.to_le_bytes()),
        }
    }
}

impl<'t> Transcoder<'t> {
    /// A number, bool or enum; null (only in lists) is zero.
    pub(super) fn scalar(&mut self, node: NodeId, field: FieldRef) -> Option<Scalar> {
        let (tree, kind) = (self.tree, field.kind());
        let text = tree.text(node);
        let found = tree.node(node).kind;
        let parsed = match (kind, found) {
            (_, NodeKind::Null) => Ok(zero(kind)),
            (Kind::Bool, NodeKind::Bool(value)) => Ok(Scalar::Varint(value.into())),
            (Kind::Bool, NodeKind::String) => match bool_of(text) {
                Some(value) => Ok(Scalar::Varint(value.into())),
                None => Err("expected 'true' or 'false'".to_owned()),
            },
            (Kind::Bool, _) => return self.mismatched(node, "true or false"),
            (Kind::Enum, NodeKind::Number | NodeKind::String) => {
                return self.enumeration(node, field.enumeration()?);
            }
            (Kind::Enum, _) => return self.mismatched(node, "the name of an enum value"),
            (Kind::Double, NodeKind::Number | NodeKind::String) => {
                double_of(text).map(|value| Scalar::Fixed64(value.to_bits()))
            }
            (Kind::Float, NodeKind::Number | NodeKind::String) => {
                float_of(text).map(|value| Scalar::Fixed32(value.to_bits()))
            }
            (_, NodeKind::Number | NodeKind::String) => integer_of(text, kind),
            _ => return self.mismatched(node, "a number"),
        };
        parsed.map_err(|reason| self.error(node, reason)).ok()
    }

    fn mismatched<T>(&mut self, node: NodeId, expected: &str) -> Option<T> {
        self.mismatch(node, expected);
        None
    }

    fn enumeration(&mut self, node: NodeId, enumeration: EnumRef) -> Option<Scalar> {
        let tree = self.tree;
        let text = tree.text(node);
        if let Ok(value) = integer_of(text, Kind::Int32)
            && (text.parse::<i64>().is_ok() || tree.node(node).kind == NodeKind::Number)
        {
            return Some(value);
        }
        let known = enumeration
            .values()
            .find(|value| value.name().eq_ignore_ascii_case(text));
        match known {
            Some(value) if value.not_built() => {
                let text = format!("not built: {} of enum {}", value.name(), enumeration.name());
                let mark = tree.place(node).mark;
                self.push_error(ErrorKind::NotBuilt, mark, text, None);
                None
            }
            Some(value) => Some(Scalar::Varint(i64::from(value.number()) as u64)),
            None => {
                let names = enumeration.values().map(|value| value.name());
                let hint = match suggest::closest(text, names.clone()) {
                    Some(close) => format!("did you mean '{close}'?"),
                    None => format!("it is one of {}", names.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("unknown enum value: '{text}'");
                let mark = tree.place(node).mark;
                self.push_error(ErrorKind::Unknown, mark, message, Some(hint));
                None
            }
        }
    }

    pub(super) fn string(&mut self, node: NodeId) -> Option<&'t str> {
        match self.tree.node(node).kind {
            NodeKind::String => Some(self.tree.text(node)),
            NodeKind::Number | NodeKind::Bool(_) => {
                let mut expected = "a string".to_owned();
                let text = self.tree.text(node);
                if !text.is_empty() {
                    expected = format!("a string (in quotes: \"{text}\")");
                }
                self.mismatched(node, &expected)
            }
            _ => self.mismatched(node, "a string"),
        }
    }

    pub(super) fn bytes(&mut self, node: NodeId) -> Option<Vec<u8>> {
        if self.tree.node(node).kind != NodeKind::String {
            return self.mismatched(node, "a string (base64)");
        }
        let bytes = base64(self.tree.text(node));
        if bytes.is_none() {
            self.error(node, "corrupt base64");
        }
        bytes
    }
}

fn zero(kind: Kind) -> Scalar {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::SFixed64 => Scalar::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::SFixed32 => Scalar::Fixed32(0),
        _ => Scalar::Varint(0),
    }
}

/// The words that a quoted bool may be, in any letter case.
fn bool_of(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match () {
        () if is(&["true", "t", "yes", "y", "1"]) => Some(true),
        () if is(&["false", "f", "no", "n", "0"]) => Some(false),
        () => None,
    }
}

/// An integer: JSON's numbers if they have no fraction (`1e3` too), or hex.
pub fn integer_of(text: &str, kind: Kind) -> Result<Scalar, String> {
    let value = whole(text)?;
    let fits = |low: i128, high: i128| match value {
        value if value < low || value > high => Err("integer out of range".to_owned()),
        value => Ok(value),
    };
    let (i32s, i64s) = (
        (i32::MIN.into(), i32::MAX.into()),
        (i64::MIN.into(), i64::MAX.into()),
    );
    Ok(match kind {
        Kind::Int32 => Scalar::Varint(fits(i32s.0, i32s.1)? as i64 as u64),
        Kind::Int64 => Scalar::Varint(fits(i64s.0, i64s.1)? as i64 as u64),
        Kind::UInt32 => Scalar::Varint(fits(0, u32::MAX.into())? as u64),
        Kind::SInt32 => Scalar::Varint(zigzag(fits(i32s.0, i32s.1)? as i64)),
        Kind::SInt64 => Scalar::Varint(zigzag(fits(i64s.0, i64s.1)? as i64)),
        Kind::Fixed32 => Scalar::Fixed32(fits(0, u32::MAX.into())? as u32),
        Kind::SFixed32 => Scalar::Fixed32(fits(i32s.0, i32s.1)? as i32 as u32),
        Kind::Fixed64 => Scalar::Fixed64(fits(0, u64::MAX.into())? as u64),
        Kind::SFixed64 => Scalar::Fixed64(fits(i64s.0, i64s.1)? as i64 as u64),
        _ => Scalar::Varint(fits(0, u64::MAX.into())? as u64),
    })
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn whole(text: &str) -> Result<i128, String> {
    // Longer than any 64-bit number, and than what i128 holds.
    if text.len() < 38 {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map_err(|_| format!("invalid number: '{text}'"));
        }
        if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return i128::from_str_radix(hex, 16).map_err(|_| format!("invalid number: '{text}'"));
        }
    }
    let number = double_of(text)?;
    if number.fract() != 0.0 {
        return Err("expected integer, but JSON number had fractional part".to_owned());
    }
    if !number.is_finite() || number.abs() > 2f64.powi(64) {
        return Err("JSON number out of range for int".to_owned());
    }
    Ok(number as i128)
}

/// A double: a JSON number, or one of the three names of what is none.
fn double_of(text: &str) -> Result<f64, String> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    let numeric =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|_| text.bytes().all(numeric));
    number.ok_or_else(|| format!("invalid number: '{text}'"))
}

fn float_of(text: &str) -> Result<f32, String> {
    let double = double_of(text)?;
    let float = double as f32;
    if float.is_infinite() && double.is_finite() {
        return Err("JSON number out of range for float".to_owned());
    }
    Ok(float)
}

/// Base64 in either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut bits = 0u32;
        for (at, &byte) in chunk.iter().enumerate() {
            let six = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits |= u32::from(six) << (18 - 6 * at);
        }
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}
