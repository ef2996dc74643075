//! RE2's syntax, turned into the syntax of the `regex` crate.
//!
//! The two are close, but each takes what the other refuses (`\Q…\E`, `[a&&b]`, `a**`, `{,3}`,
//! `\<`), and a proxy must read a config as Envoy does. So the pattern is read by RE2's rules and
//! written anew in the small common part. Envoy runs RE2 in Latin-1 mode: a pattern's bytes are
//! its characters. Errors are RE2's.

use crate::error::InvalidMatcher;
use crate::re2_class::{ByteSet, perl_class, posix_class, unicode_class};
use std::fmt::Write;

/// RE2's bound on counted repetitions, also on nested ones multiplied.
const MAX_REPEAT: u32 = 1000;
/// RE2's bound on nested groups.
const MAX_NESTING: usize = 1000;

/// Reads `pattern` as RE2 does in Latin-1 mode, and writes what means the same to the `regex`
/// crate's byte regexes with `unicode(false)`. Names of groups are dropped: RE2's rewrites have
/// only numbers.
///
/// # Errors
/// What RE2 refuses, with its words.
pub fn translate(pattern: &str) -> Result<String, InvalidMatcher> {
    let mut parser = Parser {
        pattern: pattern.as_bytes(),
        at: 0,
        out: String::with_capacity(pattern.len() + 8),
        groups: Vec::new(),
        last: Last::Nothing,
        inner_repeat: 1,
    };
    parser.parse()?;
    Ok(parser.out)
}

/// What a repetition operator would apply to.
#[derive(Clone, Copy)]
enum Last {
    /// Nothing: the start of the pattern, of a group, of an alternative.
    Nothing,
    /// An expression in which counted repetitions multiply to this.
    Atom(u32),
    /// An expression with a repetition whose operator begins there.
    Repeated(usize),
}

struct Parser<'a> {
    pattern: &'a [u8],
    at: usize,
    out: String,
    /// For each open group: what `inner_repeat` was outside.
    groups: Vec<u32>,
    last: Last,
    /// The largest product of counted repetitions in the group so far.
    inner_repeat: u32,
}

