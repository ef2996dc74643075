//! ECMAScript regexes, as C++'s `std::regex` reads them, rewritten in the dialect of our engine.
//!
//! Envoy compiles `stats_tags` regexes with libc++'s `std::regex`; what that refuses (look-behind,
//! inline flags, `\A`), this refuses in the same words, and what it knows beyond ECMAScript
//! (`[[:digit:]]`, `[[=a=]]`) this knows too.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// How deep groups may nest; our engine has a limit of its own near it.
const DEPTH: usize = 200;

/// Matches no character.
const NOTHING: &str = "[^\\x00-\\x{10FFFF}]";

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    BadRepeat,
    Paren,
    Brack,
    Brace,
    BadBrace,
    Range,
    Ctype,
    Collate,
    Escape,
    Backref,
    Unconsumed,
    Depth,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Error::BadRepeat => "One of *?+{ was not preceded by a valid regular expression.",
            Error::Paren => "The expression contained mismatched ( and ).",
            Error::Brack => "The expression contained mismatched [ and ].",
            Error::Brace => "The expression contained mismatched { and }.",
            Error::BadBrace => "The expression contained an invalid range in a {} expression.",
            Error::Range => {
                "The expression contained an invalid character range, such as [b-a] in most \
                 encodings."
            }
            Error::Ctype => "The expression contained an invalid character class name.",
            Error::Collate => "The expression contained an invalid collating element name.",
            Error::Escape => {
                "The expression contained an invalid escaped character, or a trailing escape."
            }
            Error::Backref => "The expression contained an invalid back reference.",
            Error::Unconsumed => "The parser did not consume the entire regular expression.",
            Error::Depth => "groups nest too deeply",
        })
    }
}

/// Rewrites a pattern.
pub(super) fn translate(pattern: &str) -> Result<String, Error> {
    let mut parser = Parser {
        input: pattern.chars().peekable(),
        out: String::new(),
        groups: 0,
        depth: 0,
    };
    parser.disjunction()?;
    match parser.input.next() {
        None => Ok(parser.out),
        Some(_) => Err(Error::Unconsumed),
    }
}

struct Parser<'a> {
    input: Peekable<Chars<'a>>,
    out: String,
    /// Groups begun so far: what a back reference may name.
    groups: u32,
    depth: usize,
}

/// One member of a `[…]`.
enum Member {
    Char(char),
    Class(&'static str),
}

impl Parser<'_> {
    fn eat(&mut self, c: char) -> bool {
        self.input.next_if_eq(&c).is_some()
    }

