//! `validate.FieldRules`, read from the wire bytes that the tables keep, against a field's value.
//!
//! Only the rules that the protos use are here; a test holds the list against the tables.

use crate::reflect::{FieldRef, Kind, MessageRef, WellKnown};
use crate::tables;
use crate::validate::{numbers, strings};
use crate::wire::{self, Value};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The numbers of `validate.FieldRules`.
mod number {
    pub const BOOL: u32 = 13;
    pub const STRING: u32 = 14;
    pub const BYTES: u32 = 15;
    pub const ENUM: u32 = 16;
    pub const MESSAGE: u32 = 17;
    pub const REPEATED: u32 = 18;
    pub const MAP: u32 = 19;
    pub const ANY: u32 = 20;
    pub const DURATION: u32 = 21;
    pub const TIMESTAMP: u32 = 22;
}

/// What is wrong with a value; almost always nothing.
pub type Reasons = Vec<String>;

/// The rules' parts: a kind's number and that kind's rules.
fn parts(rules: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    wire::fields(rules)
        .flatten()
        .filter_map(|(number, value)| Some((number, value.bytes()?)))
}

fn part(rules: &[u8], wanted: u32) -> Option<&[u8]> {
    parts(rules)
        .find(|(number, _)| *number == wanted)
        .map(|(_, part)| part)
}

/// The varint of a field of rules; 0 where it is not set.
pub fn varint(rules: &[u8], wanted: u32) -> Option<u64> {
    let mut found = wire::fields(rules)
        .flatten()
        .filter(|(number, _)| *number == wanted);
    found.next().and_then(|(_, value)| value.varint())
}

/// Whether the message in the field goes unchecked.
pub fn skips(rules: &[u8]) -> bool {
    part(rules, number::MESSAGE)
        .and_then(|rules| varint(rules, 1))
        .is_some_and(|skip| skip != 0)
}

/// A field that is no list: `value` is its last value on the wire.
pub fn single(field: FieldRef, found: Option<Value<'_>>) -> Reasons {
    let rules = field.rules();
    if rules.is_empty() {
        return Vec::new();
    }
    if field.kind() == Kind::Message {
        let required = parts(rules).any(|(number, part)| match number {
            number::MESSAGE => varint(part, 2).is_some_and(|required| required != 0),
            number::ANY | number::DURATION | number::TIMESTAMP => {
                varint(part, 1).is_some_and(|required| required != 0)
            }
            _ => false,
        });
        return match found {
            // A oneof's field is only required to hold something when it is the one that is set.
            None if required && field.oneof().is_none() => vec!["value is required".to_owned()],
            None => Vec::new(),
            Some(found) => value(field, rules, found),
        };
    }
    match found {
        None if field.has_presence() => Vec::new(),
        None => value(field, rules, default_of(field.kind())),
        Some(found) => value(field, rules, found),
    }
}

/// Whether a field breaks no rule when it is not set. Each message is asked this of most of its
/// fields, so it is found out but once for each field of the API.
pub fn unset_passes(field: FieldRef) -> bool {
    const UNKNOWN: u8 = 0;
    const PASSES: u8 = 1;
    const FAILS: u8 = 2;
    static KNOWN: OnceLock<Box<[AtomicU8]>> = OnceLock::new();
    if field.rules().is_empty() {
        return true;
    }
    if field.is_repeated() || field.map_entry().is_some() {
        return false;
    }
    let unknown = || (0..tables::field_count()).map(|_| AtomicU8::new(UNKNOWN));
    let known = KNOWN.get_or_init(|| unknown().collect());
    let Some(known) = known.get(field.0 as usize) else {
        return false;
    };
    match known.load(Relaxed) {
        UNKNOWN => {
            let passes = single(field, None).is_empty();
            known.store(if passes { PASSES } else { FAILS }, Relaxed);
            passes
        }
        found => found == PASSES,
    }
}

fn default_of(kind: Kind) -> Value<'static> {
    match kind {
        Kind::String | Kind::Bytes | Kind::Message => Value::Bytes(&[]),
        Kind::Double | Kind::Fixed64 | Kind::SFixed64 => Value::Fixed64(0),
        Kind::Float | Kind::Fixed32 | Kind::SFixed32 => Value::Fixed32(0),
        _ => Value::Varint(0),
    }
}

