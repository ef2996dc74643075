//! Writes the descriptors as the tables' blob, laid out as `src/tables/layout.rs` says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::descriptors::{Descriptors, Enum, Field, Message};
use crate::layout::*;

const STRING: u32 = 9;
const MESSAGE: u32 = 11;
const BYTES: u32 = 12;
const ENUM: u32 = 14;

/// Words of the header.
const HEADER_WORDS: usize = 10;

/// The well-known types, whose JSON is special: name and number. Wrappers share one.
const WELL_KNOWN: &[(&str, u32)] = &[
    ("google.protobuf.Any", 1),
    ("google.protobuf.Duration", 2),
    ("google.protobuf.Timestamp", 3),
    ("google.protobuf.FieldMask", 4),
    ("google.protobuf.Struct", 5),
    ("google.protobuf.Value", 6),
    ("google.protobuf.ListValue", 7),
    ("google.protobuf.Empty", 8),
    ("udpa.type.v1.TypedStruct", 9),
    ("xds.type.v3.TypedStruct", 9),
    ("google.protobuf.BoolValue", 20),
    ("google.protobuf.BytesValue", 20),
    ("google.protobuf.DoubleValue", 20),
    ("google.protobuf.FloatValue", 20),
    ("google.protobuf.Int32Value", 20),
    ("google.protobuf.Int64Value", 20),
    ("google.protobuf.StringValue", 20),
    ("google.protobuf.UInt32Value", 20),
    ("google.protobuf.UInt64Value", 20),
];

/// The sections as they grow.
#[derive(Default)]
struct Sections {
    messages: Vec<u32>,
    fields: Vec<u32>,
    names: Vec<u32>,
    oneofs: Vec<u32>,
    enums: Vec<u32>,
    values: Vec<u32>,
    strings: Vec<u8>,
    known_strings: HashMap<String, u32>,
    rules: Vec<u8>,
    known_rules: HashMap<Vec<u8>, u32>,
}

impl Sections {
    fn string(&mut self, text: &str) -> u32 {
        if let Some(&at) = self.known_strings.get(text) {
            return at;
        }
        let at = self.strings.len() as u32;
        put_counted(&mut self.strings, text.as_bytes());
        self.known_strings.insert(text.to_owned(), at);
        at
    }

    fn rules(&mut self, rules: &[u8]) -> u32 {
        if rules.is_empty() {
            return 0;
        }
        if let Some(&at) = self.known_rules.get(rules) {
            return at;
        }
        let at = self.rules.len() as u32;
        put_counted(&mut self.rules, rules);
        self.known_rules.insert(rules.to_vec(), at);
        at
    }
}

fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("names and rules are shorter than 64 KiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The index of every message and enum by its full name.
struct Index<'a> {
    messages: BTreeMap<&'a str, u32>,
    enums: BTreeMap<&'a str, u32>,
    /// Enums of which a value is deprecated.
    deprecated: BTreeSet<&'a str>,
}

/// The blob of all tables.
pub fn blob(mut all: Descriptors) -> Result<Vec<u8>, String> {
    all.messages.sort_by(|a, b| a.name.cmp(&b.name));
    all.enums.sort_by(|a, b| a.name.cmp(&b.name));
    for message in &mut all.messages {
        message.fields.sort_by_key(|field| field.number);
    }
    let index = Index {
        messages: (0..)
            .zip(&all.messages)
            .map(|(i, m)| (m.name.as_str(), i))
            .collect(),
        enums: (0..)
            .zip(&all.enums)
            .map(|(i, e)| (e.name.as_str(), i))
            .collect(),
        deprecated: (all.enums.iter())
            .filter(|e| e.values.iter().any(|value| value.deprecated))
            .map(|e| e.name.as_str())
            .collect(),
    };
    let below = flags_below(&all.messages, &index);
    let mut sections = Sections::default();
    sections.rules.push(0);
    for (message, flags) in all.messages.iter().zip(below) {
        put_message(&mut sections, message, flags, &index)?;
    }
    for enumeration in &all.enums {
        put_enum(&mut sections, enumeration);
    }
    Ok(assemble(&sections))
}