    fn disjunction(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::Depth);
        }
        loop {
            while self.term()? {}
            if !self.eat('|') {
                break;
            }
            self.out.push('|');
        }
        self.depth -= 1;
        Ok(())
    }

    /// One assertion or one atom with its quantifier; false where the alternative ends.
    fn term(&mut self) -> Result<bool, Error> {
        let Some(&c) = self.input.peek() else {
            return Ok(false);
        };
        match c {
            '|' | ')' | ']' | '}' => return Ok(false),
            '*' | '+' | '?' | '{' => return Err(Error::BadRepeat),
            _ => self.input.next(),
        };
        let is_assertion = match c {
            '^' | '$' => {
                self.out.push(c);
                true
            }
            '.' => {
                self.out.push_str("[^\\n\\r]");
                false
            }
            '[' => {
                self.class()?;
                false
            }
            '(' => self.group()?,
            '\\' => self.escape()?,
            _ => {
                literal(&mut self.out, c);
                false
            }
        };
        if !is_assertion {
            self.quantifier()?;
        }
        Ok(true)
    }

    /// What follows `(`; true if it is a look-ahead.
    fn group(&mut self) -> Result<bool, Error> {
        let mut ahead = self.input.clone();
        let opening = match (ahead.next(), ahead.next()) {
            (Some('?'), Some(':')) => "(?:",
            (Some('?'), Some('=')) => "(?=",
            (Some('?'), Some('!')) => "(?!",
            _ => "(",
        };
        if opening == "(" {
            self.groups += 1;
        } else {
            self.input = ahead;
        }
        self.out.push_str(opening);
        self.disjunction()?;
        if !self.eat(')') {
            return Err(if self.input.peek().is_none() {
                Error::Paren
            } else {
                Error::Unconsumed
            });
        }
        if opening == "(?:" && matches!(self.input.peek(), Some('*' | '+' | '?' | '{')) {
            // Our engine does not repeat what is empty or an assertion, but it does alternatives.
            let _ = write!(self.out, "|{NOTHING}");
        }
        self.out.push(')');
        Ok(opening == "(?=" || opening == "(?!")
    }

    /// What follows `\`; true if it is an assertion.
    fn escape(&mut self) -> Result<bool, Error> {
        match self.input.peek() {
            Some('b') | Some('B') => {
                let word = "[0-9A-Za-z_]";
                let (one, other) = if self.eat('b') {
                    ("(?!", "(?=")
                } else {
                    ("(?=", "(?!")
                };
                self.input.next_if_eq(&'B');
                let _ = write!(
                    self.out,
                    "(?:(?<={word}){one}{word})|(?<!{word}){other}{word}))"
                );
                return Ok(true);
            }
            Some(digit @ '1'..='9') => {
                let mut number = digit.to_digit(10).unwrap_or(0);
                self.input.next();
                while let Some(digit) = self.input.peek().and_then(|c| c.to_digit(10)) {
                    number = number.saturating_mul(10).saturating_add(digit);
                    self.input.next();
                }
                if number > self.groups {
                    return Err(Error::Backref);
                }
                let _ = write!(self.out, "(?:\\{number})");
                return Ok(false);
            }
            _ => {}
        }
        match self.escaped_member(false)? {
            Member::Char(c) => literal(&mut self.out, c),
            Member::Class(class) => {
                let _ = write!(self.out, "[{class}]");
            }
        }
        Ok(false)
    }

    /// A character or a class after `\`, in or outside of `[…]`.
    fn escaped_member(&mut self, in_class: bool) -> Result<Member, Error> {
        let c = self.input.next().ok_or(Error::Escape)?;
        Ok(match c {
            'd' => Member::Class("0-9"),
            'D' => Member::Class("[^0-9]"),
            'w' => Member::Class("0-9A-Za-z_"),
            'W' => Member::Class("[^0-9A-Za-z_]"),
            's' => Member::Class("\\t-\\r\\x20"),
            'S' => Member::Class("[^\\t-\\r\\x20]"),
            'b' if in_class => Member::Char('\u{8}'),
            'f' => Member::Char('\u{c}'),
            'n' => Member::Char('\n'),
            'r' => Member::Char('\r'),
            't' => Member::Char('\t'),
            'v' => Member::Char('\u{b}'),
            '0' => Member::Char('\0'),
            'c' => match self.input.next() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    Member::Char(char::from(letter as u8 % 32))
                }
                _ => return Err(Error::Escape),
            },
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            c if c.is_ascii_alphanumeric() => return Err(Error::Escape),
            c => Member::Char(c),
        })
    }

    fn hex(&mut self, digits: usize) -> Result<Member, Error> {
        let mut code = 0;
        for _ in 0..digits {
            let digit = self
                .input
                .next()
                .and_then(|c| c.to_digit(16))
                .ok_or(Error::Escape)?;
            code = code * 16 + digit;
        }
        char::from_u32(code).map(Member::Char).ok_or(Error::Escape)
    }

    /// What follows `[`.
    fn class(&mut self) -> Result<(), Error> {
        let negated = self.eat('^');
        let mut members = String::new();
        loop {
            if self.eat(']') {
                break;
            }
            let member = self.member()?;
            let mut ahead = self.input.clone();
            let is_range = ahead.next() == Some('-') && !matches!(ahead.peek(), Some(']'));
            match member {
                Member::Class(_) if is_range => return Err(Error::Range),
                Member::Class(class) => members.push_str(class),
                Member::Char(from) if is_range => {
                    self.input = ahead;
                    let Member::Char(to) = self.member()? else {
                        return Err(Error::Range);
                    };
                    if to < from {
                        return Err(Error::Range);
                    }
                    literal(&mut members, from);
                    members.push('-');
                    literal(&mut members, to);
                }
                Member::Char(c) => literal(&mut members, c),
            }
        }
        let _ = match (members.is_empty(), negated) {
            (true, false) => write!(self.out, "{NOTHING}"),
            (true, true) => write!(self.out, "[\\x00-\\x{{10FFFF}}]"),
            (false, false) => write!(self.out, "[{members}]"),
            (false, true) => write!(self.out, "[^{members}]"),
        };
        Ok(())
    }

    fn member(&mut self) -> Result<Member, Error> {
        let c = self.input.next().ok_or(Error::Brack)?;
        match (c, self.input.peek()) {
            ('\\', None) => Err(Error::Escape),
            ('\\', _) => self.escaped_member(true),
            ('[', Some(':')) => {
                let name = self.until(":]")?;
                posix_class(&name).map(Member::Class).ok_or(Error::Ctype)
            }
            ('[', Some('=' | '.')) => {
                let close = if self.input.peek() == Some(&'=') {
                    "=]"
                } else {
                    ".]"
                };
                let name = self.until(close)?;
                let mut chars = name.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(Member::Char(c)),
                    _ => Err(Error::Collate),
                }
            }
            _ => Ok(Member::Char(c)),
        }
    }

    /// The text from behind the next character up to the closing mark.
    fn until(&mut self, close: &str) -> Result<String, Error> {
        self.input.next();
        let mut text = String::new();
        loop {
            text.push(self.input.next().ok_or(Error::Brack)?);
            if let Some(name) = text.strip_suffix(close) {
                return Ok(name.to_owned());
            }
        }
    }

    fn quantifier(&mut self) -> Result<(), Error> {
        let Some(c) = self.input.next_if(|c| matches!(c, '*' | '+' | '?' | '{')) else {
            return Ok(());
        };
        if c == '{' {
            let least = self.count()?.ok_or(Error::BadBrace)?;
            let _ = write!(self.out, "{{{least}");
            if self.eat(',') {
                self.out.push(',');
                if let Some(most) = self.count()? {
                    if most < least {
                        return Err(Error::BadBrace);
                    }
                    let _ = write!(self.out, "{most}");
                }
            }
            if !self.eat('}') {
                return Err(Error::Brace);
            }
            self.out.push('}');
        } else {
            self.out.push(c);
        }
        if self.eat('?') {
            self.out.push('?');
        }
        Ok(())
    }

    fn count(&mut self) -> Result<Option<u32>, Error> {
        let mut count: Option<u32> = None;
        while let Some(digit) = self.input.peek().and_then(|c| c.to_digit(10)) {
            self.input.next();
            let more = count
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|n| n.checked_add(digit));
            // What libc++ takes for a number is an int.
            count = Some(
                more.filter(|n| *n <= i32::MAX as u32)
                    .ok_or(Error::BadBrace)?,
            );
        }
        Ok(count)
    }
}

/// Writes a character so that it means itself anywhere.
fn literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || c == '_' {
        out.push(c);
    } else {
        let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
    }
}

/// The members of a class known by name.
fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "blank" => "\\t\\x20",
        "cntrl" => "\\x00-\\x1F\\x7F",
        "digit" | "d" => "0-9",
        "graph" => "!-~",
        "lower" => "a-z",
        "print" => "\\x20-~",
        "punct" => "!-/:-@\\[-`{-~",
        "space" | "s" => "\\t-\\r\\x20",
        "upper" => "A-Z",
        "xdigit" => "0-9A-Fa-f",
        "w" => "0-9A-Za-z_",
        _ => return None,
    })
}
