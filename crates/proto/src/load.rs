//! Loading a config: from a file, a text or bytes to checked wire bytes of one message type.
//!
//! ```text
//! text ── tree with marks ── wire bytes ── checks ── Loaded ── prost decode, by the caller
//!                            .pb, xDS ──┘
//! ```

use std::path::Path;
use std::sync::Arc;

use prost::{Message, Name};

use crate::error::{ConfigError, ConfigErrors, ErrorKind, Location, Warning};
use crate::path::FieldPath;
use crate::reflect::{self, MessageRef};
use crate::source::{self, SourceMap};
use crate::transcode::{Transcoded, transcode};
use crate::tree::{MAX_TEXT, SyntaxError};
use crate::{text_proto, validate};

/// What a field that the message does not have is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// An error: static config, and dynamic with `--reject-unknown-dynamic-fields`.
    #[default]
    Reject,
    /// Skipped with a warning: `--allow-unknown-static-fields`, and dynamic config.
    Warn,
    /// Skipped: `--ignore-unknown-dynamic-fields`.
    Ignore,
}

/// How a config is to be loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What unknown fields are.
    pub unknown: UnknownFields,
    /// Whether deprecated fields that are refused by default load with a warning: the runtime flag
    /// `envoy.features.enable_all_deprecated_features`.
    pub allow_deprecated: bool,
}

/// How a config is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2 as Envoy reads it.
    Yaml,
    /// JSON.
    Json,
    /// Protobuf's wire format.
    Binary,
    /// Protobuf's text format.
    TextProto,
}

impl Format {
    /// The format of a file, by its extension: `.yaml`, `.yml`, `.pb`, `.pb_text`, else JSON.
    pub fn of_file(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => Self::Yaml,
            Some("pb") => Self::Binary,
            Some("pb_text") => Self::TextProto,
            _ => Self::Json,
        }
    }
}

/// A config that is read and not checked yet: what may still be missing can come by `merge`.
#[derive(Debug)]
pub struct Parsed {
    message: MessageRef,
    options: Options,
    bytes: Vec<u8>,
    source: SourceMap,
    /// Whether the bytes came as they are, so that unknown fields show only in the checks.
    binary: bool,
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

/// A config whose bytes decode to its message and keep all its constraints.
#[derive(Debug)]
pub struct Loaded {
    /// The message type.
    pub message: MessageRef,
    /// The wire bytes.
    pub bytes: Vec<u8>,
    /// Where its fields stand; drop it when the config is converted.
    pub source: SourceMap,
    /// What the log should say.
    pub warnings: Vec<Warning>,
}

/// Loads a file, by its extension.
pub fn file(path: &Path, message: MessageRef, options: &Options) -> Result<Loaded, ConfigErrors> {
    read_file(path, message, options).check()
}

/// Loads a text; `name` stands for the file in locations.
pub fn text(
    name: &str,
    text: &str,
    format: Format,
    message: MessageRef,
    options: &Options,
) -> Result<Loaded, ConfigErrors> {
    read(name, text.as_bytes().to_vec(), format, message, options).check()
}

/// Loads wire bytes, such as an xDS resource's.
pub fn bytes(
    bytes: Vec<u8>,
    message: MessageRef,
    options: &Options,
) -> Result<Loaded, ConfigErrors> {
    read("", bytes, Format::Binary, message, options).check()
}

/// Reads a file without checking it.
pub fn read_file(path: &Path, message: MessageRef, options: &Options) -> Parsed {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(content) => read(&name, content, Format::of_file(path), message, options),
        Err(error) => {
            let text = match error.kind() {
                std::io::ErrorKind::NotFound => format!("Invalid path: {name}"),
                _ => format!("unable to read file: {name}: {error}"),
            };
            let mut parsed = Parsed::empty(message, options);
            parsed
                .errors
                .push(ConfigError::of(ErrorKind::Semantic, FieldPath::new(), text));
            parsed
        }
    }
}