fn put_message(
    sections: &mut Sections,
    message: &Message,
    below: u32,
    index: &Index<'_>,
) -> Result<(), String> {
    let mut flags = below;
    flags |= if message.map_entry { MF_MAP_ENTRY } else { 0 };
    flags |= if message.not_built { MF_NOT_BUILT } else { 0 };
    flags |= if message.absent { MF_ABSENT } else { 0 };
    let well_known = WELL_KNOWN.iter().find(|(name, _)| *name == message.name);
    flags |= well_known.map_or(0, |(_, number)| number << MF_WELL_KNOWN_SHIFT);

    let mut names = Vec::new();
    for (at, field) in message.fields.iter().enumerate() {
        names.push((field.name.as_str(), at as u32));
        if field.json_name != field.name {
            names.push((field.json_name.as_str(), at as u32));
        }
    }
    names.sort_unstable();

    let mut record = [0; MESSAGE_WORDS];
    record[M_NAME] = sections.string(&message.name);
    record[M_FILE] = sections.string(&message.file);
    record[M_FIRST_FIELD] = (sections.fields.len() / FIELD_WORDS) as u32;
    record[M_FIELD_COUNT] = message.fields.len() as u32;
    record[M_FIRST_NAME] = (sections.names.len() / NAME_WORDS) as u32;
    record[M_NAME_COUNT] = names.len() as u32;
    record[M_FIRST_ONEOF] = (sections.oneofs.len() / ONEOF_WORDS) as u32;
    record[M_ONEOF_COUNT] = message.oneofs.len() as u32;
    record[M_FLAGS] = flags;
    sections.messages.extend(record);
    for (name, at) in names {
        let mut record = [0; NAME_WORDS];
        record[N_NAME] = sections.string(name);
        record[N_FIELD] = at;
        sections.names.extend(record);
    }
    for field in &message.fields {
        put_field(sections, message, field, index)?;
    }
    for oneof in &message.oneofs {
        let required = if oneof.required { OF_REQUIRED } else { 0 };
        let synthetic = if oneof.synthetic { OF_SYNTHETIC } else { 0 };
        let mut record = [0; ONEOF_WORDS];
        record[O_NAME] = sections.string(&oneof.name);
        record[O_FLAGS] = required | synthetic;
        sections.oneofs.extend(record);
    }
    Ok(())
}

fn put_field(
    sections: &mut Sections,
    message: &Message,
    field: &Field,
    index: &Index<'_>,
) -> Result<(), String> {
    let known = match field.kind {
        MESSAGE => index.messages.get(field.type_name.as_str()),
        ENUM => index.enums.get(field.type_name.as_str()),
        _ => Some(&u32::MAX),
    };
    let type_ref = *known.ok_or_else(|| format!("{}: no {}", message.name, field.type_name))?;
    let packable = !matches!(field.kind, STRING | MESSAGE | BYTES);
    let presence =
        !field.repeated && (field.kind == MESSAGE || field.oneof.is_some() || !field.proto3);
    let flags = [
        (field.repeated, FF_REPEATED),
        (
            field.repeated && packable && field.packed.unwrap_or(field.proto3),
            FF_PACKED,
        ),
        (presence, FF_PRESENCE),
        (field.deprecated, FF_DEPRECATED),
        (field.disallowed, FF_DISALLOWED),
        (field.sensitive, FF_SENSITIVE),
        (field.not_built, FF_NOT_BUILT),
        (
            index.deprecated.contains(field.type_name.as_str()),
            FF_DEPRECATED_VALUES,
        ),
    ];
    let flags = flags
        .iter()
        .fold(0, |all, &(set, flag)| if set { all | flag } else { all });
    let mut record = [0; FIELD_WORDS];
    record[F_NAME] = sections.string(&field.name);
    record[F_JSON_NAME] = sections.string(&field.json_name);
    record[F_NUMBER] = field.number;
    record[F_KIND] = field.kind | flags;
    record[F_TYPE] = type_ref;
    record[F_ONEOF] = field.oneof.map_or(0, |oneof| oneof + 1);
    record[F_RULES] = sections.rules(&field.rules);
    sections.fields.extend(record);
    Ok(())
}

