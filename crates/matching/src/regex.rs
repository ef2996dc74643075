//! Regexes with RE2's syntax and meaning: linear in the text, over bytes (Envoy runs RE2 in
//! Latin-1 mode, its `re2_use_latin1_mode`).

use crate::error::InvalidMatcher;
use crate::re2_syntax;
use regex::bytes;

/// `envoy.type.matcher.v3.RegexMatcher`: matches a whole text.
#[derive(Clone, Debug)]
pub struct Regex {
    whole: bytes::Regex,
    pattern: Box<str>,
}

impl Regex {
    /// Compiles a pattern in RE2's syntax.
    ///
    /// # Errors
    /// Where RE2 would refuse the pattern, with RE2's words.
    pub fn new(pattern: &str) -> Result<Self, InvalidMatcher> {
        let translated = re2_syntax::translate(pattern)?;
        Ok(Self {
            whole: compile(&format!(r"\A(?:{translated})\z"))?,
            pattern: pattern.into(),
        })
    }

    /// Whether the regex matches all of `text`.
    pub fn is_full_match(&self, text: &[u8]) -> bool {
        self.whole.is_match(text)
    }

    /// The pattern as config has it.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// `envoy.type.matcher.v3.RegexMatchAndSubstitute`: replaces every part of a text that matches.
#[derive(Clone, Debug)]
pub struct Substitution {
    part: bytes::Regex,
    /// Literals and group numbers, in turn; `None` where RE2 refuses the rewrite at run time and
    /// leaves the text as it is.
    rewrite: Option<Box<[Piece]>>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<[u8]>),
    Group(usize),
}

impl Substitution {
    /// Replaces what matches `pattern` by `rewrite`, in which `\0` is the whole match, `\1` to
    /// `\9` are groups and `\\` is a backslash.
    ///
    /// # Errors
    /// Where RE2 would refuse the pattern. A bad rewrite is no error in Envoy: nothing is
    /// replaced then.
    pub fn new(pattern: &str, rewrite: &str) -> Result<Self, InvalidMatcher> {
        let part = compile(&re2_syntax::translate(pattern)?)?;
        let rewrite = parse_rewrite(rewrite.as_bytes(), part.captures_len());
        Ok(Self { part, rewrite })
    }

    /// Appends `text`, with every match replaced, to `out`.
    pub fn replace_all(&self, text: &[u8], out: &mut Vec<u8>) {
        let Some(rewrite) = &self.rewrite else {
            return out.extend_from_slice(text);
        };
        let mut done = 0;
        for captures in self.part.captures_iter(text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            out.extend_from_slice(&text[done..whole.start()]);
            done = whole.end();
            for piece in rewrite {
                match piece {
                    Piece::Literal(bytes) => out.extend_from_slice(bytes),
                    Piece::Group(number) => {
                        if let Some(group) = captures.get(*number) {
                            out.extend_from_slice(group.as_bytes());
                        }
                    }
                }
            }
        }
        out.extend_from_slice(&text[done..]);
    }

    /// Whether anything in `text` matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.part.is_match(text)
    }
}

fn parse_rewrite(rewrite: &[u8], groups: usize) -> Option<Box<[Piece]>> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = rewrite.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            literal.push(*byte);
            continue;
        }
        match bytes.next()? {
            b'\\' => literal.push(b'\\'),
            digit @ b'0'..=b'9' => {
                let number = usize::from(digit - b'0');
                if number >= groups {
                    return None;
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
                }
                pieces.push(Piece::Group(number));
            }
            _ => return None,
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Some(pieces.into())
}

fn compile(translated: &str) -> Result<bytes::Regex, InvalidMatcher> {
    bytes::RegexBuilder::new(translated)
        .unicode(false)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                InvalidMatcher::new("pattern too large - compile failed")
            }
            other => InvalidMatcher::new(format!("bad regex: {other}")),
        })
}
