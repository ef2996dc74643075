//! What one rule makes of a message.

use nuncio_base::metadata::Value;
use nuncio_base::{HeaderMap, HeaderName, base64};
use nuncio_config::common;
use nuncio_matching::Substitution;
use nuncio_matching::cookie::first_cookie;

/// How long a value may be, in bytes.
const MOST: usize = 8 * 1024;

/// Where a rule looks.
#[derive(Debug)]
pub enum Selector {
    /// All values of a header, joined by commas.
    Header(HeaderName),
    /// A cookie.
    Cookie(Vec<u8>),
}

/// What a value becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A `google.protobuf.Value`, encoded.
    Encoded,
}

/// What is set.
#[derive(Debug)]
pub struct KeyValue {
    /// The namespace.
    pub namespace: String,
    /// The key.
    pub key: String,
    /// The value, where it is not the header's; empty for none.
    pub value: String,
    /// What the header's value is rewritten to.
    pub rewrite: Option<Substitution>,
    /// What it becomes.
    pub kind: ValueType,
    /// Whether it is decoded from base64 first.
    pub base64: bool,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Where it looks.
    pub selector: Selector,
    /// What is set where something is found.
    pub present: Option<KeyValue>,
    /// What is set where nothing is.
    pub missing: Option<KeyValue>,
    /// Whether the header is removed.
    pub remove: bool,
}

/// What came of a value.
#[derive(PartialEq, Debug)]
pub(super) enum Made {
    Value(Value),
    Empty,
    EmptyByRegex,
    TooLong,
    NoBase64,
    NoValue,
}

impl Selector {
    /// What is found.
    pub(super) fn extract(&self, headers: &HeaderMap) -> Option<Vec<u8>> {
        match self {
            Self::Cookie(name) => first_cookie(headers, name).map(<[u8]>::to_vec),
            Self::Header(name) => {
                let mut values = headers.get_all(name);
                let mut joined = values.next()?.to_vec();
                for value in values {
                    joined.push(b',');
                    joined.extend_from_slice(value);
                }
                Some(joined)
            }
        }
    }
}

impl KeyValue {
    /// The value to set for what was found.
    pub(super) fn make(&self, found: Vec<u8>) -> Made {
        let text = match (&self.rewrite, self.value.as_str()) {
            (_, value) if !value.is_empty() => value.as_bytes().to_vec(),
            (Some(rewrite), _) => {
                let mut rewritten = Vec::new();
                rewrite.replace_all(&found, &mut rewritten);
                if rewritten.is_empty() && !found.is_empty() {
                    return Made::EmptyByRegex;
                }
                rewritten
            }
            (None, _) => found,
        };
        if text.is_empty() {
            return Made::Empty;
        }
        if text.len() >= MOST {
            return Made::TooLong;
        }
        let bytes = match self.base64 {
            false => text,
            true => match base64::decode(&text).filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => bytes,
                None => return Made::NoBase64,
            },
        };
        let value = match self.kind {
            ValueType::Text => Some(Value::Text(String::from_utf8_lossy(&bytes).into())),
            ValueType::Number => number(&bytes).map(Value::Number),
            ValueType::Encoded => common::encoded_value(&bytes),
        };
        value.map_or(Made::NoValue, Made::Value)
    }
}

fn number(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}
