//! Prints wire bytes as JSON the way Envoy's admin does: names as in the proto, enums by name,
//! 64-bit numbers as strings, what an `Any` holds behind its `@type`; one space of indent.
//!
//! Fields come in the order of their numbers, and secrets are blotted out if asked for.

mod values;

use crate::any;
use crate::reflect::{self, FieldRef, Kind, MessageRef, WellKnown};
use crate::validate::wire_elements;
use crate::wire::{self, Value};
use values::Guide;

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Replace sensitive strings by `[redacted]` and leave other sensitive values out.
    pub redact: bool,
    /// Print fields without presence that have their default value too (`/server_info`).
    pub always_print: bool,
    /// On one line, without spaces.
    pub compact: bool,
}

/// Prints the message that `bytes` encode. Bytes that are not the message print as far as they are.
pub fn print(bytes: &[u8], message: MessageRef, options: &Options) -> String {
    let mut printer = Printer {
        out: String::new(),
        options: *options,
        indent: 0,
        depth: 0,
    };
    printer.message(bytes, message, false);
    printer.out
}

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// How deep messages are followed; loaded ones are no deeper.
const MAX_DEPTH: usize = 400;

struct Printer {
    out: String,
    options: Options,
    indent: usize,
    depth: usize,
}

impl Printer {
    fn line(&mut self) {
        if !self.options.compact {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        }
    }

    /// Begins an object or list, whose elements stand on lines of their own.
    fn open(&mut self, open: char) {
        self.out.push(open);
        self.indent += 1;
    }

    fn close(&mut self, close: char, empty: bool) {
        self.indent -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
    }

