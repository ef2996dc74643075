//! The walk over a message's wire bytes that checks what the tables say: `validate.rules`, unknown,
//! deprecated and unbuilt fields, in the message, below it, and in the `Any`s it holds.
//!
//! It works on the bytes, so that files and xDS resources are checked by the same code, and each
//! error has the path of its field. Texts are those of the validation code in Envoy.

mod collections;
mod deprecated;
mod numbers;
mod rules;
mod strings;

pub(crate) use collections::wire_elements;

use crate::any;
use crate::error::{CAUSE, CONSTRAINT, ConfigError, ErrorKind, Warning, WarningKind};
use crate::load::UnknownFields;
use crate::path::{FieldPath, Step};
use crate::reflect::{self, FieldRef, Kind, MessageRef, WellKnown};
use crate::wire::{self, Value};

/// How deep messages may be nested: what prost decodes.
const MAX_MESSAGE_DEPTH: usize = 99;

/// How deep `Any`s may be nested.
const MAX_ANY_DEPTH: usize = 32;

/// What the walk found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What refuses the message.
    pub errors: Vec<ConfigError>,
    /// What the log should say.
    pub warnings: Vec<Warning>,
}

/// The `validate.rules` that do not hold in a message of wire bytes, and in the `Any`s in it.
pub fn pgv(bytes: &[u8], message: MessageRef) -> Vec<ConfigError> {
    let ignore = UnknownFields::Ignore;
    let checks = Checks {
        unknown: ignore,
        in_structs: ignore,
        allow_deprecated: true,
    };
    check(bytes, message, &checks).errors
}

/// What is checked besides constraints.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// What fields that a message does not have are.
    pub unknown: UnknownFields,
    /// The same where a `TypedStruct` stands for the message.
    pub in_structs: UnknownFields,
    /// Whether deprecated fields that are refused by default only warn.
    pub allow_deprecated: bool,
}

/// All checks.
pub fn check(bytes: &[u8], message: MessageRef, checks: &Checks) -> Findings {
    let mut walk = Walk {
        unknown: checks.unknown,
        checks: *checks,
        path: FieldPath::new(),
        frames: Vec::new(),
        depth: 0,
        any_depth: 0,
        found: Findings::default(),
    };
    walk.message(bytes, message);
    walk.found
}

/// A field that the walk is in, for the text of an error.
struct Frame {
    message: MessageRef,
    field: FieldRef,
    /// The length of the path up to the field, without index or key.
    path_len: usize,
}

struct Walk {
    unknown: UnknownFields,
    checks: Checks,
    path: FieldPath,
    /// The fields from the outermost message, or the innermost `Any`, to here.
    frames: Vec<Frame>,
    depth: usize,
    any_depth: usize,
    found: Findings,
}

/// The fields of one message, in the order of their numbers.
type Entries<'b> = Vec<(u32, Value<'b>)>;

impl Walk {
    fn error(&mut self, kind: ErrorKind, message: String) {
        // More than this helps nobody, and bounds what a hostile resource can make us hold.
        const MAX_ERRORS: usize = 100;
        if self.found.errors.len() < MAX_ERRORS {
            self.found
                .errors
                .push(ConfigError::of(kind, self.path.clone(), message));
        }
    }

    /// A constraint of `field` does not hold.
    fn violation(&mut self, message: MessageRef, field: FieldRef, reason: &str) {
        let at = self.frame_of(message, field);
        self.constraint(&format!("{at}: {reason}"));
    }

    /// The text around a constraint's own: the chain of messages that lead to it.
    fn constraint(&mut self, innermost: &str) {
        let mut text = String::from(CONSTRAINT);
        for frame in &self.frames {
            let at = self.frame_text(frame);
            text.push_str(&at);
            text.push_str(CAUSE);
        }
        text.push_str(innermost);
        text.push(')');
        self.error(ErrorKind::Constraint, text);
    }

    /// `ClusterValidationError.ConnectTimeout`, for a field that the path ends in.
    fn frame_of(&self, message: MessageRef, field: FieldRef) -> String {
        let steps = self.path.steps();
        let name = Step::Field(field.name());
        let at = steps
            .iter()
            .rposition(|step| *step == name)
            .unwrap_or(steps.len());
        self.frame_text(&Frame {
            message,
            field,
            path_len: at + 1,
        })
    }

