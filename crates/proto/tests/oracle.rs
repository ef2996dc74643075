//! The tables and the printer against prost-reflect, which reads the same descriptors its own way.

#![allow(clippy::unwrap_used)] // tests, helpers included

use std::path::PathBuf;

use nuncio_proto::reflect::{self, FieldRef, Kind, MessageRef};
use nuncio_proto::{ConfigError, ErrorKind, Format, Options, json, load};
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor,
    SerializeOptions,
};

/// The crate's descriptors, from the registry.
fn pool() -> DescriptorPool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo"));
    let registries = std::fs::read_dir(home.join("registry/src")).unwrap();
    let inside = "envoy-types-0.7.7/src/generated/types.bin";
    let mut files = registries.map(|entry| entry.unwrap().path().join(inside));
    let file = files
        .find(|file| file.is_file())
        .expect("the crate's source in the registry");
    DescriptorPool::decode(std::fs::read(file).unwrap().as_slice()).unwrap()
}

/// Fields that the overlay renames.
fn renamed(name: &str) -> bool {
    name.contains("llm_protocol")
}

fn same_field(found: FieldRef, wanted: &FieldDescriptor) {
    let at = wanted.full_name();
    if !renamed(found.name()) {
        assert_eq!(found.name(), wanted.name(), "{at}");
        assert_eq!(found.json_name(), wanted.json_name(), "{at}");
    }
    assert_eq!(found.number(), wanted.number(), "{at}");
    let kind = match wanted.kind() {
        prost_reflect::Kind::Double => Kind::Double,
        prost_reflect::Kind::Float => Kind::Float,
        prost_reflect::Kind::Int32 => Kind::Int32,
        prost_reflect::Kind::Int64 => Kind::Int64,
        prost_reflect::Kind::Uint32 => Kind::UInt32,
        prost_reflect::Kind::Uint64 => Kind::UInt64,
        prost_reflect::Kind::Sint32 => Kind::SInt32,
        prost_reflect::Kind::Sint64 => Kind::SInt64,
        prost_reflect::Kind::Fixed32 => Kind::Fixed32,
        prost_reflect::Kind::Fixed64 => Kind::Fixed64,
        prost_reflect::Kind::Sfixed32 => Kind::SFixed32,
        prost_reflect::Kind::Sfixed64 => Kind::SFixed64,
        prost_reflect::Kind::Bool => Kind::Bool,
        prost_reflect::Kind::String => Kind::String,
        prost_reflect::Kind::Bytes => Kind::Bytes,
        prost_reflect::Kind::Message(message) => {
            assert_eq!(found.message().unwrap().name(), message.full_name(), "{at}");
            Kind::Message
        }
        prost_reflect::Kind::Enum(enumeration) => {
            assert_eq!(
                found.enumeration().unwrap().name(),
                enumeration.full_name(),
                "{at}"
            );
            Kind::Enum
        }
    };
    assert_eq!(found.kind(), kind, "{at}");
    assert_eq!(
        found.is_repeated(),
        wanted.cardinality() == Cardinality::Repeated,
        "{at}"
    );
    assert_eq!(found.map_entry().is_some(), wanted.is_map(), "{at}");
    assert_eq!(found.is_packed(), wanted.is_packed(), "{at}");
    assert_eq!(found.has_presence(), wanted.supports_presence(), "{at}");
    let oneof = wanted.containing_oneof();
    let message = reflect::message(wanted.parent_message().full_name()).unwrap();
    let found_oneof = found.oneof().and_then(|at| message.oneofs().nth(at));
    assert_eq!(
        found_oneof.map(|oneof| oneof.name().to_owned()),
        oneof.map(|oneof| oneof.name().to_owned()),
        "{at}"
    );
    assert_eq!(message.field_by_name(found.name()), Some(found), "{at}");
    assert_eq!(
        message.field_by_name(found.json_name()),
        Some(found),
        "{at}"
    );
    let options = wanted.options();
    let option = |name: &str| {
        let pool = wanted.parent_pool();
        let extension = pool.get_extension_by_name(name).unwrap();
        options
            .has_extension(&extension)
            .then(|| options.get_extension(&extension).into_owned())
    };
    let deprecated = options
        .get_field_by_name("deprecated")
        .unwrap()
        .as_bool()
        .unwrap();
    assert_eq!(found.is_deprecated(), deprecated, "{at}");
    let sensitive = option("udpa.annotations.sensitive").is_some();
    assert_eq!(found.is_sensitive(), sensitive, "{at}");
    let disallowed = option("envoy.annotations.disallowed_by_default").is_some();
    assert_eq!(found.is_disallowed(), disallowed, "{at}");
    assert_eq!(
        !found.rules().is_empty(),
        option("validate.rules").is_some(),
        "{at}"
    );
}

