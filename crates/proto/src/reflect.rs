//! Reflection: what the protos say of messages, fields and enums, read off the static tables.
//!
//! The references are indices, `Copy` and free to make; nothing here allocates.

use crate::tables::layout::*;
use crate::tables::{header, record, rules, string, string_bytes};

/// A message type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageRef(u32);

/// A field of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldRef(pub(crate) u32);

/// A oneof of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OneofRef(u32);

/// An enum type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnumRef(u32);

/// A value of an enum.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnumValueRef(u32);

/// A field's type; numbered as in `FieldDescriptorProto.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // protobuf's own names
pub enum Kind {
    Double,
    Float,
    Int64,
    UInt64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Message,
    Bytes,
    UInt32,
    Enum,
    SFixed32,
    SFixed64,
    SInt32,
    SInt64,
}

/// The messages whose JSON form is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // protobuf's own names
pub enum WellKnown {
    Any,
    Duration,
    Timestamp,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Empty,
    /// `udpa.type.v1.TypedStruct` and `xds.type.v3.TypedStruct`.
    TypedStruct,
    /// `google.protobuf.UInt32Value` and its like: field 1 holds the value.
    Wrapper,
}

/// The message of this full name, such as `envoy.config.cluster.v3.Cluster`.
pub fn message(name: &str) -> Option<MessageRef> {
    let name_of = |at| string_bytes(record(H_MESSAGES, MESSAGE_WORDS, at, M_NAME));
    search(header(H_MESSAGE_COUNT), name.as_bytes(), name_of).map(MessageRef)
}

/// The enum of this full name.
pub fn enumeration(name: &str) -> Option<EnumRef> {
    let name_of = |at| string_bytes(record(H_ENUMS, ENUM_WORDS, at, E_NAME));
    search(header(H_ENUM_COUNT), name.as_bytes(), name_of).map(EnumRef)
}

/// All messages, by name.
pub fn messages() -> impl Iterator<Item = MessageRef> {
    (0..header(H_MESSAGE_COUNT)).map(MessageRef)
}

/// All enums, by name.
pub fn enums() -> impl Iterator<Item = EnumRef> {
    (0..header(H_ENUM_COUNT)).map(EnumRef)
}

fn search(count: u32, wanted: &[u8], name_of: impl Fn(u32) -> &'static [u8]) -> Option<u32> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match name_of(middle).cmp(wanted) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(middle),
        }
    }
    None
}

impl MessageRef {
    fn word(self, index: usize) -> u32 {
        record(H_MESSAGES, MESSAGE_WORDS, self.0, index)
    }

    fn flag(self, flag: u32) -> bool {
        self.word(M_FLAGS) & flag != 0
    }

