//! Small messages that occur everywhere: fractions, metadata, values, data sources.

use crate::repeated::Repeated;
use nuncio_base::metadata::{Fields, Metadata, MetadataKey, Value};
use nuncio_base::runtime_flags::{Fraction, RuntimeFlag, RuntimeFraction};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3 as core_proto;
use nuncio_proto::envoy::r#type::metadata::v3 as metadata_proto;
use nuncio_proto::envoy::r#type::v3 as type_proto;
use nuncio_proto::google::protobuf as google;
use std::sync::Arc;

/// A share of requests.
pub fn fraction(proto: &type_proto::FractionalPercent) -> Fraction {
    use type_proto::fractional_percent::DenominatorType;
    Fraction {
        numerator: proto.numerator,
        denominator: match proto.denominator() {
            DenominatorType::Hundred => 100,
            DenominatorType::TenThousand => 10_000,
            DenominatorType::Million => 1_000_000,
        },
    }
}

/// A share of requests that runtime may change.
pub fn runtime_fraction(proto: core_proto::RuntimeFractionalPercent) -> RuntimeFraction {
    let core_proto::RuntimeFractionalPercent {
        default_value,
        runtime_key,
    } = proto;
    let none = Fraction {
        numerator: 0,
        denominator: 100,
    };
    RuntimeFraction {
        default: default_value.as_ref().map_or(none, fraction),
        key: runtime_key,
    }
}

/// A flag that runtime may change; on where the config says nothing.
pub fn runtime_flag(proto: Option<core_proto::RuntimeFeatureFlag>) -> RuntimeFlag {
    let proto = proto.unwrap_or_default();
    RuntimeFlag {
        default: proto.default_value.is_none_or(|value| value.value),
        key: proto.runtime_key,
    }
}

/// Metadata by filter. Typed metadata are for extensions that ask for them by name; as in Envoy,
/// those that nobody asks for are no error.
pub fn metadata(proto: Option<core_proto::Metadata>) -> Arc<Metadata> {
    static LAST: Repeated<Metadata> = Repeated::new();
    let mut metadata = Metadata::default();
    for (filter, fields) in proto.unwrap_or_default().filter_metadata {
        metadata.set(&filter, structure(fields));
    }
    LAST.share(metadata)
}

/// What hosts must have in their metadata: what stands under `envoy.lb`.
pub fn metadata_match(proto: Option<core_proto::Metadata>) -> Option<Arc<Fields>> {
    let fields = proto?.filter_metadata.remove("envoy.lb")?;
    match structure(fields) {
        Value::Struct(fields) => Some(fields),
        _ => None,
    }
}

/// The same with more on top.
pub fn merged_match(base: Option<&Arc<Fields>>, more: Option<Arc<Fields>>) -> Option<Arc<Fields>> {
    let (Some(base), Some(more)) = (base, &more) else {
        return more.or_else(|| base.cloned());
    };
    let mut merged = Fields::clone(base);
    merged.extend(
        more.iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Some(Arc::new(merged))
}

/// Where a value stands in metadata.
///
/// # Errors
/// Steps that are no names.
pub fn metadata_key(cx: &mut ParseCx, proto: metadata_proto::MetadataKey) -> Parsed<MetadataKey> {
    use metadata_proto::metadata_key::path_segment::Segment;
    let path = cx.list("path", proto.path, |cx, part| match part.segment {
        Some(Segment::Key(key)) => Ok(key),
        Some(Segment::Index(_)) => Err(cx.not_built("index")),
        None => Err(cx.error("field: 'segment', reason: is required")),
    })?;
    Ok(MetadataKey {
        filter: proto.key,
        path,
    })
}

/// A struct as a value.
pub fn structure(proto: google::Struct) -> Value {
    let fields = proto
        .fields
        .into_iter()
        .map(|(name, field)| (name, value(field)));
    Value::Struct(Arc::new(fields.collect()))
}

/// A value. How deep it goes was bounded when it was loaded.
pub fn value(proto: google::Value) -> Value {
    use google::value::Kind;
    match proto.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => Value::Number(number),
        Some(Kind::StringValue(text)) => Value::Text(text.into()),
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::StructValue(fields)) => structure(fields),
        Some(Kind::ListValue(list)) => Value::List(list.values.into_iter().map(value).collect()),
    }
}

/// A value in the protobuf encoding; `None` where these bytes are none.
pub fn encoded_value(bytes: &[u8]) -> Option<Value> {
    use nuncio_proto::Message;
    google::Value::decode(bytes).ok().map(value)
}

/// The bytes of a data source: a file is read now.
///
/// # Errors
/// A file or an environment variable that is not there; a directory to watch, which is not built.
pub fn data_source(cx: &mut ParseCx, proto: core_proto::DataSource) -> Parsed<Vec<u8>> {
    use core_proto::data_source::Specifier;
    let core_proto::DataSource {
        watched_directory,
        specifier,
    } = proto;
    cx.refuse("watched_directory", watched_directory.is_some())?;
    match specifier {
        Some(Specifier::Filename(path)) => cx.field("filename", |cx| read_file(cx, &path)),
        Some(Specifier::InlineBytes(bytes)) => Ok(bytes),
        Some(Specifier::InlineString(text)) => Ok(text.into_bytes()),
        Some(Specifier::EnvironmentVariable(name)) => match std::env::var_os(&name) {
            Some(value) => Ok(value.into_encoded_bytes()),
            None => Err(cx.error_at(
                "environment_variable",
                format!("Environment variable doesn't exist: {name}"),
            )),
        },
        None => Err(cx.error("field: 'specifier', reason: is required")),
    }
}

fn read_file(cx: &mut ParseCx, path: &str) -> Parsed<Vec<u8>> {
    use std::io::ErrorKind;
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        // Envoy reads nothing out of a directory, and says nothing.
        Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(cx.error(format!("file {path} does not exist")))
        }
        Err(error) => Err(cx.error(format!("Invalid path: {path}: {error}"))),
    }
}
