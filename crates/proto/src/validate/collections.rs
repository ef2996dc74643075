//! Lists and maps: their own rules, and those of what is in them.

use crate::reflect::{FieldRef, Kind, MessageRef};
use crate::validate::{Frame, Walk, rules};
use crate::wire::{self, Value};

impl Walk {
    pub(super) fn list(
        &mut self,
        message: MessageRef,
        field: FieldRef,
        values: &[(u32, Value<'_>)],
    ) {
        let elements = unpack(field, values);
        for reason in rules::list(field, &elements) {
            self.violation(message, field, &reason);
        }
        let items = rules::items(field.rules());
        let walks = field.message().is_some() && !items.is_some_and(rules::skips);
        if items.is_none() && !walks {
            return;
        }
        for (index, element) in elements.iter().enumerate() {
            self.path.push_index(index);
            for reason in items
                .map(|items| rules::value(field, items, *element))
                .iter()
                .flatten()
            {
                self.violation(message, field, reason);
            }
            if let (true, Value::Bytes(bytes)) = (walks, element) {
                self.enter(message, field, bytes);
            }
            self.path.pop();
        }
    }

    pub(super) fn map(
        &mut self,
        message: MessageRef,
        field: FieldRef,
        values: &[(u32, Value<'_>)],
    ) {
        for reason in rules::pairs(field.rules(), values.len()) {
            self.violation(message, field, &reason);
        }
        let Some((key_field, value_field)) = field
            .map_entry()
            .and_then(|entry| Some((entry.field(1)?, entry.field(2)?)))
        else {
            return;
        };
        let (key_rules, value_rules) = rules::map_sides(field.rules());
        // Envoy takes what other software put there as it is.
        let walks = field.name() != "typed_filter_metadata";
        for (_, entry) in values {
            let (mut key, mut value) = (Value::Bytes(&[]), Value::Bytes(&[]));
            for (number, found) in wire::fields(entry.bytes().unwrap_or_default()).flatten() {
                match number {
                    1 => key = found,
                    2 => value = found,
                    _ => {}
                }
            }
            self.path.push_key(&key_text(key));
            for (side, found, rules) in [
                (key_field, key, key_rules),
                (value_field, value, value_rules),
            ] {
                let reasons = rules.map(|rules| rules::value(side, rules, found));
                for reason in reasons.iter().flatten() {
                    self.violation(message, field, reason);
                }
            }
            if let (true, Some(below), Value::Bytes(bytes)) = (walks, value_field.message(), value)
            {
                let path_len = self.path.len() - 1;
                self.frames.push(Frame {
                    message,
                    field,
                    path_len,
                });
                self.message(bytes, below);
                self.frames.pop();
            }
            self.path.pop();
        }
    }
}

fn key_text(key: Value<'_>) -> String {
    match key {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Varint(number) => number.to_string(),
        Value::Fixed32(number) => number.to_string(),
        Value::Fixed64(number) => number.to_string(),
    }
}

/// The elements of a list, those of packed pieces one by one.
fn unpack<'b>(field: FieldRef, values: &[(u32, Value<'b>)]) -> Vec<Value<'b>> {
    let scalar = !matches!(field.kind(), Kind::Message | Kind::String | Kind::Bytes);
    let mut elements = Vec::with_capacity(values.len());
    for (_, value) in values {
        match value {
            Value::Bytes(packed) if scalar => {
                elements.extend(wire_elements(field.kind(), packed));
            }
            value => elements.push(*value),
        }
    }
    elements
}

/// The elements of a packed piece; stops where it is malformed.
pub(crate) fn wire_elements(kind: Kind, mut packed: &[u8]) -> Vec<Value<'_>> {
    let mut elements = Vec::new();
    while !packed.is_empty() {
        let element = match kind {
            Kind::Double | Kind::Fixed64 | Kind::SFixed64 => {
                wire::take(&mut packed).map(|bytes| Value::Fixed64(u64::from_le_bytes(bytes)))
            }
            Kind::Float | Kind::Fixed32 | Kind::SFixed32 => {
                wire::take(&mut packed).map(|bytes| Value::Fixed32(u32::from_le_bytes(bytes)))
            }
            _ => wire::take_varint(&mut packed).map(Value::Varint),
        };
        match element {
            Ok(element) => elements.push(element),
            Err(_) => break,
        }
    }
    elements
}