    /// The full name, without a leading dot.
    pub fn name(self) -> &'static str {
        string(self.word(M_NAME))
    }

    /// The last part of the name.
    pub fn short_name(self) -> &'static str {
        let name = self.name();
        name.rsplit('.').next().unwrap_or(name)
    }

    /// The path of the proto file.
    pub fn file(self) -> &'static str {
        string(self.word(M_FILE))
    }

    /// The fields, by number.
    pub fn fields(self) -> impl ExactSizeIterator<Item = FieldRef> + Clone {
        let first = self.word(M_FIRST_FIELD);
        (first..first + self.word(M_FIELD_COUNT)).map(FieldRef)
    }

    /// The oneofs, in the order of the proto, those made by `optional` too.
    pub fn oneofs(self) -> impl ExactSizeIterator<Item = OneofRef> {
        let first = self.word(M_FIRST_ONEOF);
        (first..first + self.word(M_ONEOF_COUNT)).map(OneofRef)
    }

    /// The field of this number.
    pub fn field(self, number: u32) -> Option<FieldRef> {
        let first = self.word(M_FIRST_FIELD);
        let count = self.word(M_FIELD_COUNT);
        // Most messages number their fields 1, 2, 3 …
        let guess = FieldRef(first + number.wrapping_sub(1));
        if number.wrapping_sub(1) < count && guess.number() == number {
            return Some(guess);
        }
        let (mut low, mut high) = (first, first + count);
        while low < high {
            let middle = low + (high - low) / 2;
            match FieldRef(middle).number().cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(FieldRef(middle)),
            }
        }
        None
    }

    /// The field of this name, as in the proto or as in JSON.
    pub fn field_by_name(self, name: &str) -> Option<FieldRef> {
        let first = self.word(M_FIRST_NAME);
        let name_at = |at, word| record(H_NAMES, NAME_WORDS, first + at, word);
        let name_of = |at| string_bytes(name_at(at, N_NAME));
        let at = search(self.word(M_NAME_COUNT), name.as_bytes(), name_of)?;
        Some(FieldRef(self.word(M_FIRST_FIELD) + name_at(at, N_FIELD)))
    }

    /// Whether this is the entry message of a map field.
    pub fn is_map_entry(self) -> bool {
        self.flag(MF_MAP_ENTRY)
    }

    /// Whether anything in it or below it has rules, is deprecated or not built, or is an `Any`.
    pub fn is_checked(self) -> bool {
        self.flag(MF_CHECKED)
    }

    /// Whether anything in it or below it is sensitive, or is an `Any`.
    pub fn may_be_sensitive(self) -> bool {
        self.flag(MF_SENSITIVE)
    }

    /// Whether Envoy knows it and this build has no type for it.
    pub fn not_built(self) -> bool {
        self.flag(MF_NOT_BUILT)
    }

    /// Whether the protos have it and Envoy's binary does not.
    pub fn is_absent(self) -> bool {
        self.flag(MF_ABSENT)
    }

    /// Whether its JSON form is special.
    pub fn well_known(self) -> Option<WellKnown> {
        Some(match self.word(M_FLAGS) >> MF_WELL_KNOWN_SHIFT {
            1 => WellKnown::Any,
            2 => WellKnown::Duration,
            3 => WellKnown::Timestamp,
            4 => WellKnown::FieldMask,
            5 => WellKnown::Struct,
            6 => WellKnown::Value,
            7 => WellKnown::ListValue,
            8 => WellKnown::Empty,
            9 => WellKnown::TypedStruct,
            20 => WellKnown::Wrapper,
            _ => return None,
        })
    }
}

impl std::fmt::Debug for MessageRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FieldRef {
    fn word(self, index: usize) -> u32 {
        record(H_FIELDS, FIELD_WORDS, self.0, index)
    }

    fn flag(self, flag: u32) -> bool {
        self.word(F_KIND) & flag != 0
    }

