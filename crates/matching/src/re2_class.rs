//! RE2's character classes over Latin-1: sets of bytes.

use crate::re2_syntax::push_byte;
use regex_syntax::hir::{Class, HirKind};

/// A set of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteSet([bool; 256]);

impl Default for ByteSet {
    fn default() -> Self {
        Self([false; 256])
    }
}

impl ByteSet {
    fn of(is_in: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        for byte in 0..=255 {
            set.0[usize::from(byte)] = is_in(byte);
        }
        set
    }

    /// All other bytes.
    pub(crate) fn inverted(&self) -> Self {
        Self(self.0.map(|is_in| !is_in))
    }

    /// Adds all bytes of another set.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Adds the bytes from `low` to `high`, both included.
    pub(crate) fn add_range(&mut self, low: u8, high: u8) {
        self.0[usize::from(low)..=usize::from(high)].fill(true);
    }

    /// Writes the set in the `regex` crate's syntax. The negation stays a negation: case is
    /// folded before it.
    pub(crate) fn write(&self, negated: bool, out: &mut String) {
        let is_empty = !self.0.contains(&true);
        out.push('[');
        // An empty class can't be written but as the negation of everything.
        if negated != is_empty {
            out.push('^');
        }
        let mut byte = 0;
        while byte < 256 {
            let length = self.0[byte..]
                .iter()
                .take_while(|is_in| **is_in != is_empty)
                .count();
            if length > 0 {
                push_byte(out, byte as u8);
                if length > 1 {
                    out.push('-');
                    push_byte(out, (byte + length - 1) as u8);
                }
            }
            byte += length.max(1);
        }
        out.push(']');
    }
}

/// `\d`, `\s`, `\w` and their negations, by the letter. RE2's `\s` has no vertical tab.
pub(crate) fn perl_class(letter: u8) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => ByteSet::of(|byte| byte.is_ascii_digit()),
        b's' => ByteSet::of(|byte| matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')),
        b'w' => ByteSet::of(is_word),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() {
        set.inverted()
    } else {
        set
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The class of `[:name:]` or `[:^name:]`.
pub(crate) fn posix_class(name: &[u8]) -> Option<ByteSet> {
    let (positive, negated) = match name.strip_prefix(b"^") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let is_in: fn(u8) -> bool = match positive {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"ascii" => |byte| byte.is_ascii(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| matches!(byte, 0x09..=0x0d | b' '),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"word" => is_word,
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    };
    let set = ByteSet::of(is_in);
    Some(if negated { set.inverted() } else { set })
}

/// The Latin-1 characters of a Unicode general category (one or two letters), of a script, or
/// of `Any`.
pub(crate) fn unicode_class(name: &[u8]) -> Option<ByteSet> {
    let name = std::str::from_utf8(name).ok()?;
    if name == "Any" {
        return Some(ByteSet::of(|_| true));
    }
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    };
    if !is_name(name) {
        return None;
    }
    let kind = if name.len() <= 2 { "gc" } else { "sc" };
    let hir = regex_syntax::parse(&format!(r"\p{{{kind}={name}}}")).ok()?;
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
        return None;
    };
    let has = |byte: u8| {
        let character = char::from(byte);
        class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&character))
    };
    Some(ByteSet::of(has))
}