    /// The separator before an element.
    fn next(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(',');
        }
        self.line();
    }

    fn key(&mut self, key: &str, first: &mut bool) {
        self.next(first);
        self.string(key);
        self.out
            .push_str(if self.options.compact { ":" } else { ": " });
    }

    fn message(&mut self, bytes: &[u8], message: MessageRef, sensitive: bool) {
        if self.depth >= MAX_DEPTH {
            self.out.push_str("{}");
            return;
        }
        self.depth += 1;
        match message.well_known() {
            Some(WellKnown::Any) => self.any(bytes, sensitive),
            Some(WellKnown::TypedStruct) => self.typed_struct(bytes, message, sensitive),
            Some(WellKnown::Empty) | None => self.object(bytes, message, sensitive, None),
            Some(kind) => self.well_known(bytes, message, kind, sensitive),
        }
        self.depth -= 1;
    }

    /// A message as an object; `url` goes first as its `@type`.
    fn object(&mut self, bytes: &[u8], message: MessageRef, sensitive: bool, url: Option<&str>) {
        let mut entries: Vec<(u32, Value<'_>)> = wire::fields(bytes).flatten().collect();
        entries.retain(|(number, _)| message.field(*number).is_some());
        if message.oneofs().len() > 0 {
            keep_last_of_oneofs(&mut entries, message);
        }
        entries.sort_by_key(|(number, _)| *number);
        self.open('{');
        let mut first = true;
        if let Some(url) = url {
            self.key("@type", &mut first);
            self.string(url);
        }
        let mut rest = entries.as_slice();
        for field in message.fields() {
            let count = rest
                .iter()
                .take_while(|(found, _)| *found == field.number())
                .count();
            let (values, tail) = rest.split_at(count);
            rest = tail;
            self.field(field, values, sensitive, &mut first);
        }
        self.close('}', first);
    }

    fn field(
        &mut self,
        field: FieldRef,
        values: &[(u32, Value<'_>)],
        sensitive: bool,
        first: &mut bool,
    ) {
        let sensitive = sensitive || (self.options.redact && field.is_sensitive());
        if values.is_empty() {
            if self.options.always_print && !field.has_presence() && !sensitive {
                self.key(field.name(), first);
                self.default(field);
            }
            return;
        }
        let text = matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message);
        if sensitive && !text {
            return;
        }
        if let Some(entry) = field.map_entry() {
            self.key(field.name(), first);
            self.map(entry, values, sensitive);
        } else if field.is_repeated() {
            let mut elements = Vec::new();
            for (_, value) in values {
                match value {
                    Value::Bytes(packed) if !text => {
                        elements.extend(wire_elements(field.kind(), packed));
                    }
                    value => elements.push(*value),
                }
            }
            self.key(field.name(), first);
            self.list(field, &elements, sensitive);
        } else if let (Kind::Message, [_, _, ..]) = (field.kind(), values) {
            let pieces = values.iter().filter_map(|(_, value)| value.bytes());
            let merged: Vec<u8> = pieces.flatten().copied().collect();
            self.key(field.name(), first);
            self.value(field, Value::Bytes(&merged), sensitive);
        } else if let Some((_, value)) = values.last() {
            let zero = matches!(
                *value,
                Value::Varint(0) | Value::Fixed32(0) | Value::Fixed64(0) | Value::Bytes(&[])
            );
            if zero && !field.has_presence() && !self.options.always_print {
                return;
            }
            self.key(field.name(), first);
            self.value(field, *value, sensitive);
        }
    }

    fn default(&mut self, field: FieldRef) {
        if field.map_entry().is_some() {
            self.out.push_str("{}");
        } else if field.is_repeated() {
            self.out.push_str("[]");
        } else {
            match field.kind() {
                Kind::String | Kind::Bytes => self.out.push_str("\"\""),
                Kind::Double | Kind::Float => self.out.push('0'),
                _ => self.value(field, Value::Varint(0), false),
            }
        }
    }

    fn list(&mut self, field: FieldRef, elements: &[Value<'_>], sensitive: bool) {
        self.open('[');
        let mut first = true;
        for element in elements {
            self.next(&mut first);
            self.value(field, *element, sensitive);
        }
        self.close(']', first);
    }

    fn map(&mut self, entry: MessageRef, values: &[(u32, Value<'_>)], sensitive: bool) {
        let (Some(key_field), Some(value_field)) = (entry.field(1), entry.field(2)) else {
            self.out.push_str("{}");
            return;
        };
        self.open('{');
        let mut first = true;
        for (_, entry) in values {
            let (mut key, mut value) = (None, None);
            for (number, part) in wire::fields(entry.bytes().unwrap_or_default()).flatten() {
                match number {
                    1 => key = Some(part),
                    2 => value = Some(part),
                    _ => {}
                }
            }
            self.next(&mut first);
            match (key_field.kind(), key) {
                (Kind::String, Some(Value::Bytes(key))) => {
                    self.string(&String::from_utf8_lossy(key));
                }
                (Kind::String, _) => self.out.push_str("\"\""),
                (_, key) => {
                    let mut inner = Self {
                        out: String::new(),
                        ..*self
                    };
                    inner.value(key_field, key.unwrap_or(Value::Varint(0)), false);
                    self.string(inner.out.trim_matches('"'));
                }
            }
            self.out
                .push_str(if self.options.compact { ":" } else { ": " });
            match value {
                Some(value) => self.value(value_field, value, sensitive),
                None if value_field.kind() == Kind::Message => {
                    self.value(value_field, Value::Bytes(&[]), sensitive);
                }
                None => self.default(value_field),
            }
        }
        self.close('}', first);
    }

    fn any(&mut self, bytes: &[u8], sensitive: bool) {
        let (url, value) = any::parts(bytes).unwrap_or_default();
        if url.is_empty() {
            self.out.push_str("{}");
            return;
        }
        let known = reflect::message(any::name_of(url));
        let special = known.and_then(MessageRef::well_known);
        match (known, special) {
            (Some(message), None | Some(WellKnown::Empty)) => {
                self.object(value, message, sensitive, Some(url));
            }
            (Some(message), Some(WellKnown::TypedStruct)) => {
                self.open_typed_struct(value, message, sensitive, Some(url));
            }
            (known, _) => {
                let mut first = true;
                self.open('{');
                self.key("@type", &mut first);
                self.string(url);
                self.key("value", &mut first);
                match known {
                    Some(message) => self.message(value, message, sensitive),
                    None if sensitive => self.string(REDACTED),
                    None => self.base64(value),
                }
                self.close('}', first);
            }
        }
    }

    fn typed_struct(&mut self, bytes: &[u8], message: MessageRef, sensitive: bool) {
        self.open_typed_struct(bytes, message, sensitive, None);
    }

    /// A `TypedStruct`; the type it names says which of its fields are sensitive.
    fn open_typed_struct(
        &mut self,
        bytes: &[u8],
        message: MessageRef,
        sensitive: bool,
        url: Option<&str>,
    ) {
        let (inner, structure) = any::parts(bytes).unwrap_or_default();
        let guide = match reflect::message(any::name_of(inner)).filter(|_| self.options.redact) {
            Some(message) => Guide::Message(message),
            None => Guide::None,
        };
        let mut first = true;
        self.open('{');
        if let Some(url) = url {
            self.key("@type", &mut first);
            self.string(url);
        }
        for (number, value) in wire::fields(bytes).flatten() {
            match (message.field(number), value) {
                (Some(field), Value::Bytes(_)) if number == 1 => {
                    self.key(field.name(), &mut first);
                    self.string(inner);
                }
                (Some(field), Value::Bytes(_)) => {
                    self.key(field.name(), &mut first);
                    self.structure(structure, guide, sensitive);
                }
                _ => {}
            }
        }
        self.close('}', first);
    }
}

fn keep_last_of_oneofs(entries: &mut Vec<(u32, Value<'_>)>, message: MessageRef) {
    let oneof_of = |number: u32| message.field(number).and_then(FieldRef::oneof);
    let last = |oneof: usize| {
        let mut numbers = entries.iter().rev().map(|(number, _)| *number);
        numbers.find(|number| oneof_of(*number) == Some(oneof))
    };
    let kept: Vec<Option<u32>> = (0..message.oneofs().len()).map(last).collect();
    entries.retain(|(number, _)| match oneof_of(*number) {
        Some(oneof) => kept.get(oneof).copied().flatten() == Some(*number),
        None => true,
    });
}
