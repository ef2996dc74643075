//! Splits a format string into literal text and commands: `%COMMAND(params):length%`.

use super::FormatOptions;
use super::command::Command;
use super::error::FormatError;

/// One part of a format string.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text as it stands.
    Literal(Box<str>),
    /// Something to be looked up.
    Command(Command),
}

/// Parses a whole format string.
pub(super) fn parse(format: &str, options: FormatOptions) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        let found = &rest[at..];
        if let Some(after) = found.strip_prefix("%%") {
            literal.push('%');
            rest = after;
            continue;
        }
        let Some(token) = token(found) else {
            let position = format.len() - found.len();
            return Err(FormatError::new(format!(
                "Incorrect configuration: {format}. Couldn't find valid command at position \
                 {position}"
            )));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        let command = Command::new(token.name, token.params, token.max_length, options)?;
        pieces.push(Piece::Command(command));
        rest = &found[token.len..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces)
}

struct Token<'a> {
    name: &'a str,
    params: &'a str,
    max_length: Option<usize>,
    /// Bytes of the whole token, both percent signs included.
    len: usize,
}

/// Reads one command at a percent sign. The parameters end at the first `)` that is followed by
/// the rest of a command, so that they may hold `)` and `%`; they hold no newline.
fn token(text: &str) -> Option<Token<'_>> {
    let after_percent = &text[1..];
    let is_name = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    let name_len = after_percent
        .bytes()
        .take_while(|byte| is_name(*byte))
        .count();
    if name_len == 0 {
        return None;
    }
    let (name, after_name) = after_percent.split_at(name_len);
    let token = |params, (max_length, rest): (_, &str)| Token {
        name,
        params,
        max_length,
        len: text.len() - rest.len(),
    };
    let Some(inner) = after_name.strip_prefix('(') else {
        return token_end(after_name).map(|end| token("", end));
    };
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'\n' => return None,
            b')' => {
                if let Some(end) = token_end(&inner[at + 1..]) {
                    return Some(token(&inner[..at], end));
                }
            }
            _ => {}
        }
    }
    None
}

/// `:length%` or `%`: the length, and what follows the percent sign.
fn token_end(text: &str) -> Option<(Option<usize>, &str)> {
    let Some(after_colon) = text.strip_prefix(':') else {
        return text.strip_prefix('%').map(|rest| (None, rest));
    };
    let digits = after_colon.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = after_colon.split_at(digits);
    Some((Some(digits.parse().ok()?), rest.strip_prefix('%')?))
}
