//! Reads a `FileDescriptorSet` with the options that the tables keep. Options of Envoy and PGV are
//! extensions, which generated descriptor types would drop, so this reads the wire bytes itself.

use crate::wire::{Malformed, Value, fields};

/// All messages and enums of a descriptor set.
#[derive(Default)]
pub struct Descriptors {
    pub messages: Vec<Message>,
    pub enums: Vec<Enum>,
}

#[derive(Default)]
pub struct Message {
    pub name: String,
    pub file: String,
    pub fields: Vec<Field>,
    pub oneofs: Vec<Oneof>,
    pub map_entry: bool,
    pub not_built: bool,
    pub absent: bool,
}

#[derive(Clone, Default)]
pub struct Field {
    pub name: String,
    pub json_name: String,
    pub number: u32,
    /// As in `FieldDescriptorProto.Type`.
    pub kind: u32,
    pub repeated: bool,
    /// Full name without the leading dot; empty for scalars.
    pub type_name: String,
    pub oneof: Option<u32>,
    pub proto3: bool,
    pub packed: Option<bool>,
    pub rules: Vec<u8>,
    pub deprecated: bool,
    pub disallowed: bool,
    pub sensitive: bool,
    pub not_built: bool,
    pub optional: bool,
}

#[derive(Default)]
pub struct Oneof {
    pub name: String,
    pub required: bool,
    pub synthetic: bool,
}

#[derive(Default)]
pub struct Enum {
    pub name: String,
    pub file: String,
    pub values: Vec<EnumValue>,
}

#[derive(Default)]
pub struct EnumValue {
    pub name: String,
    pub number: i32,
    pub deprecated: bool,
    pub disallowed: bool,
    pub not_built: bool,
}

/// Numbers of the extensions, from the protos that declare them.
const VALIDATE: u32 = 1071;
const DISALLOWED_BY_DEFAULT: u32 = 189_503_207;
const DISALLOWED_BY_DEFAULT_ENUM: u32 = 70_100_853;
const SENSITIVE: u32 = 76_569_463;

/// Reads a whole `FileDescriptorSet`.
pub fn read(set: &[u8]) -> Result<Descriptors, Malformed> {
    let mut all = Descriptors::default();
    for field in fields(set) {
        if let (1, Value::Bytes(file)) = field? {
            read_file(file, &mut all)?;
        }
    }
    Ok(all)
}