    fn frame_text(&self, frame: &Frame) -> String {
        let message = frame.message.short_name();
        let mut text = format!("{message}ValidationError.{}", camel(frame.field.name()));
        match self.path.steps().get(frame.path_len) {
            Some(Step::Index(index)) => text.push_str(&format!("[{index}]")),
            Some(Step::Key(key)) => text.push_str(&format!("[{key}]")),
            Some(Step::Field(_)) | None => {}
        }
        text
    }

    fn message(&mut self, bytes: &[u8], message: MessageRef) {
        if !message.is_checked() && self.unknown == UnknownFields::Ignore {
            return;
        }
        if self.depth >= MAX_MESSAGE_DEPTH {
            self.error(
                ErrorKind::Parse,
                "the message is too deeply nested".to_owned(),
            );
            return;
        }
        self.depth += 1;
        match message.well_known() {
            Some(WellKnown::Any) => self.any(bytes),
            Some(WellKnown::TypedStruct) => self.typed_struct(bytes),
            _ => self.plain_message(bytes, message),
        }
        self.depth -= 1;
    }

    fn plain_message(&mut self, bytes: &[u8], message: MessageRef) {
        let mut entries: Entries<'_> = Vec::new();
        for entry in wire::fields(bytes) {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(malformed) => {
                    let text = format!("{malformed} in {}", message.name());
                    self.error(ErrorKind::Parse, text);
                    return;
                }
            }
        }
        self.oneofs(&mut entries, message);
        entries.sort_by_key(|(number, _)| *number);
        self.unknown_fields(&entries, message);

