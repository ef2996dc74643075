//! What is wrong with a config, where, and what was perhaps meant.

use std::fmt;
use std::sync::Arc;

use crate::path::FieldPath;

/// A place in a config file; line and column count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as it was named, or what stands for it (`--config-yaml`).
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a config error is about; Envoy words the first line by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not what its format asks for.
    Syntax,
    /// A value does not fit its field.
    Parse,
    /// A field or enum value that the message does not have.
    Unknown,
    /// A `validate.rules` constraint does not hold.
    Constraint,
    /// Envoy has it, this build does not.
    NotBuilt,
    /// A deprecated field that is refused by default.
    Deprecated,
    /// Anything that shows only when the typed config is looked at.
    Semantic,
}

impl ErrorKind {
    /// When Envoy would have come upon it.
    const fn order(self) -> u8 {
        match self {
            Self::Syntax => 0,
            Self::Parse => 1,
            Self::Unknown => 2,
            Self::Deprecated => 3,
            Self::Constraint => 4,
            Self::Semantic => 5,
            Self::NotBuilt => 6,
        }
    }
}

/// How the text of a constraint begins.
pub(crate) const CONSTRAINT: &str = "Proto constraint validation failed (";

/// What stands between the messages that lead to a constraint.
pub(crate) const CAUSE: &str = ": embedded message failed validation | caused by ";

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What it is about.
    pub kind: ErrorKind,
    /// The field; empty for the message itself.
    pub path: FieldPath,
    /// Where that is, if the config came from a text.
    pub location: Option<Location>,
    /// What is wrong, in Envoy's words where Envoy has words for it.
    pub message: String,
    /// What to do about it, such as "did you mean 'name'?".
    pub hint: Option<String>,
}

impl ConfigError {
    /// An error of a typed config, whose location is found later by the path.
    pub fn new(path: FieldPath, message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Semantic, path, message)
    }

    /// An error of a kind.
    pub fn of(kind: ErrorKind, path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            kind,
            path,
            location: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The message, of a constraint only the innermost part: the path says the rest.
    fn reason(&self) -> &str {
        let message = self.message.as_str();
        if self.kind != ErrorKind::Constraint {
            return message;
        }
        let inner = message
            .strip_prefix(CONSTRAINT)
            .and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.unwrap_or(message);
        inner
            .rsplit_once(CAUSE)
            .map_or(inner, |(_, innermost)| innermost)
    }

    /// The same error with a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(self.reason())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All that is wrong with a config, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The full name of the message that was loaded.
    pub message_type: &'static str,
    /// The errors.
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The errors, file by file and in each by line; those without a location come last.
    pub fn new(message_type: &'static str, mut errors: Vec<ConfigError>) -> Self {
        let mut files: Vec<Arc<str>> = Vec::new();
        for location in errors.iter().filter_map(|error| error.location.as_ref()) {
            if !files.contains(&location.file) {
                files.push(Arc::clone(&location.file));
            }
        }
        errors.sort_by_key(|error| match &error.location {
            Some(location) => {
                let file = files.iter().position(|file| *file == location.file);
                (file.unwrap_or(files.len()), location.line, location.column)
            }
            None => (files.len(), 0, 0),
        });
        errors.dedup();
        Self {
            message_type,
            errors,
        }
    }

    /// One error.
    pub fn one(message_type: &'static str, error: ConfigError) -> Self {
        Self {
            message_type,
            errors: vec![error],
        }
    }

    /// The error that Envoy would have named, in its words: one line, for a log or a NACK.
    ///
    /// Envoy stops at its first error: what can't be read comes before names it does not know,
    /// these before constraints, and all of them before what a component says of its config. What
    /// only this build lacks comes last, so that it hides no error of the config.
    pub fn envoy_text(&self) -> String {
        let Some(first) = self.errors.iter().min_by_key(|error| error.kind.order()) else {
            return String::new();
        };
        let at = if first.path.is_empty() {
            String::new()
        } else {
            format!(" @ {}", first.path)
        };
        let message = &first.message;
        let name = self.message_type;
        match first.kind {
            ErrorKind::Unknown if !message.starts_with("Protobuf message (") => format!(
                "Protobuf message (type {name} reason INVALID_ARGUMENT: invalid JSON in \
                 {name}{at}: {message}) has unknown fields"
            ),
            ErrorKind::Parse => format!(
                "Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in {name}{at}: \
                 {message})"
            ),
            ErrorKind::NotBuilt if !at.is_empty() => format!("{}: {message}", first.path),
            _ => message.clone(),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.envoy_text())?;
        for error in &self.errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A deprecated field or enum value is used.
    Deprecated,
    /// An unknown field was skipped; `server.static_unknown_fields` and its like count these.
    UnknownField,
    /// A key stands twice in one mapping; the last one counts, as in Envoy.
    DuplicateKey,
}

/// Something that loads, and that the log should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The field.
    pub path: FieldPath,
    /// Where that is, if the config came from a text.
    pub location: Option<Location>,
    /// The text, in Envoy's words where Envoy has words for it.
    pub message: String,
}

impl Warning {
    /// An unknown field in a config of type `message`, in Envoy's words, with the place behind
    /// them.
    pub fn unknown_field(&self, message: &str) -> String {
        if self.message.starts_with("type ") {
            return format!("Unknown field: {self}");
        }
        let (path, text) = (&self.path, &self.message);
        let at = match path.is_empty() {
            true => String::new(),
            false => format!(" @ {path}"),
        };
        let place = self.location.as_ref();
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        format!(
            "Unknown field: type {message} reason INVALID_ARGUMENT: invalid JSON in \
             {message}{at}: {text}{place}"
        )
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.location {
            Some(location) => write!(f, " ({location}: {})", self.path),
            None if self.path.is_empty() => Ok(()),
            None => write!(f, " ({})", self.path),
        }
    }
}
