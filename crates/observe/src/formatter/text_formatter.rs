//! A format string written as text.

use super::FormatOptions;
use super::error::FormatError;
use super::operator::Rendered;
use super::parse::{Piece, parse};
use crate::format_cx::FormatCx;

/// A compiled text format.
#[derive(Debug)]
pub(super) struct TextFormatter {
    pieces: Vec<Piece>,
    absent: &'static str,
}

impl TextFormatter {
    pub(super) fn parse(format: &str, options: FormatOptions) -> Result<Self, FormatError> {
        Ok(Self {
            pieces: parse(format, options)?,
            absent: absent(options),
        })
    }

    pub(super) fn append(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) {
        append_pieces(&self.pieces, self.absent, cx, out);
    }

    pub(super) fn constant(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text.as_bytes()),
            _ => None,
        }
    }
}

/// What stands for a value that isn't there.
pub(super) fn absent(options: FormatOptions) -> &'static str {
    if options.omit_empty_values { "" } else { "-" }
}

fn append_pieces(pieces: &[Piece], absent: &str, cx: &FormatCx<'_>, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Command(command) => {
                if command.write_text(cx, out) == Rendered::Absent {
                    out.extend_from_slice(absent.as_bytes());
                }
            }
        }
    }
}