        let mut rest = entries.as_slice();
        for field in message.fields() {
            let number = field.number();
            while rest.first().is_some_and(|(found, _)| *found < number) {
                rest = &rest[1..];
            }
            let count = rest
                .iter()
                .take_while(|(found, _)| *found == number)
                .count();
            let (values, tail) = rest.split_at(count);
            rest = tail;
            let unset = values.is_empty() && !field.has_deprecated_values();
            if unset && rules::unset_passes(field) {
                continue;
            }
            self.path.push(field.name());
            self.field(message, field, values);
            self.path.pop();
        }
    }

    /// Of a oneof's fields only the last on the wire counts; drops the others, and checks
    /// `validate.required`.
    fn oneofs(&mut self, entries: &mut Entries<'_>, message: MessageRef) {
        for (at, oneof) in message.oneofs().enumerate() {
            let in_oneof = |number: u32| {
                message
                    .field(number)
                    .is_some_and(|field| field.oneof() == Some(at))
            };
            let last = entries
                .iter()
                .rev()
                .map(|(number, _)| *number)
                .find(|n| in_oneof(*n));
            match last {
                Some(last) => entries.retain(|(number, _)| *number == last || !in_oneof(*number)),
                None if oneof.is_required() => {
                    let reason = format!("field: {:?}, reason: is required", oneof.name());
                    self.constraint(&reason);
                    if let Some(error) = self.found.errors.last_mut() {
                        let fields = message.fields().filter(|field| field.oneof() == Some(at));
                        let names: Vec<&str> = fields.map(|field| field.name()).collect();
                        error.hint = Some(format!("set one of {}", names.join(", ")));
                    }
                }
                None => {}
            }
        }
    }

    fn unknown_fields(&mut self, entries: &Entries<'_>, message: MessageRef) {
        if self.unknown == UnknownFields::Ignore {
            return;
        }
        let unknown = entries.iter().map(|(number, _)| *number);
        let mut numbers: Vec<u32> = unknown.filter(|&n| message.field(n).is_none()).collect();
        numbers.dedup();
        if numbers.is_empty() {
            return;
        }
        let list = numbers
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let root = if self.depth == 1 { "(root)" } else { "" };
        let text = format!(
            "type {}{root} with unknown field set {{{list}}}",
            message.name()
        );
        if self.unknown == UnknownFields::Reject {
            let text = format!("Protobuf message ({text}) has unknown fields");
            self.error(ErrorKind::Unknown, text);
        } else {
            let path = self.path.clone();
            let kind = WarningKind::UnknownField;
            self.found.warnings.push(Warning {
                kind,
                path,
                location: None,
                message: text,
            });
        }
    }

    fn field(&mut self, message: MessageRef, field: FieldRef, values: &[(u32, Value<'_>)]) {
        if !values.is_empty() {
            if field.not_built() {
                let text = format!("not built: field {}.{}", message.name(), field.name());
                self.error(ErrorKind::NotBuilt, text);
                return;
            }
            if field.is_deprecated() {
                self.deprecated(message, field);
            }
        }
        if field.map_entry().is_some() {
            self.map(message, field, values);
        } else if field.is_repeated() {
            self.list(message, field, values);
        } else {
            self.single(message, field, values);
        }
    }

    fn single(&mut self, message: MessageRef, field: FieldRef, values: &[(u32, Value<'_>)]) {
        let mut value = values.last().map(|(_, value)| *value);
        let merged;
        if let (Kind::Message, [_, _, ..]) = (field.kind(), values) {
            // A message that comes in pieces is the pieces' concatenation.
            let pieces = values.iter().filter_map(|(_, value)| value.bytes());
            merged = pieces.flatten().copied().collect::<Vec<u8>>();
            value = Some(Value::Bytes(&merged));
        }
        if field.has_deprecated_values() {
            self.deprecated_value(message, field, value);
        }
        let violations = rules::single(field, value);
        for reason in &violations {
            self.violation(message, field, reason);
        }
        if let Some(Value::Bytes(bytes)) = value
            && !rules::skips(field.rules())
        {
            self.enter(message, field, bytes);
        }
    }

    /// Walks the message in a field, if it holds one.
    fn enter(&mut self, message: MessageRef, field: FieldRef, bytes: &[u8]) {
        let Some(below) = field.message() else { return };
        let steps = self.path.len();
        let on_field = matches!(self.path.steps().last(), Some(Step::Field(_)));
        let path_len = if on_field { steps } else { steps - 1 };
        self.frames.push(Frame {
            message,
            field,
            path_len,
        });
        self.message(bytes, below);
        self.frames.pop();
    }

    /// What an `Any` holds is a message of its own: the text of an error begins with it.
    fn any(&mut self, bytes: &[u8]) {
        let Ok((url, value)) = any::parts(bytes) else {
            self.error(
                ErrorKind::Parse,
                "malformed protobuf in google.protobuf.Any".to_owned(),
            );
            return;
        };
        let Some(message) = reflect::message(any::name_of(url)) else {
            return;
        };
        self.inner(value, message);
    }

    /// A `TypedStruct` of a known type is checked as that type.
    fn typed_struct(&mut self, bytes: &[u8]) {
        let Ok((url, structure)) = any::parts(bytes) else {
            self.error(
                ErrorKind::Parse,
                "malformed protobuf in a TypedStruct".to_owned(),
            );
            return;
        };
        let Some(message) = reflect::message(any::name_of(url)) else {
            return;
        };
        if message.is_absent() || message.not_built() {
            return;
        }
        let inner = any::from_struct(structure, message, self.checks.in_structs);
        for mut error in inner.errors {
            error.path = self.path.join(&error.path);
            self.found.errors.push(error);
        }
        for mut warning in inner.warnings {
            warning.path = self.path.join(&warning.path);
            self.found.warnings.push(warning);
        }
        self.inner(&inner.bytes, message);
    }

    fn inner(&mut self, bytes: &[u8], message: MessageRef) {
        if self.any_depth >= MAX_ANY_DEPTH {
            self.error(
                ErrorKind::Parse,
                "google.protobuf.Any is too deeply nested".to_owned(),
            );
            return;
        }
        if message.not_built() {
            self.error(
                ErrorKind::NotBuilt,
                format!("not built: type {}", message.name()),
            );
            return;
        }
        let frames = std::mem::take(&mut self.frames);
        let depth = std::mem::replace(&mut self.depth, 0);
        self.any_depth += 1;
        self.message(bytes, message);
        self.any_depth -= 1;
        self.depth = depth;
        self.frames = frames;
    }
}

/// `http2_protocol_options` as `Http2ProtocolOptions`.
fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = true;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}
