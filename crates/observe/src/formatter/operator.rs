//! What a command looks up.

use super::command::Command;
use super::connection_fields::ConnectionField;
use super::durations::{DurationField, TimeField};
use super::metadata_fields::MetadataField;
use super::request_fields::RequestField;
use super::stream_fields::StreamField;
use super::tls_fields::TlsField;
use crate::format_cx::FormatCx;

/// What was appended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Rendered {
    /// Text.
    Text,
    /// A number: its text was appended, this is its value for JSON.
    Number(f64),
    /// JSON: a boolean, a number, a list or a struct.
    Json,
    /// Nothing: in text an empty one, in JSON `null`.
    Blank,
    /// Nothing, since there is no such value: in text `-`, in JSON `null`.
    Absent,
}

/// A command's operator with its parameters.
#[derive(Debug)]
pub(super) enum Operator {
    Request(RequestField),
    Stream(StreamField),
    Connection(ConnectionField),
    Duration(DurationField),
    Time(TimeField),
    Metadata(MetadataField),
    Tls(TlsField),
    /// Text that was known when the format was compiled.
    Constant(Box<str>),
    /// The first of these that is there.
    Coalesce(Box<[Command]>),
    /// What only a tracer or a fingerprint has: absent on all others, as in Envoy.
    Absent,
}

impl Operator {
    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>, typed: bool) -> Rendered {
        match self {
            Self::Request(field) => field.write(cx, out),
            Self::Stream(field) => field.write(cx, out),
            Self::Connection(field) => field.write(cx, out),
            Self::Duration(field) => field.write(cx, out),
            Self::Time(field) => field.write(cx, out),
            Self::Metadata(field) => field.write(cx, out),
            Self::Tls(field) => field.write(cx, out),
            Self::Constant(text) => Rendered::text(out, text),
            Self::Coalesce(commands) => first_of(commands, cx, out, typed),
            Self::Absent => Rendered::Absent,
        }
    }
}

impl Rendered {
    /// Appends text.
    pub(super) fn text(out: &mut Vec<u8>, text: &str) -> Self {
        out.extend_from_slice(text.as_bytes());
        Self::Text
    }

    /// Appends text that is absent when it is empty.
    pub(super) fn name(out: &mut Vec<u8>, text: &str) -> Self {
        if text.is_empty() {
            return Self::Absent;
        }
        Self::text(out, text)
    }

    /// Appends text if it is there.
    pub(super) fn maybe_text(out: &mut Vec<u8>, text: Option<&str>) -> Self {
        text.map_or(Self::Absent, |text| Self::text(out, text))
    }

    /// What was appended from `start` on is absent where that is nothing.
    pub(super) fn unless_empty(out: &[u8], start: usize) -> Self {
        if out.len() > start {
            Self::Text
        } else {
            Self::Absent
        }
    }

    /// Appends bytes if they are there.
    pub(super) fn maybe_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Absent, |bytes| {
            out.extend_from_slice(bytes);
            Self::Text
        })
    }

    /// Appends a number.
    pub(super) fn count(out: &mut Vec<u8>, value: u64) -> Self {
        super::number::write_u64(out, value);
        Self::Number(value as f64)
    }
}

fn first_of(commands: &[Command], cx: &FormatCx<'_>, out: &mut Vec<u8>, typed: bool) -> Rendered {
    let start = out.len();
    for command in commands {
        let rendered = command.write(cx, out, typed);
        if rendered != Rendered::Absent && out.len() > start {
            return rendered;
        }
        out.truncate(start);
    }
    Rendered::Absent
}