/// Reads a config without checking it.
pub fn read(
    name: &str,
    content: Vec<u8>,
    format: Format,
    message: MessageRef,
    options: &Options,
) -> Parsed {
    let mut parsed = Parsed::empty(message, options);
    let file: Arc<str> = name.into();
    if format == Format::Binary {
        parsed.bytes = content;
        parsed.binary = true;
        return parsed;
    }
    if content.len() > MAX_TEXT {
        let text = format!("{name}: larger than {MAX_TEXT} bytes");
        parsed
            .errors
            .push(ConfigError::of(ErrorKind::Parse, FieldPath::new(), text));
        return parsed;
    }
    if format == Format::TextProto {
        let text = String::from_utf8_lossy(&content);
        let Transcoded {
            bytes, mut errors, ..
        } = text_proto::parse(&text, &file, message);
        for error in &mut errors {
            let reason = &error.message;
            error.kind = ErrorKind::Syntax;
            error.message = format!(
                "Unable to parse file \"{name}\" as a text protobuf (type {}): {reason}",
                message.name()
            );
        }
        (parsed.bytes, parsed.errors) = (bytes, errors);
        return parsed;
    }
    match source::parse(content, format) {
        Ok((tree, content)) => {
            let done = transcode(&tree, Some(&file), message, options.unknown);
            parsed.source = SourceMap::new(file, format, content, tree);
            Parsed {
                bytes: done.bytes,
                errors: done.errors,
                warnings: done.warnings,
                ..parsed
            }
        }
        Err(SyntaxError { mark, message }) => {
            let text = match format {
                Format::Yaml => format!("Unable to parse YAML: {message}"),
                _ => format!("Unable to parse JSON as proto (INVALID_ARGUMENT: {message})"),
            };
            let mut error = ConfigError::of(ErrorKind::Syntax, FieldPath::new(), text);
            error.location = Some(Location {
                file,
                line: mark.line,
                column: mark.column,
            });
            parsed.errors.push(error);
            parsed
        }
    }
}

impl Parsed {
    fn empty(message: MessageRef, options: &Options) -> Self {
        Self {
            message,
            options: *options,
            bytes: Vec::new(),
            source: SourceMap::default(),
            binary: false,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Merges another config over this one, as protobuf does: lists are concatenated, messages
    /// merged, scalars replaced. That is `--config-yaml` over `-c`.
    pub fn merge(&mut self, over: Self) {
        // The merge of two encoded messages is their concatenation.
        self.bytes.extend_from_slice(&over.bytes);
        self.binary |= over.binary;
        self.source.merge(over.source);
        self.errors.extend(over.errors);
        self.warnings.extend(over.warnings);
    }

    /// Whether the text could be read; its constraints are another matter.
    pub fn is_read(&self) -> bool {
        self.errors.is_empty()
    }

    /// The wire bytes, unchecked.
    pub fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks constraints, unknown and deprecated fields. All errors come at once.
    pub fn check(self) -> Result<Loaded, ConfigErrors> {
        let Self {
            message,
            options,
            bytes,
            mut source,
            binary,
            mut errors,
            mut warnings,
        } = self;
        // A text's unknown fields were seen when it was read.
        let in_structs = options.unknown;
        let unknown = if binary {
            options.unknown
        } else {
            UnknownFields::Ignore
        };
        let allow_deprecated = options.allow_deprecated;
        let checks = validate::Checks {
            unknown,
            in_structs,
            allow_deprecated,
        };
        let found = validate::check(&bytes, message, &checks);
        let read = errors.len();
        for mut error in found.errors {
            if errors[..read].iter().any(|cause| follows(cause, &error)) {
                continue;
            }
            error.location = source.locate(&error.path);
            errors.push(error);
        }
        for mut warning in found.warnings {
            warning.location = source.locate(&warning.path);
            warnings.push(warning);
        }
        if errors.is_empty() {
            source.fold();
            return Ok(Loaded {
                message,
                bytes,
                source,
                warnings,
            });
        }
        Err(ConfigErrors::new(message.name(), errors))
    }
}

/// Whether a constraint fails only because something could not be read: what is missing then, its
/// message's other fields if a name was wrong, and the oneof that it would have set.
fn follows(cause: &ConfigError, error: &ConfigError) -> bool {
    let (at, found) = (&cause.path, &error.path);
    let below = match cause.kind {
        ErrorKind::Syntax => return true,
        ErrorKind::Unknown => found.len() <= at.len() + 1,
        _ => true,
    };
    (below && at.is_prefix_of(found)) || (found.is_prefix_of(at) && at.len() - found.len() <= 1)
}

impl Loaded {
    /// The typed message.
    pub fn decode<T: Message + Default>(&self) -> Result<T, ConfigErrors> {
        T::decode(self.bytes.as_slice()).map_err(|error| {
            let error = ConfigError::of(ErrorKind::Parse, FieldPath::new(), error.to_string());
            ConfigErrors::one(self.message.name(), error)
        })
    }

    /// Errors that showed when the typed message was converted, with their places in the text.
    pub fn locate(&self, mut errors: Vec<ConfigError>) -> ConfigErrors {
        let places = self.source.places();
        for error in &mut errors {
            if error.location.is_none() {
                error.location = places.locate(&error.path);
            }
        }
        ConfigErrors::new(self.message.name(), errors)
    }
}

/// The tables' entry for a generated type; the tables have every type of this crate.
pub fn message_of<T: Name>() -> Option<MessageRef> {
    reflect::message(&T::full_name())
}
