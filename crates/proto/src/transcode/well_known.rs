//! The messages whose JSON form is special: durations, timestamps, masks, structs, wrappers.

use crate::reflect::{MessageRef, WellKnown};
use crate::transcode::Transcoder;
use crate::tree::{NodeId, NodeKind};
use crate::wire;

/// The largest number of seconds that a duration may have: 10,000 years.
const MAX_DURATION_SECONDS: i64 = 315_576_000_000;

impl Transcoder<'_> {
    pub(super) fn well_known(&mut self, node: NodeId, message: MessageRef, kind: WellKnown) {
        let found = self.tree.node(node).kind;
        match kind {
            WellKnown::Any => self.any(node),
            WellKnown::Struct => self.structure(node),
            WellKnown::Value => self.value(node),
            WellKnown::ListValue => self.list_value(node),
            WellKnown::Empty | WellKnown::TypedStruct => self.fields(node, message, false),
            // An object is read as the message it is: `{seconds: 1}`, `{value: 5}`.
            _ if found == NodeKind::Map => self.fields(node, message, false),
            WellKnown::Wrapper => {
                if let Some(field) = message.field(1) {
                    self.single(node, field, false);
                }
            }
            WellKnown::Duration => self.parsed(node, "a duration such as \"1.5s\"", duration),
            WellKnown::Timestamp => {
                self.parsed(node, "a time such as \"2026-01-31T12:00:00Z\"", timestamp);
            }
            WellKnown::FieldMask => self.field_mask(node),
        }
    }

    /// Seconds (field 1) and nanoseconds (field 2) from a string.
    fn parsed(
        &mut self,
        node: NodeId,
        expected: &str,
        parse: fn(&str) -> Result<(i64, i32), &'static str>,
    ) {
        if self.tree.node(node).kind != NodeKind::String {
            self.mismatch(node, expected);
            return;
        }
        match parse(self.tree.text(node)) {
            Ok((seconds, nanos)) => {
                for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
                    if value != 0 {
                        wire::put_tag(&mut self.out, number, 0);
                        wire::put_varint(&mut self.out, value as u64);
                    }
                }
            }
            Err(reason) => {
                let text = self.tree.text(node);
                let shown = if text.len() <= 60 {
                    format!(": {text:?}")
                } else {
                    String::new()
                };
                self.error(node, format!("{reason}{shown}, expected {expected}"));
            }
        }
    }

    fn field_mask(&mut self, node: NodeId) {
        if self.tree.node(node).kind != NodeKind::String {
            self.mismatch(node, "a string of field paths");
            return;
        }
        let mut snake = String::new();
        for path in self
            .tree
            .text(node)
            .split(',')
            .filter(|path| !path.is_empty())
        {
            snake.clear();
            for c in path.chars() {
                if c.is_ascii_uppercase() {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            wire::put_bytes(&mut self.out, 1, snake.as_bytes());
        }
    }

    fn structure(&mut self, node: NodeId) {
        if self.tree.node(node).kind != NodeKind::Map {
            self.mismatch(node, "an object");
            return;
        }
        self.depth += 1;
        let mut keys = std::collections::HashSet::new();
        for child in self.tree.children(node) {
            let key = self.tree.key(child);
            if !keys.insert(key) {
                let text = format!("got unexpectedly-repeated repeated map key: '{key}'");
                self.error(child, text);
            }
            let entry = wire::begin(&mut self.out, 1);
            wire::put_bytes(&mut self.out, 1, key.as_bytes());
            let value = wire::begin(&mut self.out, 2);
            self.nested_value(child);
            wire::end(&mut self.out, value);
            wire::end(&mut self.out, entry);
        }
        self.depth -= 1;
    }

    fn list_value(&mut self, node: NodeId) {
        if self.tree.node(node).kind != NodeKind::List {
            self.mismatch(node, "a list");
            return;
        }
        for child in self.tree.children(node) {
            let value = wire::begin(&mut self.out, 1);
            self.nested_value(child);
            wire::end(&mut self.out, value);
        }
    }

    fn nested_value(&mut self, node: NodeId) {
        if !self.visit(node) {
            return;
        }
        if self.depth >= super::MAX_MESSAGE_DEPTH {
            self.error(node, "JSON content was too deeply nested");
            return;
        }
        self.depth += 1;
        self.value(node);
        self.depth -= 1;
    }

    fn value(&mut self, node: NodeId) {
        let tree = self.tree;
        match tree.node(node).kind {
            NodeKind::Null => self.out.extend_from_slice(&[1 << 3, 0]),
            NodeKind::Number => match tree.text(node).parse::<f64>() {
                Ok(number) => {
                    wire::put_tag(&mut self.out, 2, 1);
                    self.out.extend_from_slice(&number.to_le_bytes());
                }
                Err(_) => self.mismatch(node, "a number"),
            },
            NodeKind::String => wire::put_bytes(&mut self.out, 3, tree.text(node).as_bytes()),
            NodeKind::Bool(value) => self.out.extend_from_slice(&[4 << 3, value.into()]),
            NodeKind::Map | NodeKind::List | NodeKind::Alias(_) => {
                let list = tree.node(node).kind == NodeKind::List;
                let start = wire::begin(&mut self.out, if list { 6 } else { 5 });
                self.depth += 1;
                if list {
                    self.list_value(node)
                } else {
                    self.structure(node)
                }
                self.depth -= 1;
                wire::end(&mut self.out, start);
            }
        }
    }
}

/// `-?digits[.digits]s` with at most nine decimals.
fn duration(text: &str) -> Result<(i64, i32), &'static str> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    if whole.is_empty() {
        return Err("duration must start with an integer");
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (fraction, rest) = rest.split_at(end);
            if fraction.is_empty() || fraction.len() > 9 {
                return Err("duration had bad nanoseconds");
            }
            (fraction, rest)
        }
        None => ("", rest),
    };
    if rest != "s" {
        return Err("duration must end with a single 's'");
    }
    let seconds: i64 = whole.parse().map_err(|_| "duration out of range")?;
    if seconds > MAX_DURATION_SECONDS {
        return Err("duration out of range");
    }
    let nanos = nanos(fraction);
    Ok(if negative {
        (-seconds, -nanos)
    } else {
        (seconds, nanos)
    })
}

