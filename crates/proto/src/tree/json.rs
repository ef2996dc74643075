//! Parses JSON to a tree, with the leniencies of protobuf's parser: keys without quotes, strings in
//! single quotes, a comma before the closing bracket. Comments and trailing text are refused.

use super::{MAX_DEPTH, Mark, NodeKind, Span, SyntaxError, Tree};

/// Parses `text`.
pub fn parse(text: String) -> Result<Tree, SyntaxError> {
    let len = text.len();
    let mut parser = Parser {
        tree: Tree::new(text),
        len,
        at: 0,
        line: 1,
        line_start: 0,
        counted: 0,
        characters: 0,
        depth: 0,
    };
    parser.space();
    parser.value(None)?;
    parser.space();
    if parser.at < parser.len {
        return Err(parser.error("extraneous characters after end of JSON object"));
    }
    Ok(parser.tree)
}

struct Parser {
    tree: Tree,
    /// The length of the file's text; the tree's grows behind it.
    len: usize,
    at: usize,
    line: u32,
    line_start: usize,
    /// How far the line's characters are counted, and how many they are: a file may be one line.
    counted: usize,
    characters: u32,
    depth: usize,
}

type Key = Option<(Span, Mark)>;

impl Parser {
    fn peek(&self) -> Option<u8> {
        if self.at < self.len {
            self.tree.bytes().get(self.at).copied()
        } else {
            None
        }
    }

    fn mark(&mut self) -> Mark {
        if self.counted < self.line_start {
            (self.counted, self.characters) = (self.line_start, 0);
        }
        let new = self
            .tree
            .bytes()
            .get(self.counted..self.at)
            .unwrap_or_default();
        self.characters += new.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() as u32;
        self.counted = self.at;
        Mark {
            line: self.line,
            column: self.characters + 1,
        }
    }

