//! Printing scalars and the messages whose JSON form is special.

use std::fmt::Write;

use crate::json::{Printer, REDACTED};
use crate::reflect::{FieldRef, Kind, MessageRef, WellKnown};
use crate::wire::{self, Value};

impl Printer {
    /// One value of a field.
    pub(super) fn value(&mut self, field: FieldRef, value: Value<'_>, sensitive: bool) {
        match (field.kind(), value) {
            (Kind::Message, Value::Bytes(bytes)) => {
                if let Some(message) = field.message() {
                    self.message(bytes, message, sensitive);
                }
            }
            (Kind::String, Value::Bytes(_)) if sensitive => self.string(REDACTED),
            (Kind::Bytes, Value::Bytes(_)) if sensitive => self.base64(REDACTED.as_bytes()),
            (Kind::String, Value::Bytes(bytes)) => self.string(&String::from_utf8_lossy(bytes)),
            (Kind::Bytes, Value::Bytes(bytes)) => self.base64(bytes),
            (Kind::Enum, value) => self.enumeration(field, value),
            (kind, value) => self.number(kind, value),
        }
    }

    fn enumeration(&mut self, field: FieldRef, value: Value<'_>) {
        let number = value.varint().unwrap_or_default() as i32;
        let known = field.enumeration();
        if known.is_some_and(|known| known.name() == "google.protobuf.NullValue") {
            self.out.push_str("null");
            return;
        }
        match known.and_then(|known| known.value(number)) {
            Some(known) => self.string(known.name()),
            None => self.put(number),
        }
    }

    fn number(&mut self, kind: Kind, value: Value<'_>) {
        let bits = match value {
            Value::Varint(bits) | Value::Fixed64(bits) => bits,
            Value::Fixed32(bits) => bits.into(),
            Value::Bytes(_) => 0,
        };
        match kind {
            Kind::Bool => self.out.push_str(if bits != 0 { "true" } else { "false" }),
            Kind::Int32 | Kind::SFixed32 => self.put(bits as i32),
            Kind::UInt32 | Kind::Fixed32 => self.put(bits as u32),
            Kind::SInt32 => self.put((bits >> 1) as i32 ^ -((bits & 1) as i32)),
            Kind::Int64 | Kind::SFixed64 => self.put(format_args!("\"{}\"", bits as i64)),
            Kind::UInt64 | Kind::Fixed64 => self.put(format_args!("\"{bits}\"")),
            Kind::SInt64 => {
                self.put(format_args!(
                    "\"{}\"",
                    (bits >> 1) as i64 ^ -((bits & 1) as i64)
                ));
            }
            Kind::Float => {
                let float = f32::from_bits(bits as u32);
                self.float(float.into(), &float.to_string());
            }
            _ => {
                let double = f64::from_bits(bits);
                self.float(double, &double.to_string());
            }
        }
    }

    fn put(&mut self, value: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = write!(self.out, "{value}");
    }

    /// A double; `text` is it without an exponent, which very large and small ones get.
    fn float(&mut self, value: f64, text: &str) {
        if value.is_nan() {
            self.out.push_str("\"NaN\"");
        } else if value.is_infinite() {
            self.out.push_str(if value > 0.0 {
                "\"Infinity\""
            } else {
                "\"-Infinity\""
            });
        } else if value == 0.0 || (1e-5..1e17).contains(&value.abs()) {
            self.out.push_str(text);
        } else {
            let text = format!("{value:e}");
            match text.split_once('e') {
                Some((digits, power)) if !power.starts_with('-') => {
                    self.put(format_args!("{digits}e+{power:0>2}"));
                }
                _ => self.out.push_str(&text),
            }
        }
    }