/// Nanoseconds from at most nine decimals.
fn nanos(fraction: &str) -> i32 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    digits.fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0'))
}

/// RFC 3339, from the year 1 to 9999.
fn timestamp(text: &str) -> Result<(i64, i32), &'static str> {
    let bad = "invalid timestamp";
    let bytes = text.as_bytes();
    let number = |from: usize, len: usize| -> Result<i64, &'static str> {
        let digits = bytes.get(from..from + len).ok_or(bad)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(bad);
        }
        Ok(digits
            .iter()
            .fold(0, |all, digit| all * 10 + i64::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separators
        .iter()
        .all(|&(at, byte)| bytes.get(at) == Some(&byte))
    {
        return Err(bad);
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let in_range = year >= 1 && (1..=12).contains(&month) && (1..=days).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return Err(bad);
    }
    let mut rest = text.get(19..).ok_or(bad)?;
    let mut fraction = "";
    if let Some(tail) = rest.strip_prefix('.') {
        let end = tail.find(|c: char| !c.is_ascii_digit()).ok_or(bad)?;
        if end == 0 || end > 9 {
            return Err(bad);
        }
        (fraction, rest) = tail.split_at(end);
    }
    let offset = match rest.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = text.len() - 5;
            let seconds = number(at, 2)? * 3600 + number(at + 3, 2)? * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return Err(bad),
    };
    let clock = hour * 3600 + minute * 60 + second;
    Ok((
        days_from_epoch(year, month, day) * 86_400 + clock - offset,
        nanos(fraction),
    ))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let era = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}