    fn error(&mut self, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            mark: self.mark(),
            message: message.into(),
        }
    }

    fn unexpected(&mut self, expected: &str) -> SyntaxError {
        let rest = self.tree.bytes().get(self.at..self.len).unwrap_or_default();
        let next = String::from_utf8_lossy(&rest[..rest.len().min(4)])
            .chars()
            .next();
        let Some(next) = next else {
            return self.error("unexpected EOF");
        };
        match expected {
            "" => self.error(format!("unexpected character: '{next}'")),
            _ => self.error(format!(
                "unexpected character: '{next}'; expected {expected}"
            )),
        }
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn value(&mut self, key: Key) -> Result<(), SyntaxError> {
        let mark = self.mark();
        match self.peek() {
            Some(b'{') => self.nested(key, mark, Self::map),
            Some(b'[') => self.nested(key, mark, Self::list),
            Some(quote @ (b'"' | b'\'')) => {
                let text = self.string(quote)?;
                self.tree.add(NodeKind::String, text, mark, key);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = self.number()?;
                self.tree.add(NodeKind::Number, text, mark, key);
                Ok(())
            }
            _ => self.word(key, mark),
        }
    }

    fn nested(
        &mut self,
        key: Key,
        mark: Mark,
        parse: fn(&mut Self, Key, Mark) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error("JSON content was too deeply nested"));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        parse(self, key, mark)?;
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self, key: Key, mark: Mark) -> Result<(), SyntaxError> {
        let rest = self.tree.bytes().get(self.at..self.len).unwrap_or_default();
        let words = [
            (&b"true"[..], NodeKind::Bool(true)),
            (b"false", NodeKind::Bool(false)),
            (b"null", NodeKind::Null),
        ];
        let found = words.into_iter().find(|(word, _)| rest.starts_with(word));
        let Some((word, kind)) = found else {
            return Err(self.unexpected(""));
        };
        self.at += word.len();
        self.tree.add(kind, Span::default(), mark, key);
        Ok(())
    }

    fn map(&mut self, key: Key, mark: Mark) -> Result<(), SyntaxError> {
        let id = self.tree.add(NodeKind::Map, Span::default(), mark, key);
        loop {
            match self.peek() {
                Some(b'}') => break,
                Some(_) => {}
                None => return Err(self.error("unexpected EOF")),
            }
            let key_mark = self.mark();
            let key = self.key()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("':'"));
            }
            self.at += 1;
            self.space();
            self.value(Some((key, key_mark)))?;
            self.comma(b'}')?;
        }
        self.at += 1;
        self.tree.close(id);
        Ok(())
    }

    fn list(&mut self, key: Key, mark: Mark) -> Result<(), SyntaxError> {
        let id = self.tree.add(NodeKind::List, Span::default(), mark, key);
        while self.peek() != Some(b']') {
            self.value(None)?;
            self.comma(b']')?;
        }
        self.at += 1;
        self.tree.close(id);
        Ok(())
    }

    fn comma(&mut self, close: u8) -> Result<(), SyntaxError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(())
            }
            Some(byte) if byte == close => Ok(()),
            _ => Err(self.unexpected("','")),
        }
    }

    fn key(&mut self) -> Result<Span, SyntaxError> {
        if let Some(quote @ (b'"' | b'\'')) = self.peek() {
            return self.string(quote);
        }
        let start = self.at;
        while let Some(byte) = self.peek() {
            let first = self.at == start;
            let fits = byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
            if !fits && (first || !byte.is_ascii_digit()) {
                break;
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("expected bare word"));
        }
        Ok(Tree::text_span(start, self.at))
    }

    /// A number by JSON's grammar. What follows it is looked at by the caller.
    fn number(&mut self) -> Result<Span, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let integer = self.at;
        self.digits();
        match self.at - integer {
            0 => return Err(self.error("number must have an integer part")),
            1 => {}
            _ if self.tree.bytes().get(integer) == Some(&b'0') => {
                return Err(self.error("number cannot have extraneous leading zero"));
            }
            _ => {}
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.error("number cannot have trailing period"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.error("exponent must have digits"));
            }
        }
        Ok(Tree::text_span(start, self.at))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self, quote: u8) -> Result<Span, SyntaxError> {
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut copied = start;
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.error("unexpected EOF"));
            };
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                    self.at += 1;
                }
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    let before = self.tree.bytes().get(copied..self.at).unwrap_or_default();
                    text.push_str(str::from_utf8(before).unwrap_or_default());
                    let (character, next) = self.escape()?;
                    text.push(character);
                    (self.at, copied) = (next, next);
                }
                byte if byte == quote => break,
                _ => self.at += 1,
            }
        }
        let end = self.at;
        self.at += 1;
        let Some(mut text) = unescaped else {
            return Ok(Tree::text_span(start, end));
        };
        let last = self.tree.bytes().get(copied..end).unwrap_or_default();
        text.push_str(str::from_utf8(last).unwrap_or_default());
        Ok(self.tree.add_text(&text))
    }

    /// The character that the escape at `self.at` stands for, and where the text goes on.
    fn escape(&mut self) -> Result<(char, usize), SyntaxError> {
        let rest = self
            .tree
            .bytes()
            .get(self.at + 1..self.len)
            .unwrap_or_default();
        let character = match rest.first() {
            Some(b'u') => return self.unicode_escape(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(&byte @ (b'"' | b'\\' | b'/' | b'\'')) => char::from(byte),
            Some(&byte) => {
                return Err(self.error(format!("invalid escape char: '{}'", char::from(byte))));
            }
            None => return Err(self.error("unexpected EOF")),
        };
        Ok((character, self.at + 2))
    }

    fn unicode_escape(&mut self) -> Result<(char, usize), SyntaxError> {
        let bytes = self.tree.bytes().get(self.at..self.len).unwrap_or_default();
        let unit = |at: usize| {
            let escape = bytes.get(at..at + 6)?;
            let hex = escape.strip_prefix(b"\\u")?;
            if !hex.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            u32::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()
        };
        let (first, second) = (unit(0), unit(6));
        let Some(first) = first else {
            return Err(self.error("invalid Unicode escape"));
        };
        if let Some(character) = char::from_u32(first) {
            return Ok((character, self.at + 6));
        }
        let pair = second.filter(|second| (0xdc00..0xe000).contains(second));
        let character = pair.filter(|_| first < 0xdc00).and_then(|second| {
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        });
        match character {
            Some(character) => Ok((character, self.at + 12)),
            None => Err(self.error("invalid or lone surrogate in a Unicode escape")),
        }
    }
}
