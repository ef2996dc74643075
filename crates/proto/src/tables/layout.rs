//! How the tables lie in their blob: written by the build script, read by `tables`.
//!
//! The blob is a header (for each section its offset in bytes, for searched ones their count too)
//! and the sections.
//! All words are 32 bits, little-endian. Messages and enums are sorted by full name, a message's
//! fields by number; a string is a 16-bit length and its bytes.

/// Header words: offset and number of the message records.
pub const H_MESSAGES: usize = 0;
/// Number of message records.
pub const H_MESSAGE_COUNT: usize = 1;
/// Offset of the field records.
pub const H_FIELDS: usize = 2;
/// Offset of the name records: for each message its field names, sorted, with the field's index.
pub const H_NAMES: usize = 3;
/// Offset of the oneof records.
pub const H_ONEOFS: usize = 4;
/// Offset of the enum records.
pub const H_ENUMS: usize = 5;
/// Number of enum records.
pub const H_ENUM_COUNT: usize = 6;
/// Offset of the enum value records.
pub const H_VALUES: usize = 7;
/// Offset of the strings.
pub const H_STRINGS: usize = 8;
/// Offset of the rules: `validate.FieldRules` messages, each after a 16-bit length.
pub const H_RULES: usize = 9;

/// Words of a message record.
pub const MESSAGE_WORDS: usize = 9;
/// Message record: full name.
pub const M_NAME: usize = 0;
/// Message record: the file it is declared in.
pub const M_FILE: usize = 1;
/// Message record: index of its first field.
pub const M_FIRST_FIELD: usize = 2;
/// Message record: number of fields.
pub const M_FIELD_COUNT: usize = 3;
/// Message record: index of its first name.
pub const M_FIRST_NAME: usize = 4;
/// Message record: number of names.
pub const M_NAME_COUNT: usize = 5;
/// Message record: index of its first oneof.
pub const M_FIRST_ONEOF: usize = 6;
/// Message record: number of oneofs.
pub const M_ONEOF_COUNT: usize = 7;
/// Message record: flags.
pub const M_FLAGS: usize = 8;

/// Message flag: the entry of a map field.
pub const MF_MAP_ENTRY: u32 = 1;
/// Message flag: something below it has rules, is deprecated, or is an `Any`.
pub const MF_CHECKED: u32 = 2;
/// Message flag: something below it is sensitive, or is an `Any`.
pub const MF_SENSITIVE: u32 = 4;
/// Message flag: Envoy's binary knows it, the types of this build do not.
pub const MF_NOT_BUILT: u32 = 8;
/// Message flag: in the protos, but not linked into Envoy's binary.
pub const MF_ABSENT: u32 = 16;
/// Message flags: the well-known type's number, from this bit on.
pub const MF_WELL_KNOWN_SHIFT: u32 = 8;

/// Words of a field record.
pub const FIELD_WORDS: usize = 7;
/// Field record: name as in the proto.
pub const F_NAME: usize = 0;
/// Field record: name in JSON.
pub const F_JSON_NAME: usize = 1;
/// Field record: number.
pub const F_NUMBER: usize = 2;
/// Field record: kind (as in `FieldDescriptorProto.Type`) in the low byte, flags above.
pub const F_KIND: usize = 3;
/// Field record: index of the message or enum.
pub const F_TYPE: usize = 4;
/// Field record: 1 + the oneof's index in its message, 0 for none.
pub const F_ONEOF: usize = 5;
/// Field record: offset of its rules in the rules section, 0 for none.
pub const F_RULES: usize = 6;

/// Field flag: repeated (lists and maps).
pub const FF_REPEATED: u32 = 1 << 8;
/// Field flag: written packed.
pub const FF_PACKED: u32 = 1 << 9;
/// Field flag: being absent differs from the default value.
pub const FF_PRESENCE: u32 = 1 << 10;
/// Field flag: deprecated.
pub const FF_DEPRECATED: u32 = 1 << 11;
/// Field flag: `envoy.annotations.disallowed_by_default`.
pub const FF_DISALLOWED: u32 = 1 << 12;
/// Field flag: `udpa.annotations.sensitive`.
pub const FF_SENSITIVE: u32 = 1 << 13;
/// Field flag: Envoy's binary knows it, the types of this build do not.
pub const FF_NOT_BUILT: u32 = 1 << 14;

/// Field flag: an enum some of whose values are deprecated.
pub const FF_DEPRECATED_VALUES: u32 = 1 << 15;

/// Words of a name record.
pub const NAME_WORDS: usize = 2;
/// Name record: the name.
pub const N_NAME: usize = 0;
/// Name record: the field's index in its message.
pub const N_FIELD: usize = 1;

/// Words of a oneof record.
pub const ONEOF_WORDS: usize = 2;
/// Oneof record: name.
pub const O_NAME: usize = 0;
/// Oneof record: flags.
pub const O_FLAGS: usize = 1;
/// Oneof flag: one of its fields must be set.
pub const OF_REQUIRED: u32 = 1;
/// Oneof flag: made by `optional`, no oneof to users.
pub const OF_SYNTHETIC: u32 = 2;

/// Words of an enum record.
pub const ENUM_WORDS: usize = 4;
/// Enum record: full name.
pub const E_NAME: usize = 0;
/// Enum record: the file it is declared in.
pub const E_FILE: usize = 1;
/// Enum record: index of its first value.
pub const E_FIRST_VALUE: usize = 2;
/// Enum record: number of values.
pub const E_VALUE_COUNT: usize = 3;

/// Words of an enum value record.
pub const VALUE_WORDS: usize = 3;
/// Value record: name.
pub const V_NAME: usize = 0;
/// Value record: number.
pub const V_NUMBER: usize = 1;
/// Value record: flags.
pub const V_FLAGS: usize = 2;
/// Value flag: deprecated.
pub const VF_DEPRECATED: u32 = 1;
/// Value flag: `envoy.annotations.disallowed_by_default_enum`.
pub const VF_DISALLOWED: u32 = 2;
/// Value flag: Envoy's binary knows it, the types of this build do not.
pub const VF_NOT_BUILT: u32 = 4;
