//! Field masks (`google.protobuf.FieldMask`) on encoded messages.

use nuncio_proto::reflect::{self, MessageRef, WellKnown};
use nuncio_proto::wire;
use nuncio_proto::wire::Value;

/// Paths of fields to keep.
pub struct Mask<'a>(Vec<Vec<&'a str>>);

impl<'a> Mask<'a> {
    /// Parses paths of field names with dots, separated by commas.
    pub fn parse(text: &'a str) -> Self {
        let paths = text.split(',').filter(|path| !path.is_empty());
        Self(paths.map(|path| path.split('.').collect()).collect())
    }

    /// Keeps only what the mask names; none where a path is not one of the message's, or leads
    /// through a repeated field.
    pub fn trim(&self, message: MessageRef, bytes: &[u8]) -> Option<Vec<u8>> {
        self.0
            .iter()
            .all(|path| is_path(message, path))
            .then(|| keep(message, bytes, &self.0))
    }

    /// The same for a resource, whose configuration is in an `Any`: paths lead into it.
    pub fn trim_resource(&self, message: MessageRef, bytes: &[u8]) -> Option<Vec<u8>> {
        let any_field = self.0.iter().find_map(|path| {
            let field = message.field_by_name(path.first()?)?;
            let is_any = field.message()?.well_known() == Some(WellKnown::Any);
            (is_any && !field.is_repeated()).then_some(field)
        });
        let Some(any_field) = any_field else {
            return self.trim(message, bytes);
        };
        let (inner, outer): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .partition(|path| path.first() == Some(&any_field.name()));
        let inner = Mask(inner.into_iter().map(|path| path[1..].to_vec()).collect());
        let mut outer: Vec<Vec<&str>> = outer.into_iter().cloned().collect();
        outer.push(vec![any_field.name()]);
        let mut out = Vec::new();
        for (number, value) in wire::fields(bytes).map_while(Result::ok) {
            match value {
                Value::Bytes(any) if number == any_field.number() => {
                    wire::put_bytes(&mut out, number, &inner.trim_any(any)?);
                }
                value => put(&mut out, number, value),
            }
        }
        Mask(outer).trim(message, &out)
    }

    fn trim_any(&self, any: &[u8]) -> Option<Vec<u8>> {
        let (mut type_url, mut content): (&[u8], &[u8]) = (b"", b"");
        for (number, value) in wire::fields(any).map_while(Result::ok) {
            match (number, value) {
                (1, Value::Bytes(bytes)) => type_url = bytes,
                (2, Value::Bytes(bytes)) => content = bytes,
                _ => {}
            }
        }
        let name = std::str::from_utf8(type_url).ok()?.rsplit('/').next()?;
        // A path that is just the `Any` keeps all of it.
        let trimmed = match self.0.iter().any(Vec::is_empty) {
            true => content.to_vec(),
            false => self.trim(reflect::message(name)?, content)?,
        };
        let mut out = Vec::new();
        wire::put_bytes(&mut out, 1, type_url);
        wire::put_bytes(&mut out, 2, &trimmed);
        Some(out)
    }
}

fn is_path(message: MessageRef, path: &[&str]) -> bool {
    let mut message = Some(message);
    path.iter().all(|name| {
        let field = message.and_then(|message| message.field_by_name(name));
        message = field.and_then(|field| field.message().filter(|_| !field.is_repeated()));
        field.is_some()
    })
}

/// Copies the fields that a path names; those with a longer path are trimmed in turn. The depth is
/// bounded by that of the paths.
fn keep<'a, P: AsRef<[&'a str]>>(message: MessageRef, bytes: &[u8], paths: &[P]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in wire::fields(bytes).map_while(Result::ok) {
        let Some(field) = message.field(number) else {
            continue;
        };
        let inner: Vec<&[&str]> = paths
            .iter()
            .filter_map(|path| path.as_ref().split_first())
            .filter(|(name, _)| **name == field.name())
            .map(|(_, rest)| rest)
            .collect();
        match (value, field.message()) {
            _ if inner.is_empty() => {}
            (value, _) if inner.iter().any(|rest| rest.is_empty()) => put(&mut out, number, value),
            (Value::Bytes(bytes), Some(nested)) => {
                wire::put_bytes(&mut out, number, &keep(nested, bytes, &inner));
            }
            _ => {}
        }
    }
    out
}

fn put(out: &mut Vec<u8>, number: u32, value: Value<'_>) {
    match value {
        Value::Varint(value) => {
            wire::put_tag(out, number, 0);
            wire::put_varint(out, value);
        }
        Value::Fixed64(value) => {
            wire::put_tag(out, number, 1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Fixed32(value) => {
            wire::put_tag(out, number, 5);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Bytes(bytes) => wire::put_bytes(out, number, bytes),
    }
}
