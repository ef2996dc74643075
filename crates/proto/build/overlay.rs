//! Lays `overlay.txt` over the crate's descriptors: what Envoy's binary has and the crate lacks.

use std::collections::BTreeSet;

use crate::descriptors::{Descriptors, EnumValue, Field, Message};

const STRING: u32 = 9;
const MESSAGE: u32 = 11;
const SCALARS: &[(&str, u32)] = &[
    ("double", 1),
    ("int64", 3),
    ("int32", 5),
    ("bool", 8),
    ("string", STRING),
];

/// Applies every line of the overlay; a line that fits nothing is an error of the overlay.
pub fn apply(text: &str, all: &mut Descriptors) -> Result<(), String> {
    let mut absent = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = match words.as_slice() {
            ["message", name, file] => {
                all.messages.push(new_message(name, file, false));
                Some(())
            }
            ["unbuilt", name, file] => {
                all.messages.push(new_message(name, file, true));
                Some(())
            }
            ["field", message, name, number] => add_field(all, message, name, number),
            ["value", name, value, number] => add_value(all, name, value, number),
            ["rename", message, old, new] => rename(all, message, old, new),
            ["absent", file] => absent.insert(*file).then_some(()),
            [name, number, kind @ ..] if line.starts_with(' ') => {
                own_field(all, name, number, kind)
            }
            _ => None,
        };
        done.ok_or_else(|| format!("overlay.txt: {line}"))?;
    }
    for message in &mut all.messages {
        message.absent |= absent.contains(message.file.as_str());
    }
    Ok(())
}

fn new_message(name: &str, file: &str, not_built: bool) -> Message {
    Message {
        name: name.to_owned(),
        file: file.to_owned(),
        not_built,
        ..Message::default()
    }
}

fn own_field(all: &mut Descriptors, name: &str, number: &str, kind: &[&str]) -> Option<()> {
    let (repeated, kind) = match kind {
        ["repeated", kind] => (true, *kind),
        [kind] => (false, *kind),
        _ => return None,
    };
    let mut field = new_field(name, number)?;
    field.repeated = repeated;
    match SCALARS.iter().find(|(scalar, _)| *scalar == kind) {
        Some((_, number)) => field.kind = *number,
        None => {
            field.kind = MESSAGE;
            field.type_name = kind.to_owned();
        }
    }
    all.messages.last_mut()?.fields.push(field);
    Some(())
}

fn add_field(all: &mut Descriptors, message: &str, name: &str, number: &str) -> Option<()> {
    let mut field = new_field(name, number)?;
    field.not_built = true;
    find(all, message)?.fields.push(field);
    Some(())
}

fn add_value(all: &mut Descriptors, name: &str, value: &str, number: &str) -> Option<()> {
    let enumeration = all.enums.iter_mut().find(|e| e.name == name)?;
    enumeration.values.push(EnumValue {
        name: value.to_owned(),
        number: number.parse().ok()?,
        not_built: true,
        ..EnumValue::default()
    });
    Some(())
}

fn rename(all: &mut Descriptors, message: &str, old: &str, new: &str) -> Option<()> {
    let field = find(all, message)?
        .fields
        .iter_mut()
        .find(|field| field.name == old)?;
    field.name = new.to_owned();
    field.json_name = json_name(new);
    Some(())
}

fn find<'a>(all: &'a mut Descriptors, name: &str) -> Option<&'a mut Message> {
    all.messages.iter_mut().find(|message| message.name == name)
}

fn new_field(name: &str, number: &str) -> Option<Field> {
    Some(Field {
        name: name.to_owned(),
        json_name: json_name(name),
        number: number.parse().ok()?,
        kind: STRING,
        proto3: true,
        ..Field::default()
    })
}

fn json_name(name: &str) -> String {
    let mut json = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                json.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => json.push(c),
        }
    }
    json
}