fn read_file(file: &[u8], all: &mut Descriptors) -> Result<(), Malformed> {
    let (mut name, mut package, mut proto3) = (String::new(), String::new(), false);
    for field in fields(file) {
        match field? {
            (1, Value::Bytes(bytes)) => name = text(bytes),
            (2, Value::Bytes(bytes)) => package = text(bytes),
            (12, Value::Bytes(bytes)) => proto3 = bytes == b"proto3",
            _ => {}
        }
    }
    for field in fields(file) {
        match field? {
            (4, Value::Bytes(bytes)) => read_message(bytes, &package, &name, proto3, all)?,
            (5, Value::Bytes(bytes)) => read_enum(bytes, &package, &name, all)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_message(
    bytes: &[u8],
    scope: &str,
    file: &str,
    proto3: bool,
    all: &mut Descriptors,
) -> Result<(), Malformed> {
    let mut message = Message {
        file: file.to_owned(),
        ..Message::default()
    };
    for field in fields(bytes) {
        match field? {
            (1, Value::Bytes(name)) => message.name = qualified(scope, name),
            (2, Value::Bytes(field)) => message.fields.push(read_field(field, proto3)?),
            (7, Value::Bytes(options)) => message.map_entry = flag(options, 7)?,
            (8, Value::Bytes(oneof)) => message.oneofs.push(read_oneof(oneof)?),
            _ => {}
        }
    }
    for field in fields(bytes) {
        match field? {
            (3, Value::Bytes(nested)) => read_message(nested, &message.name, file, proto3, all)?,
            (4, Value::Bytes(nested)) => read_enum(nested, &message.name, file, all)?,
            _ => {}
        }
    }
    for field in &message.fields {
        if let (true, Some(oneof)) = (field.optional, field.oneof) {
            message.oneofs[oneof as usize].synthetic = true;
        }
    }
    all.messages.push(message);
    Ok(())
}

fn read_field(bytes: &[u8], proto3: bool) -> Result<Field, Malformed> {
    let mut field = Field {
        proto3,
        ..Field::default()
    };
    for entry in fields(bytes) {
        match entry? {
            (1, Value::Bytes(name)) => field.name = text(name),
            (3, Value::Varint(number)) => field.number = number as u32,
            (4, Value::Varint(label)) => field.repeated = label == 3,
            (5, Value::Varint(kind)) => field.kind = kind as u32,
            (6, Value::Bytes(name)) => {
                field.type_name = text(name).trim_start_matches('.').to_owned();
            }
            (8, Value::Bytes(options)) => read_field_options(options, &mut field)?,
            (9, Value::Varint(oneof)) => field.oneof = Some(oneof as u32),
            (10, Value::Bytes(name)) => field.json_name = text(name),
            (17, Value::Varint(optional)) => field.optional = optional != 0,
            _ => {}
        }
    }
    Ok(field)
}

fn read_field_options(bytes: &[u8], field: &mut Field) -> Result<(), Malformed> {
    for entry in fields(bytes) {
        match entry? {
            (2, Value::Varint(packed)) => field.packed = Some(packed != 0),
            (3, Value::Varint(deprecated)) => field.deprecated = deprecated != 0,
            (VALIDATE, Value::Bytes(rules)) => field.rules.extend_from_slice(rules),
            (DISALLOWED_BY_DEFAULT, Value::Varint(value)) => field.disallowed = value != 0,
            (SENSITIVE, Value::Varint(value)) => field.sensitive = value != 0,
            _ => {}
        }
    }
    Ok(())
}

fn read_oneof(bytes: &[u8]) -> Result<Oneof, Malformed> {
    let mut oneof = Oneof::default();
    for entry in fields(bytes) {
        match entry? {
            (1, Value::Bytes(name)) => oneof.name = text(name),
            (2, Value::Bytes(options)) => oneof.required = flag(options, VALIDATE)?,
            _ => {}
        }
    }
    Ok(oneof)
}

fn read_enum(
    bytes: &[u8],
    scope: &str,
    file: &str,
    all: &mut Descriptors,
) -> Result<(), Malformed> {
    let mut enumeration = Enum {
        file: file.to_owned(),
        ..Enum::default()
    };
    for entry in fields(bytes) {
        match entry? {
            (1, Value::Bytes(name)) => enumeration.name = qualified(scope, name),
            (2, Value::Bytes(value)) => enumeration.values.push(read_value(value)?),
            _ => {}
        }
    }
    all.enums.push(enumeration);
    Ok(())
}

fn read_value(bytes: &[u8]) -> Result<EnumValue, Malformed> {
    let mut value = EnumValue::default();
    for entry in fields(bytes) {
        match entry? {
            (1, Value::Bytes(name)) => value.name = text(name),
            (2, Value::Varint(number)) => value.number = number as i32,
            (3, Value::Bytes(options)) => {
                value.deprecated = flag(options, 1)?;
                value.disallowed = flag(options, DISALLOWED_BY_DEFAULT_ENUM)?;
            }
            _ => {}
        }
    }
    Ok(value)
}

fn flag(options: &[u8], number: u32) -> Result<bool, Malformed> {
    let mut set = false;
    for entry in fields(options) {
        if let (found, Value::Varint(value)) = entry?
            && found == number
        {
            set = value != 0;
        }
    }
    Ok(set)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn qualified(scope: &str, name: &[u8]) -> String {
    if scope.is_empty() {
        text(name)
    } else {
        format!("{scope}.{}", text(name))
    }
}
