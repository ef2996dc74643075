//! From a tree to wire bytes, by the tables: protobuf's JSON mapping with Envoy's leniencies.
//!
//! Both spellings of field names, a single value where a list is expected, numbers and bools in
//! quotes, enums in any letter case. Errors are collected, and what can be written is written, so
//! that one pass finds all that is wrong.

mod any;
mod collections;
mod scalar;
mod well_known;

use std::sync::Arc;

use crate::error::{ConfigError, ErrorKind, Location, Warning, WarningKind};
use crate::load::UnknownFields;
use crate::path::FieldPath;
use crate::reflect::{FieldRef, Kind, MessageRef, WellKnown};
use crate::suggest;
use crate::tree::{Mark, NodeId, NodeKind, Tree};
use crate::wire;
pub use scalar::{Scalar, integer_of};

/// How deep messages may be nested: what prost decodes.
const MAX_MESSAGE_DEPTH: usize = 99;

/// How many nodes more than the text has may be visited through aliases ("billion laughs").
const MAX_ALIASED_NODES: usize = 1_000_000;

/// What transcoding yields: the bytes, and what was wrong with the rest.
pub struct Transcoded {
    pub bytes: Vec<u8>,
    pub errors: Vec<ConfigError>,
    pub warnings: Vec<Warning>,
}

/// Transcodes the tree to `message`. `file` goes into locations.
pub fn transcode(
    tree: &Tree,
    file: Option<&Arc<str>>,
    message: MessageRef,
    unknown: UnknownFields,
) -> Transcoded {
    let mut transcoder = Transcoder {
        tree,
        file,
        unknown,
        out: Vec::with_capacity(tree.len() * 12),
        path: FieldPath::new(),
        errors: Vec::new(),
        warnings: Vec::new(),
        depth: 0,
        visits: tree.len().saturating_add(MAX_ALIASED_NODES),
    };
    if let Some(root) = tree.root() {
        transcoder.message(root, message);
    }
    for &duplicate in &tree.duplicates {
        let message = format!(
            "duplicate key '{}': the last one counts",
            tree.key(duplicate)
        );
        let mark = tree.place(duplicate).key_mark;
        transcoder.path.truncate(0);
        transcoder.warn(WarningKind::DuplicateKey, mark, message);
    }
    let Transcoder {
        out: bytes,
        errors,
        warnings,
        ..
    } = transcoder;
    Transcoded {
        bytes,
        errors,
        warnings,
    }
}

struct Transcoder<'t> {
    tree: &'t Tree,
    file: Option<&'t Arc<str>>,
    unknown: UnknownFields,
    out: Vec<u8>,
    path: FieldPath,
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
    depth: usize,
    /// Nodes that may still be visited.
    visits: usize,
}

/// Which fields and oneofs of one message are set so far.
#[derive(Default)]
struct Seen {
    /// The fields' numbers, and where their bytes begin and end.
    fields: Vec<(u32, usize, usize)>,
    oneofs: u64,
}

impl Seen {
    /// Whether the field was set before.
    fn field(&self, field: FieldRef) -> bool {
        self.fields
            .iter()
            .any(|(number, ..)| *number == field.number())
    }

    /// Takes out what the field was set to before.
    fn take_back(&mut self, field: FieldRef, out: &mut Vec<u8>) {
        let Some(at) = self
            .fields
            .iter()
            .position(|(number, ..)| *number == field.number())
        else {
            return;
        };
        let (_, start, end) = self.fields.remove(at);
        out.drain(start..end);
        for (_, other_start, other_end) in &mut self.fields {
            if *other_start >= end {
                *other_start -= end - start;
                *other_end -= end - start;
            }
        }
    }

    /// Whether the field's oneof was set before.
    fn oneof(&mut self, field: FieldRef) -> bool {
        // No message has 64 oneofs; one that had would go without this check beyond them.
        let Some(bit) = field.oneof().and_then(|at| 1u64.checked_shl(at as u32)) else {
            return false;
        };
        let seen = self.oneofs & bit != 0;
        self.oneofs |= bit;
        seen
    }
}