fn same_message(found: MessageRef, wanted: &MessageDescriptor) {
    assert_eq!(
        found.is_map_entry(),
        wanted.is_map_entry(),
        "{}",
        found.name()
    );
    let built: Vec<FieldRef> = found.fields().filter(|field| !field.not_built()).collect();
    assert_eq!(built.len(), wanted.fields().len(), "{}", found.name());
    for field in wanted.fields() {
        same_field(found.field(field.number()).unwrap(), &field);
    }
    let required: Vec<String> = wanted
        .oneofs()
        .filter(|oneof| {
            let extension = wanted
                .parent_pool()
                .get_extension_by_name("validate.required")
                .unwrap();
            oneof.options().get_extension(&extension).as_bool() == Some(true)
        })
        .map(|oneof| oneof.name().to_owned())
        .collect();
    let found_required: Vec<&str> = found
        .oneofs()
        .filter(|oneof| oneof.is_required())
        .map(|oneof| oneof.name())
        .collect();
    assert_eq!(found_required, required, "{}", found.name());
}

#[test]
fn the_tables_are_the_descriptors() {
    let pool = pool();
    let mut count = 0;
    for wanted in pool.all_messages() {
        let found = reflect::message(wanted.full_name()).unwrap();
        same_message(found, &wanted);
        count += 1;
    }
    for wanted in pool.all_enums() {
        let found = reflect::enumeration(wanted.full_name()).unwrap();
        let mut values: Vec<(String, i32)> = wanted
            .values()
            .map(|value| (value.name().to_owned(), value.number()))
            .collect();
        let built = found.values().filter(|value| !value.not_built());
        let mut built: Vec<(String, i32)> = built
            .map(|value| (value.name().to_owned(), value.number()))
            .collect();
        values.sort_unstable();
        built.sort_unstable();
        assert_eq!(built, values, "{}", found.name());
    }
    let own = reflect::messages().count() - count;
    assert!(count > 1500, "{count} messages of the crate");
    assert!(own < 60, "{own} messages of the overlay");
}

/// Every message with every field set to something, nested a few levels.
fn sample(message: MessageRef, depth: usize, seed: &mut u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut next = |bound: u64| {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % bound
    };
    let picks: Vec<u64> = message.fields().map(|_| next(1 << 20)).collect();
    let mut oneofs = Vec::new();
    for (field, pick) in message.fields().zip(picks) {
        if field.not_built() || field.oneof().is_some_and(|oneof| oneofs.contains(&oneof)) {
            continue;
        }
        let count = if field.is_repeated() { 1 + pick % 2 } else { 1 };
        let left_out = depth > 3 || pick % 3 == 0;
        if left_out && !message.is_map_entry() {
            continue;
        }
        oneofs.extend(field.oneof());
        for at in 0..count {
            sample_value(&mut out, field, pick + at, depth, seed);
        }
    }
    out
}

