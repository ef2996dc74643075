//! Parsing typed configuration: where in the config one is, and what was wrong there.
//!
//! A converter goes on after an error where it can, so that all errors of a file come together:
//! errors are recorded here, and [`Invalid`] says only that there was one.

use crate::init::{InitTarget, InitTargets};
use crate::server_env::ServerEnv;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{ConfigError, ErrorKind, FieldPath, Message, Name};
use std::rc::Rc;

/// An error was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid;

/// A converted value, or the mark that an error was recorded.
pub type Parsed<T> = Result<T, Invalid>;

/// Where a converter is, and what it found wrong.
pub struct ParseCx {
    env: Rc<ServerEnv>,
    path: FieldPath,
    errors: Vec<ConfigError>,
    warnings: Vec<(FieldPath, String)>,
    targets: InitTargets,
}

impl ParseCx {
    /// A context at the root of a message.
    pub fn new(env: Rc<ServerEnv>) -> Self {
        Self {
            env,
            path: FieldPath::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            targets: InitTargets::default(),
        }
    }

    /// The server this is parsed for.
    pub fn env(&self) -> &Rc<ServerEnv> {
        &self.env
    }

    /// Where it is.
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Runs `parse` inside a field.
    pub fn field<R>(&mut self, name: &'static str, parse: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(name);
        let result = parse(self);
        self.path.pop();
        result
    }

    /// Runs `parse` inside an element of a list.
    pub fn index<R>(&mut self, index: usize, parse: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push_index(index);
        let result = parse(self);
        self.path.pop();
        result
    }

    /// Runs `parse` inside an entry of a map.
    pub fn key<R>(&mut self, key: &str, parse: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push_key(key);
        let result = parse(self);
        self.path.pop();
        result
    }

    /// Converts every element of a repeated field; all errors are recorded.
    pub fn list<T, R>(
        &mut self,
        field: &'static str,
        items: impl IntoIterator<Item = T>,
        mut parse: impl FnMut(&mut Self, T) -> Parsed<R>,
    ) -> Parsed<Vec<R>> {
        self.field(field, |cx| {
            let items = items.into_iter();
            // Made by hand: collecting would reuse the memory of the protos, which are larger.
            let mut parsed = Ok(Vec::with_capacity(items.size_hint().0));
            for (index, item) in items.enumerate() {
                match (cx.index(index, |cx| parse(cx, item)), &mut parsed) {
                    (Ok(item), Ok(list)) => list.push(item),
                    (Ok(_), Err(_)) => {}
                    (Err(error), _) => parsed = Err(error),
                }
            }
            parsed
        })
    }

    /// Converts a message field that must be there.
    pub fn required<T, R>(
        &mut self,
        field: &'static str,
        value: Option<T>,
        parse: impl FnOnce(&mut Self, T) -> Parsed<R>,
    ) -> Parsed<R> {
        self.field(field, |cx| match value {
            Some(value) => parse(cx, value),
            None => Err(cx.error("value is required")),
        })
    }

    /// Converts a message field if it is there.
    pub fn optional<T, R>(
        &mut self,
        field: &'static str,
        value: Option<T>,
        parse: impl FnOnce(&mut Self, T) -> Parsed<R>,
    ) -> Parsed<Option<R>> {
        value
            .map(|value| self.field(field, |cx| parse(cx, value)))
            .transpose()
    }

    /// Records an error at the current path.
    pub fn error(&mut self, message: impl Into<String>) -> Invalid {
        self.errors
            .push(ConfigError::new(self.path.clone(), message));
        Invalid
    }

    /// Records an error at a field of the current message.
    pub fn error_at(&mut self, field: &'static str, message: impl Into<String>) -> Invalid {
        self.field(field, |cx| cx.error(message))
    }

    /// Records an error with a hint at the current path.
    pub fn error_with_hint(
        &mut self,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Invalid {
        let error = ConfigError::new(self.path.clone(), message).with_hint(hint);
        self.errors.push(error);
        Invalid
    }

    /// Records that a field of the current message is not built: what is accepted works, so it is
    /// refused, never ignored.
    pub fn not_built(&mut self, field: &'static str) -> Invalid {
        self.field(field, |cx| {
            let message = format!("{field} is not supported by this build");
            cx.errors.push(ConfigError::of(
                ErrorKind::NotBuilt,
                cx.path.clone(),
                message,
            ));
            Invalid
        })
    }

    /// Records [`not_built`](Self::not_built) where `used` says that the field is set.
    pub fn refuse(&mut self, field: &'static str, used: bool) -> Parsed<()> {
        if used {
            Err(self.not_built(field))
        } else {
            Ok(())
        }
    }

    /// Records an error that another context found, below the current path.
    pub fn add(&mut self, mut error: ConfigError) -> Invalid {
        error.path = self.path.join(&error.path);
        self.errors.push(error);
        Invalid
    }

    /// Records something that loads, and that the log should say.
    pub fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push((self.path.clone(), message.into()));
    }

    /// Unpacks an `Any` of a known type at the current path; a `TypedStruct` is converted.
    pub fn unpack<T: Message + Name + Default>(&mut self, any: &Any) -> Parsed<T> {
        nuncio_proto::any::unpack(any).map_err(|error| self.error(error.to_string()))
    }

    /// Decodes a message at the current path.
    pub fn decode<T: Message + Default>(&mut self, bytes: &[u8]) -> Parsed<T> {
        T::decode(bytes).map_err(|error| self.error(error.to_string()))
    }

    /// Records what must be there before the converted value may be used.
    pub fn add_init_target(&mut self, target: &Rc<InitTarget>) {
        self.targets.add(target);
    }

    /// What must be there before the values that were converted since may be used.
    pub fn take_init_targets(&mut self) -> InitTargets {
        std::mem::take(&mut self.targets)
    }

    /// Whether nothing was recorded.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// How many errors were recorded: converters compare before and after a step.
    pub fn error_count(&self) -> usize {
        self.errors.len()
    }

    /// Everything that was recorded: errors and warnings.
    pub fn finish(self) -> (Vec<ConfigError>, Vec<(FieldPath, String)>) {
        (self.errors, self.warnings)
    }
}