    /// The name as in the proto.
    pub fn name(self) -> &'static str {
        string(self.word(F_NAME))
    }

    /// The name in JSON, lowerCamel.
    pub fn json_name(self) -> &'static str {
        string(self.word(F_JSON_NAME))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.word(F_NUMBER)
    }

    /// The type; of a repeated field the elements'.
    pub fn kind(self) -> Kind {
        match self.word(F_KIND) & 0xff {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::UInt64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            11 => Kind::Message,
            13 => Kind::UInt32,
            14 => Kind::Enum,
            15 => Kind::SFixed32,
            16 => Kind::SFixed64,
            17 => Kind::SInt32,
            18 => Kind::SInt64,
            _ => Kind::Bytes,
        }
    }

    /// The message type, where the kind is `Message`.
    pub fn message(self) -> Option<MessageRef> {
        (self.kind() == Kind::Message).then(|| MessageRef(self.word(F_TYPE)))
    }

    /// The enum type, where the kind is `Enum`.
    pub fn enumeration(self) -> Option<EnumRef> {
        (self.kind() == Kind::Enum).then(|| EnumRef(self.word(F_TYPE)))
    }

    /// Whether it is a list or a map.
    pub fn is_repeated(self) -> bool {
        self.flag(FF_REPEATED)
    }

    /// The entry message, where it is a map.
    pub fn map_entry(self) -> Option<MessageRef> {
        self.message().filter(|message| message.is_map_entry())
    }

    /// Whether a list of it is written packed.
    pub fn is_packed(self) -> bool {
        self.flag(FF_PACKED)
    }

    /// Whether being absent differs from the default value.
    pub fn has_presence(self) -> bool {
        self.flag(FF_PRESENCE)
    }

    /// Whether it is deprecated.
    pub fn is_deprecated(self) -> bool {
        self.flag(FF_DEPRECATED)
    }

    /// Whether it is deprecated and refused unless a runtime flag allows it.
    pub fn is_disallowed(self) -> bool {
        self.flag(FF_DISALLOWED)
    }

    /// Whether it is an enum some of whose values are deprecated.
    pub fn has_deprecated_values(self) -> bool {
        self.flag(FF_DEPRECATED_VALUES)
    }

    /// Whether its value is a secret.
    pub fn is_sensitive(self) -> bool {
        self.flag(FF_SENSITIVE)
    }

    /// Whether Envoy knows it and the types of this build do not.
    pub fn not_built(self) -> bool {
        self.flag(FF_NOT_BUILT)
    }

    /// The index of its oneof in the message.
    pub fn oneof(self) -> Option<usize> {
        (self.word(F_ONEOF) as usize).checked_sub(1)
    }

    /// Its `validate.FieldRules`, encoded; empty where it has none.
    pub fn rules(self) -> &'static [u8] {
        rules(self.word(F_RULES))
    }
}

impl std::fmt::Debug for FieldRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl OneofRef {
    /// The name.
    pub fn name(self) -> &'static str {
        string(record(H_ONEOFS, ONEOF_WORDS, self.0, O_NAME))
    }

    /// Whether one of its fields must be set.
    pub fn is_required(self) -> bool {
        record(H_ONEOFS, ONEOF_WORDS, self.0, O_FLAGS) & OF_REQUIRED != 0
    }

    /// Whether it only stands for an `optional` field.
    pub fn is_synthetic(self) -> bool {
        record(H_ONEOFS, ONEOF_WORDS, self.0, O_FLAGS) & OF_SYNTHETIC != 0
    }
}

impl EnumRef {
    /// The full name.
    pub fn name(self) -> &'static str {
        string(record(H_ENUMS, ENUM_WORDS, self.0, E_NAME))
    }

    /// The path of the proto file.
    pub fn file(self) -> &'static str {
        string(record(H_ENUMS, ENUM_WORDS, self.0, E_FILE))
    }

    /// The values, in the order of the proto.
    pub fn values(self) -> impl ExactSizeIterator<Item = EnumValueRef> + Clone {
        let first = record(H_ENUMS, ENUM_WORDS, self.0, E_FIRST_VALUE);
        (first..first + record(H_ENUMS, ENUM_WORDS, self.0, E_VALUE_COUNT)).map(EnumValueRef)
    }

    /// The value of this number.
    pub fn value(self, number: i32) -> Option<EnumValueRef> {
        self.values().find(|value| value.number() == number)
    }
}

impl EnumValueRef {
    fn flag(self, flag: u32) -> bool {
        record(H_VALUES, VALUE_WORDS, self.0, V_FLAGS) & flag != 0
    }

    /// The name.
    pub fn name(self) -> &'static str {
        string(record(H_VALUES, VALUE_WORDS, self.0, V_NAME))
    }

    /// The number.
    pub fn number(self) -> i32 {
        record(H_VALUES, VALUE_WORDS, self.0, V_NUMBER) as i32
    }

    /// Whether it is deprecated.
    pub fn is_deprecated(self) -> bool {
        self.flag(VF_DEPRECATED)
    }

    /// Whether it is deprecated and refused unless a runtime flag allows it.
    pub fn is_disallowed(self) -> bool {
        self.flag(VF_DISALLOWED)
    }

    /// Whether Envoy knows it and the types of this build do not.
    pub fn not_built(self) -> bool {
        self.flag(VF_NOT_BUILT)
    }
}