impl Parser<'_> {
    fn parse(&mut self) -> Result<(), InvalidMatcher> {
        while let Some(&byte) = self.pattern.get(self.at) {
            match byte {
                b'(' => self.open()?,
                b')' => self.close()?,
                b'|' => {
                    self.at += 1;
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                b'^' | b'$' | b'.' => {
                    self.at += 1;
                    self.out.push(char::from(byte));
                    self.last = Last::Atom(1);
                }
                b'[' => {
                    self.class()?;
                    self.last = Last::Atom(1);
                }
                b'*' | b'+' | b'?' => self.repeat(self.at + 1, 1)?,
                b'{' => self.counted()?,
                b'\\' => self.escape()?,
                literal => {
                    self.at += 1;
                    self.literal(literal);
                }
            }
        }
        if self.groups.is_empty() {
            Ok(())
        } else {
            Err(self.error_over("missing )", 0, self.pattern.len()))
        }
    }

    fn error_over(&self, what: &str, from: usize, to: usize) -> InvalidMatcher {
        let bytes = &self.pattern[from..to.min(self.pattern.len())];
        let argument = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        InvalidMatcher::new(format!("{what}: {argument}"))
    }

    fn literal(&mut self, byte: u8) {
        push_byte(&mut self.out, byte);
        self.last = Last::Atom(1);
    }

    fn rest(&self) -> &[u8] {
        &self.pattern[self.at..]
    }

    fn open(&mut self) -> Result<(), InvalidMatcher> {
        if self.groups.len() >= MAX_NESTING {
            return Err(InvalidMatcher::new("bad regex: nested too deeply"));
        }
        if !self.rest().starts_with(b"(?") {
            self.at += 1;
            self.begin_group("(");
            return Ok(());
        }
        let rest = self.rest();
        if rest.starts_with(b"(?P<") || (rest.starts_with(b"(?<") && !is_look_behind(rest)) {
            return self.named_group();
        }
        self.flags()
    }

    fn begin_group(&mut self, text: &str) {
        self.out.push_str(text);
        self.groups.push(self.inner_repeat);
        self.inner_repeat = 1;
        self.last = Last::Nothing;
    }

    fn named_group(&mut self) -> Result<(), InvalidMatcher> {
        let name_at = self.at
            + if self.pattern[self.at + 2] == b'P' {
                4
            } else {
                3
            };
        let bad = "invalid named capture group";
        let Some(length) = self.pattern[name_at..].iter().position(|b| *b == b'>') else {
            return Err(self.error_over(bad, self.at, self.pattern.len()));
        };
        let end = name_at + length;
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii();
        if length == 0 || !self.pattern[name_at..end].iter().all(is_word) {
            return Err(self.error_over(bad, self.at, end + 1));
        }
        self.at = end + 1;
        self.begin_group("(");
        Ok(())
    }

    /// `(?i)`, `(?i-s:` and their like; look-around ends here as an error.
    fn flags(&mut self) -> Result<(), InvalidMatcher> {
        let start = self.at;
        let bad = |parser: &Self, to| Err(parser.error_over("invalid perl operator", start, to));
        if is_look_behind(self.rest()) {
            return bad(self, start + 4);
        }
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negated, mut saw_flag) = (false, false);
        self.at += 2;
        loop {
            let Some(&byte) = self.pattern.get(self.at) else {
                return bad(self, self.at);
            };
            self.at += 1;
            match byte {
                b'i' | b'm' | b's' | b'U' => {
                    let flag = char::from(byte);
                    saw_flag = true;
                    on.retain(|other| other != flag);
                    off.retain(|other| other != flag);
                    if negated { &mut off } else { &mut on }.push(flag);
                }
                b'-' if !negated => (negated, saw_flag) = (true, false),
                b':' | b')' if !negated || saw_flag => {
                    let flags = match off.is_empty() {
                        true => on,
                        false => format!("{on}-{off}"),
                    };
                    if byte == b':' {
                        self.begin_group(&format!("(?{flags}:"));
                    } else if !flags.is_empty() {
                        self.out.push_str(&format!("(?{flags})"));
                    }
                    return Ok(());
                }
                _ => return bad(self, self.at),
            }
        }
    }

    fn close(&mut self) -> Result<(), InvalidMatcher> {
        let Some(outer) = self.groups.pop() else {
            return Err(self.error_over("unexpected )", 0, self.pattern.len()));
        };
        self.at += 1;
        self.out.push(')');
        self.last = Last::Atom(self.inner_repeat);
        self.inner_repeat = self.inner_repeat.max(outer);
        Ok(())
    }

    /// A repetition operator that ends before `end` and multiplies by `times`.
    fn repeat(&mut self, end: usize, times: u32) -> Result<(), InvalidMatcher> {
        let start = self.at;
        let end = end + usize::from(self.pattern.get(end) == Some(&b'?'));
        let inner = match self.last {
            Last::Nothing => {
                let what = "no argument for repetition operator";
                return Err(self.error_over(what, start, end));
            }
            Last::Repeated(before) => {
                return Err(self.error_over("bad repetition operator", before, end));
            }
            Last::Atom(inner) => inner,
        };
        let product = inner.saturating_mul(times.max(1));
        if times > 1 && product > MAX_REPEAT {
            return Err(self.error_over("invalid repetition size", start, end));
        }
        // What is copied here is ASCII: an operator.
        self.out.extend(
            self.pattern[start..end]
                .iter()
                .map(|byte| char::from(*byte)),
        );
        self.inner_repeat = self.inner_repeat.max(product);
        self.at = end;
        self.last = Last::Repeated(start);
        Ok(())
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else that begins with a brace is a literal brace.
    fn counted(&mut self) -> Result<(), InvalidMatcher> {
        let Some((low, high, end)) = parse_counts(self.pattern, self.at) else {
            self.at += 1;
            self.literal(b'{');
            return Ok(());
        };
        let largest = high.unwrap_or(low);
        if largest < low || largest > MAX_REPEAT {
            let end = end + usize::from(self.pattern.get(end) == Some(&b'?'));
            return Err(self.error_over("invalid repetition size", self.at, end));
        }
        self.repeat(end, largest)
    }

    fn escape(&mut self) -> Result<(), InvalidMatcher> {
        match self.pattern.get(self.at + 1) {
            Some(kind @ (b'b' | b'B' | b'A' | b'z')) => {
                self.out.push('\\');
                self.out.push(char::from(*kind));
                self.at += 2;
                self.last = Last::Atom(1);
            }
            Some(b'C') => {
                self.at += 2;
                self.out.push_str("(?s:.)");
                self.last = Last::Atom(1);
            }
            Some(b'Q') => self.quoted(),
            _ => {
                if let Some(set) = self.escaped_class()? {
                    set.write(false, &mut self.out);
                    self.last = Last::Atom(1);
                } else {
                    let byte = self.escaped_byte()?;
                    self.literal(byte);
                }
            }
        }
        Ok(())
    }

    /// `\Q…\E`: everything between is literal; without `\E` to the end.
    fn quoted(&mut self) {
        self.at += 2;
        while let Some(&byte) = self.pattern.get(self.at) {
            if self.rest().starts_with(b"\\E") {
                self.at += 2;
                return;
            }
            self.at += 1;
            self.literal(byte);
        }
    }

    /// `\d` and `\pL` and their like, inside or outside of brackets.
    fn escaped_class(&mut self) -> Result<Option<ByteSet>, InvalidMatcher> {
        let start = self.at;
        let Some(&kind) = self.pattern.get(start + 1) else {
            return Ok(None);
        };
        if let Some(set) = perl_class(kind) {
            self.at += 2;
            return Ok(Some(set));
        }
        if !matches!(kind, b'p' | b'P') {
            return Ok(None);
        }
        let bad = "invalid character class range";
        let rest = &self.pattern[start + 2..];
        let (name, end) = match rest.first() {
            None => return Err(self.error_over(bad, start, self.pattern.len())),
            Some(b'{') => match rest.iter().position(|byte| *byte == b'}') {
                None => return Err(self.error_over(bad, start, self.pattern.len())),
                Some(length) => (&rest[1..length], start + 2 + length + 1),
            },
            Some(_) => (&rest[..1], start + 3),
        };
        let (name, inverted) = match name.strip_prefix(b"^") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(set) = unicode_class(name) else {
            return Err(self.error_over(bad, start, end));
        };
        self.at = end;
        Ok(Some(if inverted != (kind == b'P') {
            set.inverted()
        } else {
            set
        }))
    }

    /// The one character that an escape stands for.
    fn escaped_byte(&mut self) -> Result<u8, InvalidMatcher> {
        let start = self.at;
        let bad = |parser: &Self| {
            let what = "invalid escape sequence";
            Err(parser.error_over(what, start, parser.at))
        };
        let Some(&kind) = self.pattern.get(start + 1) else {
            return Err(InvalidMatcher::new("trailing \\"));
        };
        self.at += 2;
        let byte = match kind {
            b'a' => 0x07,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let is_octal = |byte: &u8| matches!(byte, b'0'..=b'7');
                // A single digit other than 0 would be a back-reference, which RE2 has not.
                if kind != b'0' && !self.pattern.get(self.at).is_some_and(is_octal) {
                    return bad(self);
                }
                let mut code = u32::from(kind - b'0');
                for _ in 0..2 {
                    if let Some(digit) = self.pattern.get(self.at).filter(|byte| is_octal(byte)) {
                        code = code * 8 + u32::from(digit - b'0');
                        self.at += 1;
                    }
                }
                match u8::try_from(code) {
                    Ok(byte) => byte,
                    Err(_) => return bad(self),
                }
            }
            b'x' => match self.hex() {
                Some(byte) => byte,
                None => return bad(self),
            },
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => other,
            _ => return bad(self),
        };
        Ok(byte)
    }

    /// What follows `\x`: two digits, or any number in braces up to the last Latin-1 character.
    fn hex(&mut self) -> Option<u8> {
        let mut take = || {
            let byte = *self.pattern.get(self.at)?;
            self.at += 1;
            Some(byte)
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let first = take()?;
        if first != b'{' {
            let (high, low) = (digit(first)?, digit(take()?)?);
            return Some((high * 16 + low) as u8);
        }
        let mut code = digit(take()?)?;
        loop {
            let byte = take()?;
            if byte == b'}' {
                return u8::try_from(code).ok();
            }
            code = code * 16 + digit(byte)?;
            if code > 0xff {
                return None;
            }
        }
    }

    /// `[…]`.
    fn class(&mut self) -> Result<(), InvalidMatcher> {
        let start = self.at;
        self.at += 1;
        let negated = self.pattern.get(self.at) == Some(&b'^');
        self.at += usize::from(negated);
        let mut set = ByteSet::default();
        let mut first = true;
        loop {
            match self.pattern.get(self.at) {
                None => return Err(self.error_over("missing ]", start, self.pattern.len())),
                Some(b']') if !first => break,
                Some(_) => {}
            }
            first = false;
            if let Some(posix) = self.posix()? {
                set.add(&posix);
            } else if self.pattern[self.at] == b'\\'
                && let Some(escaped) = self.escaped_class()?
            {
                set.add(&escaped);
            } else {
                self.class_range(start, &mut set)?;
            }
        }
        self.at += 1;
        set.write(negated, &mut self.out);
        Ok(())
    }

    /// `[:alpha:]` inside brackets.
    fn posix(&mut self) -> Result<Option<ByteSet>, InvalidMatcher> {
        if !self.rest().starts_with(b"[:") {
            return Ok(None);
        }
        let Some(length) = self.rest()[2..].windows(2).position(|end| end == b":]") else {
            return Ok(None);
        };
        let (start, end) = (self.at, self.at + 2 + length + 2);
        match posix_class(&self.pattern[start + 2..end - 2]) {
            Some(set) => {
                self.at = end;
                Ok(Some(set))
            }
            None => Err(self.error_over("invalid character class range", start, end)),
        }
    }

    fn class_range(&mut self, class: usize, set: &mut ByteSet) -> Result<(), InvalidMatcher> {
        let start = self.at;
        let low = self.class_byte(class)?;
        let mut high = low;
        if let [b'-', after, ..] = self.rest()
            && *after != b']'
        {
            self.at += 1;
            high = self.class_byte(class)?;
            if high < low {
                let what = "invalid character class range";
                return Err(self.error_over(what, start, self.at));
            }
        }
        set.add_range(low, high);
        Ok(())
    }

    fn class_byte(&mut self, class: usize) -> Result<u8, InvalidMatcher> {
        match self.pattern.get(self.at) {
            None => Err(self.error_over("missing ]", class, self.pattern.len())),
            Some(b'\\') => self.escaped_byte(),
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
        }
    }
}