/// A value that is there, against `rules`.
pub fn value(field: FieldRef, rules: &[u8], found: Value<'_>) -> Reasons {
    let mut reasons = Vec::new();
    let kind = field.kind();
    for (number, part) in parts(rules) {
        match (number, field.message()) {
            (number::DURATION, Some(message)) => {
                numbers::duration(message, part, found, &mut reasons)
            }
            (number::MESSAGE | number::ANY | number::TIMESTAMP, _) => {}
            (_, Some(message)) => wrapped(message, number, part, found, &mut reasons),
            (number::STRING, None) => strings::string(part, found, &mut reasons),
            (number::BYTES, None) => strings::bytes(part, found, &mut reasons),
            (number::ENUM, None) => enumeration(field, part, found, &mut reasons),
            (number::BOOL, None) => boolean(part, found, &mut reasons),
            (number::REPEATED | number::MAP, None) => {}
            (_, None) => numbers::number(kind, part, found, &mut reasons),
        }
    }
    reasons
}

/// The rules of a wrapper are those of the value in it.
fn wrapped(message: MessageRef, number: u32, part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let Some(field) = message
        .field(1)
        .filter(|_| message.well_known() == Some(WellKnown::Wrapper))
    else {
        return;
    };
    let bytes = found.bytes().unwrap_or_default();
    let inner = wire::fields(bytes)
        .flatten()
        .filter(|(number, _)| *number == 1)
        .last();
    let inner = inner.map_or(default_of(field.kind()), |(_, value)| value);
    match number {
        number::STRING => strings::string(part, inner, reasons),
        number::BYTES => strings::bytes(part, inner, reasons),
        number::BOOL => boolean(part, inner, reasons),
        _ => numbers::number(field.kind(), part, inner, reasons),
    }
}

fn enumeration(field: FieldRef, part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let Some(number) = found.varint() else { return };
    let number = number as i32;
    let undefined = || {
        field
            .enumeration()
            .is_some_and(|known| known.value(number).is_none())
    };
    for (rule, value) in wire::fields(part).flatten() {
        match (rule, value) {
            (2, Value::Varint(1)) if undefined() => {
                reasons.push("value must be one of the defined enum values".to_owned());
            }
            (4, Value::Varint(refused)) if refused as i32 == number => {
                reasons.push(format!("value must not be in list [{number}]"));
            }
            _ => {}
        }
    }
}

fn boolean(part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let wanted = varint(part, 1).map(|wanted| wanted != 0);
    let found = found.varint().is_some_and(|found| found != 0);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        reasons.push(format!("value must equal {wanted}"));
    }
}

/// The rules of a list as a whole.
pub fn list(field: FieldRef, elements: &[Value<'_>]) -> Reasons {
    let Some(rules) = part(field.rules(), number::REPEATED) else {
        return Vec::new();
    };
    let mut reasons = counts(rules, elements.len(), "item(s)", "items");
    if varint(rules, 3) == Some(1) {
        let mut sorted: Vec<_> = elements.iter().map(sort_key).collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            reasons.push("repeated value must contain unique items".to_owned());
        }
    }
    reasons
}

fn sort_key<'b>(value: &Value<'b>) -> (u64, &'b [u8]) {
    match *value {
        Value::Varint(number) | Value::Fixed64(number) => (number, &[]),
        Value::Fixed32(number) => (number.into(), &[]),
        Value::Bytes(bytes) => (0, bytes),
    }
}

/// The rules of a list's elements.
pub fn items(rules: &[u8]) -> Option<&[u8]> {
    part(part(rules, number::REPEATED)?, 4)
}

/// The rules of a map as a whole.
pub fn pairs(rules: &[u8], count: usize) -> Reasons {
    match part(rules, number::MAP) {
        Some(rules) => counts(rules, count, "pair(s)", "pairs"),
        None => Vec::new(),
    }
}

/// The rules of a map's keys and of its values.
pub fn map_sides(rules: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    match part(rules, number::MAP) {
        Some(rules) => (part(rules, 4), part(rules, 5)),
        None => (None, None),
    }
}

/// Rules 1 and 2, the least and the greatest count.
fn counts(rules: &[u8], count: usize, what: &str, plural: &str) -> Reasons {
    let (min, max) = (varint(rules, 1), varint(rules, 2));
    let count = count as u64;
    if min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max) {
        return Vec::new();
    }
    vec![match (min, max) {
        (Some(min), Some(max)) if min == max => {
            format!("value must contain exactly {min} {what}")
        }
        (Some(min), Some(max)) => {
            format!("value must contain between {min} and {max} {plural}, inclusive")
        }
        (Some(min), None) => format!("value must contain at least {min} {what}"),
        (None, max) => {
            format!(
                "value must contain no more than {} {what}",
                max.unwrap_or_default()
            )
        }
    }]
}
