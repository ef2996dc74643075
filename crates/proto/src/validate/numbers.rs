//! Rules of numbers and durations: bounds, and their texts.

use std::cmp::Ordering;
use std::fmt::Display;

use crate::reflect::{Kind, MessageRef};
use crate::validate::rules::{Reasons, varint};
use crate::wire::{self, Value};

/// The bounds of a rule: less than, at most, greater than, at least.
struct Bounds<T> {
    lt: Option<T>,
    lte: Option<T>,
    gt: Option<T>,
    gte: Option<T>,
}

impl<T: PartialOrd + Display> Bounds<T> {
    /// Why `value` is out of bounds.
    fn check(self, value: &T) -> Option<String> {
        let below = |bound: &Option<T>, equal: bool| {
            bound
                .as_ref()
                .is_none_or(|bound| match value.partial_cmp(bound) {
                    Some(Ordering::Less) => true,
                    Some(Ordering::Equal) => equal,
                    _ => false,
                })
        };
        let above = |bound: &Option<T>, equal: bool| {
            bound
                .as_ref()
                .is_none_or(|bound| match value.partial_cmp(bound) {
                    Some(Ordering::Greater) => true,
                    Some(Ordering::Equal) => equal,
                    _ => false,
                })
        };
        let low = above(&self.gt, false) && above(&self.gte, true);
        let high = below(&self.lt, false) && below(&self.lte, true);
        if low && high {
            return None;
        }
        let low = self.gt.map(|gt| ("(", "greater than", gt));
        let low = low.or(self.gte.map(|gte| ("[", "greater than or equal to", gte)));
        let high = self.lt.map(|lt| (")", "less than", lt));
        let high = high.or(self.lte.map(|lte| ("]", "less than or equal to", lte)));
        Some(match (low, high) {
            (Some((open, _, low)), Some((close, _, high))) => {
                format!("value must be inside range {open}{low}, {high}{close}")
            }
            (Some((_, words, bound)), None) | (None, Some((_, words, bound))) => {
                format!("value must be {words} {bound}")
            }
            (None, None) => return None,
        })
    }
}

/// Reads bounds 2 to 5 of a rule (one more for durations, whose numbers are shifted by one).
fn bounds<T>(part: &[u8], shift: u32, read: impl Fn(Value<'_>) -> T) -> Bounds<T> {
    let mut all = Bounds {
        lt: None,
        lte: None,
        gt: None,
        gte: None,
    };
    for (number, value) in wire::fields(part).flatten() {
        let slot = match number.saturating_sub(shift) {
            2 => &mut all.lt,
            3 => &mut all.lte,
            4 => &mut all.gt,
            5 => &mut all.gte,
            _ => continue,
        };
        *slot = Some(read(value));
    }
    all
}

/// `ignore_empty`: the default value is not checked.
const IGNORE_EMPTY: u32 = 8;

/// A number of any kind.
pub fn number(kind: Kind, part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let zero = matches!(
        found,
        Value::Varint(0) | Value::Fixed32(0) | Value::Fixed64(0)
    );
    if zero && varint(part, IGNORE_EMPTY) == Some(1) {
        return;
    }
    reasons.extend(match kind {
        Kind::Double | Kind::Float => bounds(part, 0, float).check(&float(found)),
        Kind::UInt32 | Kind::UInt64 | Kind::Fixed32 | Kind::Fixed64 => {
            bounds(part, 0, unsigned).check(&unsigned(found))
        }
        Kind::SInt32 | Kind::SInt64 => bounds(part, 0, zigzag).check(&zigzag(found)),
        _ => bounds(part, 0, signed).check(&signed(found)),
    });
}

fn float(value: Value<'_>) -> f64 {
    match value {
        Value::Fixed64(bits) => f64::from_bits(bits),
        Value::Fixed32(bits) => f32::from_bits(bits).into(),
        Value::Varint(_) | Value::Bytes(_) => 0.0,
    }
}

fn unsigned(value: Value<'_>) -> u64 {
    match value {
        Value::Varint(number) | Value::Fixed64(number) => number,
        Value::Fixed32(number) => number.into(),
        Value::Bytes(_) => 0,
    }
}

fn signed(value: Value<'_>) -> i64 {
    match value {
        Value::Fixed32(number) => i64::from(number as i32),
        value => unsigned(value) as i64,
    }
}

fn zigzag(value: Value<'_>) -> i64 {
    let number = unsigned(value);
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// A duration in nanoseconds, printed as Go does: `1m0s`, `250ms`.
#[derive(PartialEq, PartialOrd)]
struct Nanos(i128);

impl Nanos {
    fn read(bytes: &[u8]) -> Self {
        let (mut seconds, mut nanos) = (0, 0);
        for (number, value) in wire::fields(bytes).flatten() {
            match number {
                1 => seconds = signed(value),
                2 => nanos = signed(value),
                _ => {}
            }
        }
        Self(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
    }
}

impl Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanos = self.0;
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}\u{b5}s", nanos as f64 / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{}ms", nanos as f64 / 1e6),
            _ => {
                let seconds = nanos / 1_000_000_000;
                if seconds >= 3600 {
                    write!(f, "{}h", seconds / 3600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                let rest = (seconds % 60) as f64 + (nanos % 1_000_000_000) as f64 / 1e9;
                write!(f, "{rest}s")
            }
        }
    }
}

/// A `google.protobuf.Duration`.
pub fn duration(message: MessageRef, part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    debug_assert_eq!(message.name(), "google.protobuf.Duration");
    let read = |value: Value<'_>| Nanos::read(value.bytes().unwrap_or_default());
    reasons.extend(bounds(part, 1, read).check(&read(found)));
}