fn is_look_behind(rest: &[u8]) -> bool {
    rest.starts_with(b"(?<=") || rest.starts_with(b"(?<!")
}

/// The counts in `{…}` and where it ends.
fn parse_counts(pattern: &[u8], at: usize) -> Option<(u32, Option<u32>, usize)> {
    let (low, end) = parse_count(pattern, at + 1)?;
    match pattern.get(end)? {
        b'}' => Some((low, Some(low), end + 1)),
        b',' if pattern.get(end + 1) == Some(&b'}') => Some((low, None, end + 2)),
        b',' => {
            let (high, end) = parse_count(pattern, end + 1)?;
            (pattern.get(end) == Some(&b'}')).then_some((low, Some(high), end + 1))
        }
        _ => None,
    }
}

/// A count and where it ends. RE2 takes neither leading zeros nor huge numbers for one.
fn parse_count(pattern: &[u8], at: usize) -> Option<(u32, usize)> {
    let rest = pattern.get(at..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = std::str::from_utf8(&rest[..digits]).ok()?;
    if (digits > 1 && text.starts_with('0')) || digits > 9 {
        return None;
    }
    Some((text.parse().ok()?, at + digits))
}

/// Writes one byte as a literal of the `regex` crate.
pub(crate) fn push_byte(out: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        // Writing to a String can't fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

#[cfg(test)]
#[path = "re2_syntax_tests.rs"]
mod tests;
