//! One command of a format string: what it looks up, and how long its text may be.

use super::FormatOptions;
use super::error::FormatError;
use super::operator::{Operator, Rendered};
use super::{connection_fields, durations, metadata_fields, request_fields};
use super::{stream_fields, tls_fields};
use crate::format_cx::FormatCx;
use nuncio_base::metadata::Value;

/// A command ready to be written.
#[derive(Debug)]
pub(super) struct Command {
    operator: Operator,
    max_length: Option<usize>,
}

/// What may follow a command's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Syntax {
    /// Nothing.
    Bare,
    /// `(params)`, which may be left out.
    Optional,
    /// `(params)` and `:length`, both of which may be left out.
    OptionalLength,
    /// `(params)`.
    Required,
    /// `(params)`, and perhaps `:length`.
    RequiredLength,
}

/// How an operator is made of a command's parameters.
pub(super) enum Build {
    /// There are no parameters.
    Fixed(Operator),
    /// From the command's name and parameters.
    With(fn(&str, &str) -> Result<Operator, FormatError>),
}

/// What is known of a command.
pub(super) struct Spec {
    pub(super) syntax: Syntax,
    pub(super) build: Build,
}

impl Spec {
    pub(super) fn fixed(operator: Operator) -> Self {
        Self {
            syntax: Syntax::Bare,
            build: Build::Fixed(operator),
        }
    }

    pub(super) fn with(
        syntax: Syntax,
        build: fn(&str, &str) -> Result<Operator, FormatError>,
    ) -> Self {
        Self {
            syntax,
            build: Build::With(build),
        }
    }
}

impl Command {
    pub(super) fn new(
        name: &str,
        params: &str,
        max_length: Option<usize>,
        options: FormatOptions,
    ) -> Result<Self, FormatError> {
        if name == "COALESCE" {
            check_syntax(name, params, max_length, Syntax::RequiredLength)?;
            let operator = Operator::Coalesce(coalesce(params, options)?);
            return Ok(Self {
                operator,
                max_length,
            });
        }
        let Some(spec) = find(name, options) else {
            return Err(unknown(name));
        };
        check_syntax(name, params, max_length, spec.syntax)?;
        let operator = match spec.build {
            Build::Fixed(operator) => operator,
            Build::With(build) => build(name, params)?,
        };
        Ok(Self {
            operator,
            max_length,
        })
    }

    /// Appends the value as text.
    pub(super) fn write_text(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        self.write(cx, out, false)
    }

    /// Appends the value so that its type can be kept: what isn't a string is not cut.
    pub(super) fn write_typed(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        self.write(cx, out, true)
    }

    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>, typed: bool) -> Rendered {
        let start = out.len();
        let rendered = self.operator.write(cx, out, typed);
        if let Some(max_length) = self.max_length
            && (!typed || rendered == Rendered::Text)
        {
            out.truncate(start.saturating_add(max_length));
        }
        rendered
    }
}

fn find(name: &str, options: FormatOptions) -> Option<Spec> {
    request_fields::find(name, options)
        .or_else(|| stream_fields::find(name))
        .or_else(|| connection_fields::find(name))
        .or_else(|| durations::find(name))
        .or_else(|| metadata_fields::find(name))
        .or_else(|| tls_fields::find(name))
}

/// Envoy's words for a command that does not exist; ours for one that is not built.
fn unknown(name: &str) -> FormatError {
    const NOT_BUILT: [&str; 3] = ["CEL", "TYPED_CEL", "FILE_CONTENT"];
    if NOT_BUILT.contains(&name) {
        FormatError::new(format!("the format command {name} is not built"))
    } else {
        FormatError::new(format!("Not supported field in StreamInfo: {name}"))
    }
}

fn check_syntax(
    name: &str,
    params: &str,
    max_length: Option<usize>,
    syntax: Syntax,
) -> Result<(), FormatError> {
    let length = max_length.is_some();
    let message = match syntax {
        Syntax::Bare if !params.is_empty() || length => "does not take any parameters or length",
        Syntax::Required | Syntax::RequiredLength if params.is_empty() => "requires parameters",
        Syntax::Required | Syntax::Optional if length => "does not allow length to be specified.",
        _ => return Ok(()),
    };
    Err(FormatError::new(format!("{name} {message}")))
}

/// How deep `COALESCE` may hold itself. Envoy has no bound; the parser of its parameters has.
const MAX_COALESCE: usize = 64;

/// The commands of `%COALESCE({"operators": [...]})%`.
fn coalesce(params: &str, options: FormatOptions) -> Result<Box<[Command]>, FormatError> {
    let error = |message: String| FormatError::new(format!("COALESCE: {message}"));
    let json = super::json_parse::parse(params)
        .map_err(|why| error(format!("failed to parse JSON configuration: {why}")))?;
    let Some(operators) = json.at(["operators"]) else {
        return Err(error(
            "JSON configuration must contain 'operators' array".into(),
        ));
    };
    let Value::List(operators) = operators else {
        return Err(error(
            "'operators' must be an array: key 'operators' missing or not an array".into(),
        ));
    };
    if operators.is_empty() {
        return Err(error("'operators' array must not be empty".into()));
    }
    if operators.len() > MAX_COALESCE {
        return Err(error(format!(
            "'operators' array must not hold more than {MAX_COALESCE} operators"
        )));
    }
    let command = |(index, entry)| {
        coalesced(entry, options)
            .map_err(|why| error(format!("failed to parse operator at index {index}: {why}")))
    };
    operators.iter().enumerate().map(command).collect()
}

fn coalesced(entry: &Value, options: FormatOptions) -> Result<Command, FormatError> {
    let known = |name: &str| name == "COALESCE" || find(name, options).is_some();
    let create = |name: &str, params: &str, max_length| {
        if !known(name) && unknown(name).to_string().starts_with("Not supported") {
            return Err(FormatError::new(format!("unknown command: '{name}'")));
        }
        Command::new(name, params, max_length, options)
    };
    let fields = match entry {
        Value::Text(name) => return create(name, "", None),
        Value::Struct(fields) => fields,
        _ => {
            return Err(FormatError::new(
                "operator entry must be either a string (command name) or an object with \
                 'command' field",
            ));
        }
    };
    let Some(Value::Text(name)) = fields.get("command") else {
        return Err(FormatError::new(
            "operator object must have 'command' field: key 'command' missing or not a string",
        ));
    };
    let params = match fields.get("param") {
        None => "",
        Some(Value::Text(params)) => params,
        Some(_) => {
            return Err(FormatError::new(
                "'param' field must be a string: key 'param' missing or not a string",
            ));
        }
    };
    let max_length = match fields.get("max_length") {
        None => None,
        Some(Value::Number(length)) if length.fract() != 0.0 => return Err(not_integer()),
        Some(Value::Number(length)) if *length >= 1.0 => Some(*length as usize),
        Some(Value::Number(_)) => {
            return Err(FormatError::new("'max_length' must be a positive integer"));
        }
        Some(_) => return Err(not_integer()),
    };
    create(name, params, max_length)
}

fn not_integer() -> FormatError {
    FormatError::new(
        "'max_length' field must be an integer: key 'max_length' missing or not an integer",
    )
}