fn put_enum(sections: &mut Sections, enumeration: &Enum) {
    let mut record = [0; ENUM_WORDS];
    record[E_NAME] = sections.string(&enumeration.name);
    record[E_FILE] = sections.string(&enumeration.file);
    record[E_FIRST_VALUE] = (sections.values.len() / VALUE_WORDS) as u32;
    record[E_VALUE_COUNT] = enumeration.values.len() as u32;
    sections.enums.extend(record);
    for value in &enumeration.values {
        let deprecated = if value.deprecated { VF_DEPRECATED } else { 0 };
        let disallowed = if value.disallowed { VF_DISALLOWED } else { 0 };
        let not_built = if value.not_built { VF_NOT_BUILT } else { 0 };
        let mut record = [0; VALUE_WORDS];
        record[V_NAME] = sections.string(&value.name);
        record[V_NUMBER] = value.number as u32;
        record[V_FLAGS] = deprecated | disallowed | not_built;
        sections.values.extend(record);
    }
}

/// For each message whether something in it or below it needs the walk of checks, or is sensitive.
fn flags_below(messages: &[Message], index: &Index<'_>) -> Vec<u32> {
    let mut flags: Vec<u32> = messages
        .iter()
        .map(|message| own_flags(message, index))
        .collect();
    loop {
        let mut changed = false;
        for (at, message) in messages.iter().enumerate() {
            let mut all = flags[at];
            for field in &message.fields {
                if let Some(&below) = index.messages.get(field.type_name.as_str()) {
                    all |= flags[below as usize];
                }
            }
            changed |= all != flags[at];
            flags[at] = all;
        }
        if !changed {
            return flags;
        }
    }
}

fn own_flags(message: &Message, index: &Index<'_>) -> u32 {
    let opens = WELL_KNOWN
        .iter()
        .any(|(name, n)| *name == message.name && matches!(n, 1 | 9));
    let checked = opens
        || message.oneofs.iter().any(|oneof| oneof.required)
        || message.fields.iter().any(|f| {
            let values = index.deprecated.contains(f.type_name.as_str());
            f.deprecated || values || f.not_built || !f.rules.is_empty()
        });
    let sensitive = opens || message.fields.iter().any(|field| field.sensitive);
    let checked = if checked { MF_CHECKED } else { 0 };
    checked | if sensitive { MF_SENSITIVE } else { 0 }
}

fn assemble(sections: &Sections) -> Vec<u8> {
    let words: [(usize, &[u32]); 6] = [
        (H_MESSAGES, &sections.messages),
        (H_FIELDS, &sections.fields),
        (H_NAMES, &sections.names),
        (H_ONEOFS, &sections.oneofs),
        (H_ENUMS, &sections.enums),
        (H_VALUES, &sections.values),
    ];
    let mut header = [0u32; HEADER_WORDS];
    header[H_MESSAGE_COUNT] = (sections.messages.len() / MESSAGE_WORDS) as u32;
    header[H_ENUM_COUNT] = (sections.enums.len() / ENUM_WORDS) as u32;
    let mut body = Vec::new();
    for (slot, section) in words {
        header[slot] = (HEADER_WORDS * 4 + body.len()) as u32;
        body.extend(section.iter().flat_map(|word| word.to_le_bytes()));
    }
    for (slot, section) in [(H_STRINGS, &sections.strings), (H_RULES, &sections.rules)] {
        header[slot] = (HEADER_WORDS * 4 + body.len()) as u32;
        body.extend_from_slice(section);
    }
    let mut blob: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    blob.extend(body);
    blob
}
