//! Protobuf's text format (`.pb_text`), parsed by the tables straight to wire bytes.
//!
//! Names are those of the proto, enums are exact, a field may stand several times only if it is
//! repeated. As in Envoy the first error ends it.

mod lexer;

use std::sync::Arc;

use crate::error::{ConfigError, ErrorKind, Location};
use crate::path::FieldPath;
use crate::reflect::{self, FieldRef, Kind, MessageRef, WellKnown};
use crate::suggest;
use crate::transcode::{Scalar, Transcoded, integer_of};
use crate::wire;
use lexer::{Lexer, Token};

/// How deep messages may be nested.
const MAX_DEPTH: usize = 99;

/// Parses `text` as a `message`; `file` goes into the error's location.
pub fn parse(text: &str, file: &Arc<str>, message: MessageRef) -> Transcoded {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        out: Vec::new(),
        path: FieldPath::new(),
        depth: 0,
    };
    let mut errors = Vec::new();
    if let Err(error) = parser.start(message) {
        let Failure {
            kind,
            message,
            hint,
        } = error;
        let (line, column) = parser.lexer.mark();
        let location = Some(Location {
            file: Arc::clone(file),
            line,
            column,
        });
        errors.push(ConfigError {
            kind,
            path: parser.path,
            location,
            message,
            hint,
        });
    }
    Transcoded {
        bytes: parser.out,
        errors,
        warnings: Vec::new(),
    }
}

/// Why the text does not parse; the place is the lexer's.
struct Failure {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self {
            kind: ErrorKind::Parse,
            message,
            hint: None,
        }
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    out: Vec<u8>,
    path: FieldPath,
    depth: usize,
}