    /// A string with JSON's escapes, and protobuf's: what HTML or a terminal may take amiss.
    pub(super) fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if must_escape(c) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        self.put(format_args!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        self.out.push('"');
        for chunk in bytes.chunks(3) {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let six = (bits >> (18 - 6 * at) & 63) as usize;
                let used = at <= chunk.len();
                self.out
                    .push(if used { char::from(ALPHABET[six]) } else { '=' });
            }
        }
        self.out.push('"');
    }

    pub(super) fn well_known(
        &mut self,
        bytes: &[u8],
        message: MessageRef,
        kind: WellKnown,
        sensitive: bool,
    ) {
        match kind {
            WellKnown::Duration => self.duration(if sensitive { &[] } else { bytes }),
            WellKnown::Timestamp => self.timestamp(if sensitive { &[] } else { bytes }),
            WellKnown::FieldMask => self.field_mask(bytes),
            WellKnown::Struct => self.structure(bytes, Guide::None, sensitive),
            WellKnown::Value => self.dynamic(bytes, Guide::None, sensitive),
            WellKnown::ListValue => self.list_value(bytes, Guide::None, sensitive),
            _ => {
                let Some(field) = message.field(1) else {
                    return;
                };
                let inner = wire::fields(bytes)
                    .flatten()
                    .filter(|(number, _)| *number == 1)
                    .last();
                let text = matches!(field.kind(), Kind::String | Kind::Bytes);
                match inner {
                    Some((_, value)) if text || !sensitive => self.value(field, value, sensitive),
                    _ if text && sensitive => self.value(field, Value::Bytes(&[]), true),
                    _ if text => self.out.push_str("\"\""),
                    _ if matches!(field.kind(), Kind::Double | Kind::Float) => self.out.push('0'),
                    _ => self.value(field, Value::Varint(0), false),
                }
            }
        }
    }

    fn duration(&mut self, bytes: &[u8]) {
        let (seconds, nanos) = seconds_and_nanos(bytes);
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        let fraction = fraction(nanos.unsigned_abs());
        self.put(format_args!(
            "\"{sign}{}{fraction}s\"",
            seconds.unsigned_abs()
        ));
    }

    fn timestamp(&mut self, bytes: &[u8]) {
        let (seconds, nanos) = seconds_and_nanos(bytes);
        let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let fraction = fraction(nanos.unsigned_abs());
        self.put(format_args!(
            "\"{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z\"",
            clock / 3600,
            clock / 60 % 60,
            clock % 60
        ));
    }

    fn field_mask(&mut self, bytes: &[u8]) {
        let mut mask = String::new();
        for (_, path) in wire::fields(bytes)
            .flatten()
            .filter(|(number, _)| *number == 1)
        {
            if !mask.is_empty() {
                mask.push(',');
            }
            let mut upper = false;
            for c in String::from_utf8_lossy(path.bytes().unwrap_or_default()).chars() {
                match c {
                    '_' => upper = true,
                    c if std::mem::take(&mut upper) => mask.push(c.to_ascii_uppercase()),
                    c => mask.push(c),
                }
            }
        }
        self.string(&mask);
    }

    /// A `Struct`; `guide` is the message it stands for, whose fields say what is sensitive.
    pub(super) fn structure(&mut self, bytes: &[u8], guide: Guide, sensitive: bool) {
        self.open('{');
        let mut first = true;
        for (_, entry) in wire::fields(bytes)
            .flatten()
            .filter(|(number, _)| *number == 1)
        {
            let (mut key, mut value) = (&[][..], &[][..]);
            for (number, part) in wire::fields(entry.bytes().unwrap_or_default()).flatten() {
                match (number, part) {
                    (1, Value::Bytes(bytes)) => key = bytes,
                    (2, Value::Bytes(bytes)) => value = bytes,
                    _ => {}
                }
            }
            let key = String::from_utf8_lossy(key);
            let (below, secret) = guide.below(&key);
            let sensitive = sensitive || secret;
            self.key(&key, &mut first);
            self.dynamic(value, below, sensitive);
        }
        self.close('}', first);
    }

    fn list_value(&mut self, bytes: &[u8], guide: Guide, sensitive: bool) {
        self.open('[');
        let mut first = true;
        for (_, element) in wire::fields(bytes)
            .flatten()
            .filter(|(number, _)| *number == 1)
        {
            self.next(&mut first);
            self.dynamic(element.bytes().unwrap_or_default(), guide, sensitive);
        }
        self.close(']', first);
    }

    /// A `google.protobuf.Value`.
    fn dynamic(&mut self, bytes: &[u8], guide: Guide, sensitive: bool) {
        if self.depth >= super::MAX_DEPTH {
            self.out.push_str("null");
            return;
        }
        self.depth += 1;
        match wire::fields(bytes).flatten().last() {
            Some((3, Value::Bytes(_))) if sensitive => self.string(REDACTED),
            Some((3, Value::Bytes(text))) => self.string(&String::from_utf8_lossy(text)),
            Some((5, Value::Bytes(structure))) => self.structure(structure, guide, sensitive),
            Some((6, Value::Bytes(list))) => self.list_value(list, guide, sensitive),
            Some((2, Value::Fixed64(bits))) if !sensitive => {
                let double = f64::from_bits(bits);
                self.float(double, &double.to_string());
            }
            Some((4, Value::Varint(value))) if !sensitive => {
                self.out.push_str(if value != 0 { "true" } else { "false" });
            }
            _ => self.out.push_str("null"),
        }
        self.depth -= 1;
    }
}

/// What a `Struct` stands for, so that its secrets are known.
#[derive(Clone, Copy)]
pub(super) enum Guide {
    /// Only itself.
    None,
    /// A message, whose fields its keys are.
    Message(MessageRef),
    /// A map of messages, by its keys.
    Map(MessageRef),
}

impl Guide {
    /// What stands under `key`, and whether it is sensitive.
    fn below(self, key: &str) -> (Self, bool) {
        let field = match self {
            Self::None => None,
            Self::Message(message) => message.field_by_name(key),
            Self::Map(value) => return (Self::Message(value), false),
        };
        let Some(field) = field else {
            return (Self::None, false);
        };
        let below = match field.map_entry() {
            Some(entry) => entry.field(2).and_then(FieldRef::message).map(Self::Map),
            None => field.message().map(Self::Message),
        };
        (below.unwrap_or(Self::None), field.is_sensitive())
    }
}

/// Control characters, what begins and ends HTML, and characters that only direct the text.
fn must_escape(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '<' | '>' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{600}'..='\u{604}'
        | '\u{6dd}' | '\u{70f}' | '\u{17b4}' | '\u{17b5}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

fn seconds_and_nanos(bytes: &[u8]) -> (i64, i32) {
    let (mut seconds, mut nanos) = (0, 0);
    for (number, value) in wire::fields(bytes).flatten() {
        match (number, value) {
            (1, Value::Varint(value)) => seconds = value as i64,
            (2, Value::Varint(value)) => nanos = value as i32,
            _ => {}
        }
    }
    (seconds, nanos)
}

/// Nanoseconds as no, three, six or nine decimals.
fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        nanos => format!(".{nanos:09}"),
    }
}

/// Year, month and day of a day since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