impl Transcoder<'_> {
    fn location(&self, mark: Mark) -> Option<Location> {
        let file = Arc::clone(self.file?);
        Some(Location {
            file,
            line: mark.line,
            column: mark.column,
        })
    }

    fn push_error(&mut self, kind: ErrorKind, mark: Mark, message: String, hint: Option<String>) {
        // More than this helps nobody, and bounds what a hostile text can make us hold.
        const MAX_ERRORS: usize = 100;
        if self.errors.len() < MAX_ERRORS {
            let location = self.location(mark);
            let path = self.path.clone();
            self.errors.push(ConfigError {
                kind,
                path,
                location,
                message,
                hint,
            });
        }
    }

    fn error(&mut self, node: NodeId, message: impl Into<String>) {
        let mark = self.tree.place(node).mark;
        self.push_error(ErrorKind::Parse, mark, message.into(), None);
    }

    fn warn(&mut self, kind: WarningKind, mark: Mark, message: String) {
        let location = self.location(mark);
        self.warnings.push(Warning {
            kind,
            path: self.path.clone(),
            location,
            message,
        });
    }

    /// "expected a string, found a list".
    fn mismatch(&mut self, node: NodeId, expected: &str) {
        let text = self.tree.text(node);
        let found = match self.tree.node(node).kind {
            NodeKind::Null => "null".to_owned(),
            NodeKind::Bool(value) => format!("the bool {value}"),
            NodeKind::Number => format!("the number {text}"),
            NodeKind::String if text.len() <= 60 => format!("the string {text:?}"),
            NodeKind::String | NodeKind::Alias(_) => "a string".to_owned(),
            NodeKind::List => "a list".to_owned(),
            NodeKind::Map => "an object".to_owned(),
        };
        self.error(node, format!("expected {expected}, found {found}"));
    }

    /// Counts a visit; false when there were too many.
    fn visit(&mut self, node: NodeId) -> bool {
        match self.visits {
            0 => false,
            1 => {
                self.visits = 0;
                self.error(node, "aliases expand to too many values");
                false
            }
            _ => {
                self.visits -= 1;
                true
            }
        }
    }

    fn message(&mut self, node: NodeId, message: MessageRef) {
        if !self.visit(node) {
            return;
        }
        if self.depth >= MAX_MESSAGE_DEPTH {
            self.error(node, "JSON content was too deeply nested");
            return;
        }
        self.depth += 1;
        match message.well_known() {
            Some(kind) => self.well_known(node, message, kind),
            None => self.fields(node, message, false),
        }
        self.depth -= 1;
    }

    /// The fields of a message from those of a mapping; `in_any` leaves `@type` out.
    fn fields(&mut self, node: NodeId, message: MessageRef, in_any: bool) {
        if self.tree.node(node).kind != NodeKind::Map {
            self.mismatch(node, &format!("an object (message {})", message.name()));
            return;
        }
        let mut seen = Seen::default();
        for child in self.tree.children(node) {
            let key = self.tree.key(child);
            if in_any && key == "@type" {
                continue;
            }
            match message.field_by_name(key) {
                Some(field) => {
                    self.path.push(field.name());
                    self.field(child, message, field, &mut seen);
                    self.path.pop();
                }
                None => self.unknown_field(child, message),
            }
        }
    }

    fn unknown_field(&mut self, node: NodeId, message: MessageRef) {
        let name = self.tree.key(node);
        let text = format!("message {}: no such field: '{name}'", message.name());
        let mark = self.tree.place(node).key_mark;
        match self.unknown {
            UnknownFields::Reject => {
                let names = message.fields().map(|field| field.name());
                let close = suggest::closest(name, names.clone());
                let hint = match close {
                    Some(close) => Some(format!("did you mean '{close}'?")),
                    None => self.misplaced(node, message),
                };
                self.push_error(ErrorKind::Unknown, mark, text, hint);
            }
            UnknownFields::Warn => self.warn(WarningKind::UnknownField, mark, text),
            UnknownFields::Ignore => {}
        }
    }

    /// A field that belongs one level deeper, as `address` does in `socket_address`.
    fn misplaced(&self, node: NodeId, message: MessageRef) -> Option<String> {
        let name = self.tree.key(node);
        let mut inner = message.fields().filter(|field| {
            field
                .message()
                .is_some_and(|below| below.field_by_name(name).is_some())
        });
        let outer = inner.next()?;
        let text = format!("it is a field of '{}'; indented too little?", outer.name());
        inner.next().is_none().then_some(text)
    }

    fn field(&mut self, node: NodeId, message: MessageRef, field: FieldRef, seen: &mut Seen) {
        let null = self.tree.node(node).kind == NodeKind::Null;
        if null && !takes_null(field) {
            return;
        }
        if field.not_built() {
            if self.is_default(node) {
                return;
            }
            let text = format!("not built: field {}.{}", message.name(), field.name());
            let mark = self.tree.place(node).key_mark;
            self.push_error(ErrorKind::NotBuilt, mark, text, None);
            return;
        }
        let again = seen.field(field);
        if seen.oneof(field) {
            self.oneof_again(node, message, field);
            return;
        }
        if again {
            let what = if field.is_repeated() {
                "its values add up"
            } else {
                "the last one counts"
            };
            let text = format!("duplicate key '{}': {what}", self.tree.key(node));
            let mark = self.tree.place(node).key_mark;
            self.warn(WarningKind::DuplicateKey, mark, text);
            if !field.is_repeated() {
                seen.take_back(field, &mut self.out);
            }
        }
        let start = self.out.len();
        if let Some(entry) = field.map_entry() {
            self.map(node, field, entry);
        } else if field.is_repeated() {
            self.list(node, field);
        } else {
            self.single(node, field, field.has_presence());
        }
        if !again || !field.is_repeated() {
            seen.fields.push((field.number(), start, self.out.len()));
        }
    }

    fn oneof_again(&mut self, node: NodeId, message: MessageRef, field: FieldRef) {
        let key = self.tree.key(node);
        let text = format!("'{key}' has already been set (either directly or as part of a oneof)");
        let mark = self.tree.place(node).key_mark;
        let hint = field
            .oneof()
            .and_then(|at| message.oneofs().nth(at))
            .map(|oneof| {
                let fields = message
                    .fields()
                    .filter(|other| other.oneof() == field.oneof());
                let names: Vec<&str> = fields.map(|field| field.name()).collect();
                format!(
                    "only one field of oneof {} may be set: {}",
                    oneof.name(),
                    names.join(", ")
                )
            });
        self.push_error(ErrorKind::Parse, mark, text, hint);
    }

    /// Whether the value is what the field would be without it, whatever its type.
    fn is_default(&self, node: NodeId) -> bool {
        match self.tree.node(node).kind {
            NodeKind::Null | NodeKind::Bool(false) => true,
            NodeKind::Number => self.tree.text(node) == "0",
            NodeKind::String => self.tree.text(node).is_empty(),
            NodeKind::List => self.tree.children(node).next().is_none(),
            NodeKind::Bool(true) | NodeKind::Map | NodeKind::Alias(_) => false,
        }
    }

    fn single(&mut self, node: NodeId, field: FieldRef, keep_default: bool) {
        if let Some(message) = field.message() {
            let start = wire::begin(&mut self.out, field.number());
            self.message(node, message);
            wire::end(&mut self.out, start);
            return;
        }
        match field.kind() {
            Kind::String => {
                let Some(text) = self.string(node) else {
                    return;
                };
                if keep_default || !text.is_empty() {
                    wire::put_bytes(&mut self.out, field.number(), text.as_bytes());
                }
            }
            Kind::Bytes => {
                let Some(bytes) = self.bytes(node) else {
                    return;
                };
                if keep_default || !bytes.is_empty() {
                    wire::put_bytes(&mut self.out, field.number(), &bytes);
                }
            }
            _ => {
                let Some(value) = self.scalar(node, field) else {
                    return;
                };
                if keep_default || !value.is_zero() {
                    wire::put_tag(&mut self.out, field.number(), value.wire_type());
                    value.put(&mut self.out);
                }
            }
        }
    }
}

/// Whether null is a value of the field, not its absence.
fn takes_null(field: FieldRef) -> bool {
    let value = field.message().and_then(MessageRef::well_known) == Some(WellKnown::Value);
    value
        || field
            .enumeration()
            .is_some_and(|e| e.name() == "google.protobuf.NullValue")
}