impl Parser<'_> {
    fn start(&mut self, message: MessageRef) -> Result<(), Failure> {
        self.lexer.advance()?;
        self.body(message, None)
    }

    fn expected<T>(&self, what: &str) -> Result<T, Failure> {
        Err(format!("expected {what}, found {}", self.lexer.token()).into())
    }

    /// Takes the punctuation mark, or fails.
    fn take(&mut self, mark: char) -> Result<(), Failure> {
        if self.lexer.token() != Token::Mark(mark) {
            return self.expected(&format!("'{mark}'"));
        }
        Ok(self.lexer.advance()?)
    }

    /// The fields up to `close`, or to the end of the text.
    fn body(&mut self, message: MessageRef, close: Option<char>) -> Result<(), Failure> {
        let mut seen: Vec<(u32, Option<usize>)> = Vec::new();
        loop {
            match (self.lexer.token(), close) {
                (Token::Mark(mark), Some(close)) if mark == close => return Ok(()),
                (Token::End, None) => return Ok(()),
                (Token::Mark(',' | ';'), _) if !seen.is_empty() => self.lexer.advance()?,
                (Token::Mark('['), _) if message.well_known() == Some(WellKnown::Any) => {
                    seen.push((1, None));
                    self.any()?;
                }
                (Token::Word(name), _) => {
                    let field = self.named(message, name)?;
                    if !field.is_repeated() {
                        let oneof = field.oneof();
                        let again = seen.iter().any(|(number, other)| {
                            *number == field.number() || (oneof.is_some() && *other == oneof)
                        });
                        if again {
                            let text = format!("'{}' or its oneof is already set", field.name());
                            return Err(text.into());
                        }
                    }
                    seen.push((field.number(), field.oneof()));
                    self.lexer.advance()?;
                    self.path.push(field.name());
                    self.field(field)?;
                    self.path.pop();
                }
                _ => return self.expected("the name of a field"),
            }
        }
    }

    fn named(&self, message: MessageRef, name: &str) -> Result<FieldRef, Failure> {
        let Some(field) = message
            .field_by_name(name)
            .filter(|field| field.name() == name)
        else {
            let names = message.fields().map(|field| field.name());
            let hint = suggest::closest(name, names).map(|name| format!("did you mean '{name}'?"));
            let text = format!("message {}: no such field: '{name}'", message.name());
            return Err(Failure {
                kind: ErrorKind::Unknown,
                message: text,
                hint,
            });
        };
        if field.not_built() {
            let message = format!("not built: field {}.{name}", message.name());
            return Err(Failure {
                kind: ErrorKind::NotBuilt,
                message,
                hint: None,
            });
        }
        Ok(field)
    }

    fn field(&mut self, field: FieldRef) -> Result<(), Failure> {
        let colon = self.lexer.token() == Token::Mark(':');
        if colon {
            self.lexer.advance()?;
        } else if field.kind() != Kind::Message {
            return self.expected("':'");
        }
        if !field.is_repeated() || self.lexer.token() != Token::Mark('[') {
            return self.single(field);
        }
        self.lexer.advance()?;
        let mut first = true;
        while self.lexer.token() != Token::Mark(']') {
            if !std::mem::take(&mut first) {
                self.take(',')?;
            }
            self.single(field)?;
        }
        self.take(']')
    }

    fn single(&mut self, field: FieldRef) -> Result<(), Failure> {
        if let Some(message) = field.message() {
            let start = wire::begin(&mut self.out, field.number());
            self.nested(message)?;
            wire::end(&mut self.out, start);
            return Ok(());
        }
        let number = field.number();
        if matches!(field.kind(), Kind::String | Kind::Bytes) {
            let Token::String(_) = self.lexer.token() else {
                return self.expected("a string");
            };
            let mut bytes = Vec::new();
            while let Token::String(literal) = self.lexer.token() {
                lexer::unescape(literal, &mut bytes)?;
                self.lexer.advance()?;
            }
            if field.kind() == Kind::String && str::from_utf8(&bytes).is_err() {
                return Err("the string is not UTF-8".to_owned().into());
            }
            wire::put_bytes(&mut self.out, number, &bytes);
            return Ok(());
        }
        let value = self.scalar(field)?;
        self.lexer.advance()?;
        wire::put_tag(&mut self.out, number, value.wire_type());
        value.put(&mut self.out);
        Ok(())
    }

    fn nested(&mut self, message: MessageRef) -> Result<(), Failure> {
        let close = match self.lexer.token() {
            Token::Mark('{') => '}',
            Token::Mark('<') => '>',
            _ => return self.expected("'{'"),
        };
        if self.depth >= MAX_DEPTH {
            return Err("too deeply nested".to_owned().into());
        }
        self.depth += 1;
        self.lexer.advance()?;
        self.body(message, Some(close))?;
        self.lexer.advance()?;
        self.depth -= 1;
        Ok(())
    }

    /// `[type.googleapis.com/NAME] { … }`.
    fn any(&mut self) -> Result<(), Failure> {
        let url = self.lexer.type_url()?;
        self.lexer.advance()?;
        let name = url.rsplit('/').next().unwrap_or_default();
        let Some(message) = reflect::message(name).filter(|message| !message.is_absent()) else {
            return Err(format!("could not find @type '{url}'").into());
        };
        if message.not_built() {
            let message = format!("not built: type {name}");
            return Err(Failure {
                kind: ErrorKind::NotBuilt,
                message,
                hint: None,
            });
        }
        if self.lexer.token() == Token::Mark(':') {
            self.lexer.advance()?;
        }
        wire::put_bytes(&mut self.out, 1, url.as_bytes());
        let start = wire::begin(&mut self.out, 2);
        self.nested(message)?;
        wire::end(&mut self.out, start);
        Ok(())
    }

    fn scalar(&self, field: FieldRef) -> Result<Scalar, Failure> {
        let kind = field.kind();
        let (negative, text) = match self.lexer.token() {
            Token::Word(text) => (false, text),
            Token::Number(text) => (text.starts_with('-'), text.trim_start_matches('-').trim()),
            _ => return self.expected("a value"),
        };
        let sign = if negative { "-" } else { "" };
        match kind {
            Kind::Bool => match text {
                "true" | "True" | "t" | "1" if !negative => Ok(Scalar::Varint(1)),
                "false" | "False" | "f" | "0" if !negative => Ok(Scalar::Varint(0)),
                _ => self.expected("true or false"),
            },
            Kind::Enum => {
                let known = field.enumeration();
                let mut named = known.into_iter().flat_map(|known| known.values());
                match named.find(|value| value.name() == text) {
                    Some(value) => Ok(Scalar::Varint(i64::from(value.number()) as u64)),
                    None => Ok(integer_of(&format!("{sign}{}", decimal(text)), Kind::Int32)
                        .map_err(|_| format!("unknown enum value: '{text}'"))?),
                }
            }
            Kind::Double | Kind::Float => {
                let lower = text.to_ascii_lowercase();
                let digits = lower
                    .strip_suffix('f')
                    .filter(|_| lower != "inf")
                    .unwrap_or(&lower);
                let value: f64 = digits
                    .parse()
                    .map_err(|_| format!("invalid number: '{text}'"))?;
                let value = if negative { -value } else { value };
                Ok(match kind {
                    Kind::Float => Scalar::Fixed32((value as f32).to_bits()),
                    _ => Scalar::Fixed64(value.to_bits()),
                })
            }
            _ => Ok(integer_of(&format!("{sign}{}", decimal(text)), kind)?),
        }
    }
}

/// Hex and octal integers as decimal text; anything else as it is.
fn decimal(text: &str) -> String {
    let parsed = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(&text[2..], 16).ok(),
        [b'0', _, ..] => u64::from_str_radix(&text[1..], 8).ok(),
        _ => None,
    };
    match parsed {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}
