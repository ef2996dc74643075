//! `google.protobuf.Any` and the two `TypedStruct`s: what type is in them, and getting it out.

use std::fmt;

use prost::{Message, Name};

use crate::error::ConfigErrors;
use crate::google::protobuf::Any;
use crate::load::UnknownFields;
use crate::reflect::{self, MessageRef, WellKnown};
use crate::transcode::{self, Transcoded};
use crate::tree::{Mark, NodeKind, Tree};
use crate::wire::{self, Malformed, Value};

/// Why an `Any` could not be unpacked.
#[derive(Debug)]
pub enum UnpackError {
    /// It holds another type.
    Type {
        /// The type asked for.
        wanted: String,
        /// The type it holds.
        found: String,
    },
    /// Its bytes are not the message.
    Malformed(String),
    /// It is a `TypedStruct` whose fields do not fit the type.
    Struct(ConfigErrors),
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { wanted, found } => {
                write!(
                    f,
                    "Unable to unpack as {wanted}: [type.googleapis.com/{found}]"
                )
            }
            Self::Malformed(reason) => write!(f, "Unable to unpack: {reason}"),
            Self::Struct(errors) => write!(f, "{errors}"),
        }
    }
}

impl std::error::Error for UnpackError {}

/// The full name of the type that an `Any` holds; that of the type meant, if it holds a
/// `TypedStruct`. Empty if it holds nothing. Extensions are found by this name.
pub fn type_name(any: &Any) -> &str {
    let name = name_of(&any.type_url);
    if is_typed_struct(name)
        && let Ok((url, _)) = parts(&any.value)
    {
        return name_of(url);
    }
    name
}

/// The message that an `Any` holds, also where it is wrapped in a `TypedStruct`.
pub fn unpack<T: Message + Name + Default>(any: &Any) -> Result<T, UnpackError> {
    let found = type_name(any);
    if found != T::full_name() {
        return Err(UnpackError::Type {
            wanted: T::full_name(),
            found: found.to_owned(),
        });
    }
    let decode =
        |bytes: &[u8]| T::decode(bytes).map_err(|error| UnpackError::Malformed(error.to_string()));
    if !is_typed_struct(name_of(&any.type_url)) {
        return decode(&any.value);
    }
    let message = reflect::message(found)
        .ok_or_else(|| UnpackError::Malformed(format!("could not find @type '{found}'")))?;
    let malformed = |error: Malformed| UnpackError::Malformed(error.to_string());
    let (_, structure) = parts(&any.value).map_err(malformed)?;
    let inner = from_struct(structure, message, UnknownFields::Reject);
    if !inner.errors.is_empty() {
        return Err(UnpackError::Struct(ConfigErrors::new(
            message.name(),
            inner.errors,
        )));
    }
    decode(&inner.bytes)
}

/// Packs a message, as `type.googleapis.com/NAME`.
pub fn pack<T: Message + Name>(message: &T) -> Any {
    let type_url = format!("type.googleapis.com/{}", T::full_name());
    Any {
        type_url,
        value: message.encode_to_vec(),
    }
}

fn is_typed_struct(name: &str) -> bool {
    // Cheap first: this is asked of every extension.
    name.ends_with(".TypedStruct")
        && reflect::message(name).and_then(MessageRef::well_known) == Some(WellKnown::TypedStruct)
}

/// The name in a type URL: what follows the last slash.
pub(crate) fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// The type URL and the value of an encoded `Any` or `TypedStruct`.
pub(crate) fn parts(bytes: &[u8]) -> Result<(&str, &[u8]), Malformed> {
    let (mut url, mut value) = ("", &[][..]);
    for field in wire::fields(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => url = str::from_utf8(bytes).map_err(|_| Malformed)?,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((url, value))
}

/// The message that an encoded `google.protobuf.Struct` means, as if it stood in a file.
pub(crate) fn from_struct(
    structure: &[u8],
    message: MessageRef,
    unknown: UnknownFields,
) -> Transcoded {
    let mut tree = Tree::new(String::new());
    let id = tree.add(NodeKind::Map, Default::default(), Mark::default(), None);
    add_entries(&mut tree, structure, 0);
    tree.close(id);
    transcode::transcode(&tree, None, message, unknown)
}

/// Deeper structs were refused when they were loaded; deeper ones from the wire are cut off.
const MAX_STRUCT_DEPTH: usize = 100;

fn add_entries(tree: &mut Tree, structure: &[u8], depth: usize) {
    for (_, entry) in wire::fields(structure)
        .flatten()
        .filter(|(number, _)| *number == 1)
    {
        let (mut key, mut value) = ("", &[][..]);
        for (number, part) in wire::fields(entry.bytes().unwrap_or_default()).flatten() {
            match (number, part) {
                (1, Value::Bytes(bytes)) => key = str::from_utf8(bytes).unwrap_or_default(),
                (2, Value::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        add_value(tree, Some(key), value, depth + 1);
    }
}

fn add_value(tree: &mut Tree, key: Option<&str>, value: &[u8], depth: usize) {
    let key = key.map(|key| (tree.add_text(key), Mark::default()));
    let mut add = |kind, text: &str| {
        let text = tree.add_text(text);
        tree.add(kind, text, Mark::default(), key)
    };
    match wire::fields(value).flatten().last() {
        Some((2, Value::Fixed64(bits))) => {
            add(NodeKind::Number, &f64::from_bits(bits).to_string());
        }
        Some((3, Value::Bytes(text))) => {
            add(NodeKind::String, str::from_utf8(text).unwrap_or_default());
        }
        Some((4, Value::Varint(value))) => {
            add(NodeKind::Bool(value != 0), "");
        }
        Some((5, Value::Bytes(structure))) if depth < MAX_STRUCT_DEPTH => {
            let id = add(NodeKind::Map, "");
            add_entries(tree, structure, depth);
            tree.close(id);
        }
        Some((6, Value::Bytes(list))) if depth < MAX_STRUCT_DEPTH => {
            let id = add(NodeKind::List, "");
            for (_, element) in wire::fields(list)
                .flatten()
                .filter(|(number, _)| *number == 1)
            {
                add_value(tree, None, element.bytes().unwrap_or_default(), depth + 1);
            }
            tree.close(id);
        }
        _ => {
            add(NodeKind::Null, "");
        }
    }
}
