//! The tokens of protobuf's text format.

use std::fmt;

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'t> {
    /// A name, or a word such as `true` or `inf`.
    Word(&'t str),
    /// A number, with its sign.
    Number(&'t str),
    /// A string literal, without its quotes and still escaped.
    String(&'t str),
    /// A punctuation mark.
    Mark(char),
    /// The end of the text.
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => write!(f, "'{text}'"),
            Self::String(_) => f.write_str("a string"),
            Self::Mark(mark) => write!(f, "'{mark}'"),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

/// Cuts the text into tokens, one ahead.
pub struct Lexer<'t> {
    text: &'t str,
    token: Token<'t>,
    /// Where the token begins.
    start: usize,
    /// Where it ends.
    at: usize,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            token: Token::End,
            start: 0,
            at: 0,
        }
    }

    /// The token at hand.
    pub fn token(&self) -> Token<'t> {
        self.token
    }

    /// Line and column of the token at hand, from 1.
    pub fn mark(&self) -> (u32, u32) {
        let before = self.text.get(..self.start).unwrap_or_default();
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() as u32 + 1;
        (line, column)
    }

    /// Goes to the next token.
    pub fn advance(&mut self) -> Result<(), String> {
        self.space();
        self.start = self.at;
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            self.token = Token::End;
            return Ok(());
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let number = |c: char| word(c) || matches!(c, '.' | '+' | '-');
        match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
                self.token = Token::Word(&rest[..length]);
                self.at += length;
            }
            '0'..='9' | '.' | '-' => {
                let spaces = rest[1..].len() - rest[1..].trim_start().len();
                let from = if first == '-' { 1 + spaces } else { 0 };
                let mut before = ' ';
                let end = rest[from..].find(|c| {
                    // A sign belongs to the number only behind an exponent.
                    let sign = matches!(c, '+' | '-') && !matches!(before, 'e' | 'E');
                    before = c;
                    sign || !number(c)
                });
                let length = end.map_or(rest.len(), |end| from + end);
                self.token = Token::Number(&rest[..length]);
                self.at += length;
            }
            '"' | '\'' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let ends = (c == first && !escaped) || c == '\n';
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let end = end.filter(|&end| rest[1 + end..].starts_with(first));
                let end = end.ok_or("a string is not closed")?;
                self.token = Token::String(&rest[1..=end]);
                self.at += end + 2;
            }
            mark => {
                self.token = Token::Mark(mark);
                self.at += mark.len_utf8();
            }
        }
        Ok(())
    }

    fn space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// What stands between `[`, which is the token at hand, and `]`.
    pub fn type_url(&mut self) -> Result<String, String> {
        let rest = &self.text[self.at..];
        let end = rest.find(']').ok_or("expected ']'")?;
        self.at += end + 1;
        Ok(rest[..end].split_whitespace().collect())
    }
}

/// Appends what a string literal stands for.
pub fn unescape(literal: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let mut rest = literal.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let [escape, tail @ ..] = rest else {
            return Err("a lone backslash".to_owned());
        };
        rest = tail;
        let digits = |rest: &[u8], radix: u32, most: usize| {
            let fits = |byte: &&u8| char::from(**byte).is_digit(radix);
            let length = rest.iter().take(most).take_while(fits).count();
            let text = str::from_utf8(&rest[..length]).unwrap_or_default();
            (u32::from_str_radix(text, radix).ok(), length)
        };
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\\' | b'\'' | b'"' | b'?' => out.push(*escape),
            b'x' | b'X' => {
                let (value, length) = digits(rest, 16, 2);
                out.push(value.ok_or("\\x without digits")? as u8);
                rest = &rest[length..];
            }
            b'u' | b'U' => {
                let wanted = if *escape == b'u' { 4 } else { 8 };
                let (value, length) = digits(rest, 16, wanted);
                let value = value.filter(|_| length == wanted).and_then(char::from_u32);
                let character = value.ok_or("an invalid Unicode escape")?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[length..];
            }
            b'0'..=b'7' => {
                let (value, length) = digits(rest, 8, 2);
                let value = value.unwrap_or_default() + (u32::from(escape - b'0') << (3 * length));
                out.push(value as u8);
                rest = &rest[length..];
            }
            other => return Err(format!("invalid escape: \\{}", char::from(*other))),
        }
    }
    Ok(())
}