fn sample_value(out: &mut Vec<u8>, field: FieldRef, pick: u64, depth: usize, seed: &mut u64) {
    use nuncio_proto::wire::{put_bytes, put_tag, put_varint};
    let number = field.number();
    match field.kind() {
        Kind::Message => {
            let message = field.message().unwrap();
            let inner = match message.well_known() {
                Some(reflect::WellKnown::Any) => {
                    let name = "envoy.config.core.v3.Node";
                    let mut any = Vec::new();
                    put_bytes(
                        &mut any,
                        1,
                        format!("type.googleapis.com/{name}").as_bytes(),
                    );
                    let node = reflect::message(name).unwrap();
                    put_bytes(&mut any, 2, &sample(node, depth + 2, seed));
                    any
                }
                Some(reflect::WellKnown::Duration | reflect::WellKnown::Timestamp) => {
                    let mut time = vec![8];
                    put_varint(&mut time, pick);
                    time.push(16);
                    put_varint(&mut time, [0, 250_000_000, 1_000, 7][pick as usize % 4]);
                    time
                }
                Some(reflect::WellKnown::Value) => vec![0x1a, 1, b'v'],
                _ => sample(message, depth + 1, seed),
            };
            put_bytes(out, number, &inner);
        }
        Kind::String => put_bytes(out, number, format!("s<{pick}\u{e9}\n").as_bytes()),
        Kind::Bytes => put_bytes(out, number, &pick.to_le_bytes()),
        Kind::Double => {
            put_tag(out, number, 1);
            out.extend_from_slice(&(pick as f64 / 8.0).to_le_bytes());
        }
        Kind::Fixed64 | Kind::SFixed64 => {
            put_tag(out, number, 1);
            out.extend_from_slice(&pick.to_le_bytes());
        }
        Kind::Float => {
            put_tag(out, number, 5);
            out.extend_from_slice(&(pick as f32 / 8.0).to_le_bytes());
        }
        Kind::Fixed32 | Kind::SFixed32 => {
            put_tag(out, number, 5);
            out.extend_from_slice(&(pick as u32).to_le_bytes());
        }
        Kind::Bool => {
            put_tag(out, number, 0);
            put_varint(out, 1);
        }
        Kind::Enum => {
            let values: Vec<_> = field
                .enumeration()
                .unwrap()
                .values()
                .filter(|value| !value.not_built())
                .collect();
            put_tag(out, number, 0);
            put_varint(out, values[pick as usize % values.len()].number() as u64);
        }
        _ => {
            put_tag(out, number, 0);
            put_varint(out, pick);
        }
    }
}

/// The first difference between two values.
fn difference(at: &str, a: &serde_json::Value, b: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a
            .iter()
            .find_map(|(key, value)| difference(&format!("{at}.{key}"), value, &b[key])),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| difference(at, a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) => (a != b).then(|| format!("{at}: {a}, not {b}")),
    }
}

/// Messages whose JSON differs for a reason of its own.
fn special(name: &str) -> bool {
    // Struct's values are made by hand above; the overlay renames fields of the others.
    name.starts_with("google.protobuf.") || name.contains("ai_protocol") || name.contains(".ai.")
}

#[test]
fn json_is_the_oracles_and_round_trips() {
    let pool = pool();
    let (mut seed, mut count) = (7, 0);
    for message in reflect::messages() {
        let Some(descriptor) = pool.get_message_by_name(message.name()) else {
            continue;
        };
        if special(message.name()) || message.is_map_entry() {
            continue;
        }
        let bytes = sample(message, 0, &mut seed);
        let decoded = DynamicMessage::decode(descriptor, bytes.as_slice()).unwrap();
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .skip_default_fields(true);
        let wanted = decoded.serialize_with_options(serde_json::value::Serializer, &options);
        let Ok(wanted) = wanted else { continue };
        let text = json::print(&bytes, message, &json::Options::default());
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        if let Some(difference) = difference("", &found, &wanted) {
            panic!("{}: {difference}", message.name());
        }
        let options = Options {
            allow_deprecated: true,
            ..Options::default()
        };
        let loaded = load::read("f", text.clone().into(), Format::Json, message, &options);
        // Constraints do not hold in samples: only what was read is of interest here.
        let again = match loaded.check() {
            Ok(loaded) => json::print(&loaded.bytes, message, &json::Options::default()),
            Err(errors) => {
                let constraint = |error: &ConfigError| error.kind == ErrorKind::Constraint;
                assert!(errors.errors.iter().all(constraint), "{errors}");
                continue;
            }
        };
        assert_eq!(again, text, "{}", message.name());
        count += 1;
    }
    assert!(count > 500, "{count} messages");
}
