//! Rules of strings and bytes.

use std::sync::Mutex;

use regex::Regex;

use crate::validate::rules::{Reasons, varint};
use crate::wire::{self, Value};

const MIN_LEN: u32 = 2;
const MAX_LEN: u32 = 3;
const MAX_BYTES: u32 = 5;
const PATTERN: u32 = 6;
const PREFIX: u32 = 7;
const SUFFIX: u32 = 8;
const IN: u32 = 10;
const WELL_KNOWN_REGEX: u32 = 24;
const STRICT: u32 = 25;
const IGNORE_EMPTY: u32 = 26;

/// `validate.KnownRegex`.
const HTTP_HEADER_NAME: u64 = 1;

/// A string against `validate.StringRules`.
pub fn string(part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let bytes = found.bytes().unwrap_or_default();
    if bytes.is_empty() && varint(part, IGNORE_EMPTY) == Some(1) {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    lengths(part, text.chars().count() as u64, reasons);
    if let Some(max) = varint(part, MAX_BYTES)
        && bytes.len() as u64 > max
    {
        reasons.push(format!("value length must be at most {max} bytes"));
    }
    let mut allowed = Vec::new();
    for (rule, value) in wire::fields(part).flatten() {
        let wanted = value.bytes().unwrap_or_default();
        let shown = String::from_utf8_lossy(wanted);
        match rule {
            PATTERN if !matches(&shown, &text) => {
                let escaped = shown.replace('\\', "\\\\").replace('"', "\\\"");
                reasons.push(format!("value does not match regex pattern \"{escaped}\""));
            }
            PREFIX if !bytes.starts_with(wanted) => {
                reasons.push(format!("value does not have prefix \"{shown}\""));
            }
            SUFFIX if !bytes.ends_with(wanted) => {
                reasons.push(format!("value does not have suffix \"{shown}\""));
            }
            IN => allowed.push(shown),
            _ => {}
        }
    }
    if !allowed.is_empty() && !allowed.contains(&text) {
        reasons.push(format!("value must be in list [{}]", allowed.join(" ")));
    }
    if let Some(known) = varint(part, WELL_KNOWN_REGEX) {
        header(
            known == HTTP_HEADER_NAME,
            varint(part, STRICT) != Some(0),
            bytes,
            reasons,
        );
    }
}

fn lengths(part: &[u8], length: u64, reasons: &mut Reasons) {
    let (min, max) = (varint(part, MIN_LEN), varint(part, MAX_LEN));
    if min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max) {
        return;
    }
    reasons.push(match (min, max) {
        (Some(min), Some(max)) => {
            format!("value length must be between {min} and {max} characters, inclusive")
        }
        (Some(min), None) => format!("value length must be at least {min} characters"),
        (None, max) => {
            let max = max.unwrap_or_default();
            format!("value length must be at most {max} characters")
        }
    });
}

/// The regexes that PGV knows by name: a header's name or value, strictly or as HTTP/1 bears it.
fn header(name: bool, strict: bool, bytes: &[u8], reasons: &mut Reasons) {
    let (pattern, fits) = match (strict, name) {
        (false, _) => (
            "^[^\\x00\\n\\r]*$",
            !bytes.iter().any(|b| matches!(b, 0 | b'\n' | b'\r')),
        ),
        (true, true) => {
            let rest = bytes.strip_prefix(b":").unwrap_or(bytes);
            let fits = !rest.is_empty() && rest.iter().all(|&byte| is_name_byte(byte));
            ("^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$", fits)
        }
        (true, false) => {
            let bad = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
            ("^[^\\x00-\\b\\n-\\x1f\\x7f]*$", !bytes.iter().any(bad))
        }
    };
    if !fits {
        reasons.push(format!("value does not match regex pattern \"{pattern}\""));
    }
}

/// A byte of a header's name; the range from '+' to '.' in PGV's pattern lets the comma in.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_|~`".contains(&byte)
}

/// The patterns come from the tables, a dozen in all; each is compiled once.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: Mutex<Vec<(String, Option<Regex>)>> = Mutex::new(Vec::new());
    let mut compiled = COMPILED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = compiled.iter().position(|(known, _)| known == pattern);
    let at = known.unwrap_or_else(|| {
        compiled.push((pattern.to_owned(), Regex::new(pattern).ok()));
        compiled.len() - 1
    });
    compiled[at]
        .1
        .as_ref()
        .is_some_and(|regex| regex.is_match(text))
}

/// Bytes against `validate.BytesRules`.
pub fn bytes(part: &[u8], found: Value<'_>, reasons: &mut Reasons) {
    let length = found.bytes().unwrap_or_default().len() as u64;
    let (min, max) = (varint(part, MIN_LEN), varint(part, MAX_LEN));
    if let Some(min) = min.filter(|min| length < *min) {
        reasons.push(format!("value length must be at least {min} bytes"));
    }
    if let Some(max) = max.filter(|max| length > *max) {
        reasons.push(format!("value length must be at most {max} bytes"));
    }
}
