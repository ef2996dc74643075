//! A struct of format strings written as one line of JSON.

use super::FormatOptions;
use super::command::Command;
use super::error::FormatError;
use super::json::{escape_tail, write_string, write_value};
use super::number::write_f64;
use super::operator::Rendered;
use super::parse::{Piece, parse};
use super::text_formatter::absent;
use crate::format_cx::FormatCx;
use nuncio_base::metadata::Value;

/// A compiled JSON format.
#[derive(Debug)]
pub(super) struct JsonFormatter {
    root: Vec<(Box<[u8]>, Node)>,
    omit_empty: bool,
    absent: &'static str,
}

#[derive(Debug)]
enum Node {
    /// Fields in the order of their names; a name stands with its quotes and colon.
    Object(Vec<(Box<[u8]>, Node)>),
    Array(Vec<Node>),
    /// JSON that is always the same.
    Constant(Box<[u8]>),
    /// `null`, which is left out where empty values are.
    Null,
    /// One command alone: its value keeps its type.
    Command(Command),
    /// Several pieces: always a string.
    Text(Vec<Piece>),
}

impl JsonFormatter {
    pub(super) fn new(format: &Value, options: FormatOptions) -> Result<Self, FormatError> {
        let Node::Object(root) = compile(format, options)? else {
            return Err(FormatError::new("a JSON format must be a struct"));
        };
        Ok(Self {
            root,
            omit_empty: options.omit_empty_values,
            absent: absent(options),
        })
    }

    pub(super) fn append(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) {
        self.object(&self.root, cx, out);
        out.push(b'\n');
    }

    /// Appends an object; whether it has fields.
    fn object(&self, fields: &[(Box<[u8]>, Node)], cx: &FormatCx<'_>, out: &mut Vec<u8>) -> bool {
        out.push(b'{');
        let mut any = false;
        for (name, node) in fields {
            let before = out.len();
            if any {
                out.push(b',');
            }
            out.extend_from_slice(name);
            if self.node(node, cx, out) {
                any = true;
            } else {
                out.truncate(before);
            }
        }
        out.push(b'}');
        any
    }

    /// Appends a node; `false` says that it is empty and is to be left out.
    fn node(&self, node: &Node, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> bool {
        match node {
            Node::Object(fields) => self.object(fields, cx, out) || !self.omit_empty,
            Node::Array(items) => {
                self.array(items, cx, out);
                true
            }
            Node::Constant(json) => {
                out.extend_from_slice(json);
                true
            }
            Node::Null => {
                out.extend_from_slice(b"null");
                !self.omit_empty
            }
            Node::Command(command) => write_command(command, cx, out) || !self.omit_empty,
            Node::Text(pieces) => {
                self.text(pieces, cx, out);
                true
            }
        }
    }

    fn array(&self, items: &[Node], cx: &FormatCx<'_>, out: &mut Vec<u8>) {
        out.push(b'[');
        let mut any = false;
        for item in items {
            let before = out.len();
            if any {
                out.push(b',');
            }
            if self.node(item, cx, out) {
                any = true;
            } else {
                out.truncate(before);
            }
        }
        out.push(b']');
    }

    fn text(&self, pieces: &[Piece], cx: &FormatCx<'_>, out: &mut Vec<u8>) {
        out.push(b'"');
        for piece in pieces {
            let start = out.len();
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Command(command) => {
                    if command.write_text(cx, out) == Rendered::Absent {
                        out.extend_from_slice(self.absent.as_bytes());
                    }
                }
            }
            escape_tail(out, start);
        }
        out.push(b'"');
    }
}

/// Appends a command's value with its type; `false` and `null` if it isn't there.
fn write_command(command: &Command, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    // Most values are strings: begin as if, so that nothing has to be moved.
    out.push(b'"');
    let text = out.len();
    match command.write_typed(cx, out) {
        Rendered::Text => {
            escape_tail(out, text);
            out.push(b'"');
            true
        }
        Rendered::Number(number) => {
            out.truncate(start);
            write_f64(out, number);
            true
        }
        Rendered::Json => {
            out.remove(start);
            true
        }
        Rendered::Blank | Rendered::Absent => {
            out.truncate(start);
            out.extend_from_slice(b"null");
            false
        }
    }
}

fn compile(value: &Value, options: FormatOptions) -> Result<Node, FormatError> {
    Ok(match value {
        Value::Text(format) => compile_text(format, options)?,
        Value::Struct(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let mut key = Vec::new();
                write_string(&mut key, name.as_bytes());
                key.push(b':');
                Ok((key.into(), compile(value, options)?))
            };
            Node::Object(fields.iter().map(field).collect::<Result<_, _>>()?)
        }
        Value::List(items) => Node::Array(
            items
                .iter()
                .map(|item| compile(item, options))
                .collect::<Result<_, _>>()?,
        ),
        Value::Null => Node::Null,
        Value::Bool(_) | Value::Number(_) => {
            let mut json = Vec::new();
            write_value(&mut json, value);
            Node::Constant(json.into())
        }
    })
}

fn compile_text(format: &str, options: FormatOptions) -> Result<Node, FormatError> {
    let mut pieces = parse(format, options)?;
    let constant = |text: &str| {
        let mut json = Vec::new();
        write_string(&mut json, text.as_bytes());
        Node::Constant(json.into())
    };
    Ok(match (pieces.pop(), pieces.is_empty()) {
        (None, _) => constant(""),
        (Some(Piece::Literal(text)), true) => constant(&text),
        (Some(Piece::Command(command)), true) => Node::Command(command),
        (Some(last), false) => {
            pieces.push(last);
            Node::Text(pieces)
        }
    })
}
