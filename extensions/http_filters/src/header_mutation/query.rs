//! Changes to the parameters of a path's query.

use nuncio_matching::path::split_path;
use nuncio_observe::Formatter;
use nuncio_route::AppendAction;
use std::borrow::Cow;

/// One change.
#[derive(Debug)]
pub enum QueryMutation {
    /// All parameters of this name go.
    Remove(String),
    /// A parameter is added or overwritten.
    Append {
        /// Its name.
        name: String,
        /// Its value, percent-encoded where needed.
        value: Formatter,
        /// What becomes of parameters of this name.
        action: AppendAction,
    },
}

/// Changes in order.
#[derive(Debug, Default)]
pub struct QueryMutations(pub Vec<QueryMutation>);

/// A parameter: its decoded name, and both as they are written.
struct Parameter<'a> {
    name: Cow<'a, [u8]>,
    text: Cow<'a, [u8]>,
    value: Cow<'a, [u8]>,
}

impl QueryMutations {
    /// The path with its query changed. `format` appends a format's text.
    pub fn apply(&self, path: &[u8], mut format: impl FnMut(&Formatter, &mut Vec<u8>)) -> Vec<u8> {
        let (before, query) = split_path(path);
        let mut parameters = parse(query);
        for mutation in &self.0 {
            match mutation {
                QueryMutation::Remove(name) => {
                    parameters.retain(|parameter| *parameter.name != *name.as_bytes());
                }
                QueryMutation::Append {
                    name,
                    value,
                    action,
                } => {
                    let mut text = Vec::new();
                    format(value, &mut text);
                    append(&mut parameters, name.as_bytes(), &text, *action);
                }
            }
        }
        // Those of one name keep their order.
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        let mut path = before.to_vec();
        for (index, parameter) in parameters.iter().enumerate() {
            path.push(if index == 0 { b'?' } else { b'&' });
            path.extend_from_slice(&parameter.text);
            path.push(b'=');
            path.extend_from_slice(&parameter.value);
        }
        path
    }
}

fn append<'a>(
    parameters: &mut Vec<Parameter<'a>>,
    name: &'a [u8],
    value: &[u8],
    action: AppendAction,
) {
    let is_named = |parameter: &Parameter<'_>| *parameter.name == *name;
    let exists = parameters.iter().any(is_named);
    match action {
        AppendAction::AppendIfExistsOrAdd => {}
        AppendAction::AddIfAbsent if exists => return,
        AppendAction::OverwriteIfExists if !exists => return,
        AppendAction::AddIfAbsent => {}
        AppendAction::OverwriteIfExists | AppendAction::OverwriteIfExistsOrAdd => {
            parameters.retain(|parameter| !is_named(parameter));
        }
    }
    parameters.push(Parameter {
        name: name.into(),
        text: name
            .iter()
            .flat_map(|byte| encoded(*byte, !is_harmless(*byte)))
            .collect(),
        value: value
            .iter()
            .flat_map(|byte| encoded(*byte, !is_unreserved(*byte)))
            .collect(),
    });
}

fn parse(query: &[u8]) -> Vec<Parameter<'_>> {
    let query = query.strip_prefix(b"?").unwrap_or_default();
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    if query.is_empty() {
        return Vec::new();
    }
    // A last `&` has no parameter behind it.
    let query = query.strip_suffix(b"&").unwrap_or(query);
    let parameter = |text: &'_ [u8]| {
        let at = text.iter().position(|byte| *byte == b'=');
        let (name, value) = match at {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &[][..]),
        };
        Parameter {
            name: decode(name, |_| true).into(),
            text: decode(name, |byte| is_harmless(byte) && byte != b'=').into(),
            value: decode(value, is_harmless).into(),
        }
    };
    query.split(|byte| *byte == b'&').map(parameter).collect()
}

/// Replaces the percent-encoded bytes that `wanted` allows.
fn decode(text: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
            && wanted((high * 16 + low) as u8)
        {
            decoded.push((high * 16 + low) as u8);
            rest = after;
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}

/// Whether a byte changes nothing of what a query means when it stands there as it is.
fn is_harmless(byte: u8) -> bool {
    !matches!(byte, 0..=b' ' | 0x7f | b'&' | b'#' | b'%' | b'+')
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn encoded(byte: u8, encode: bool) -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS[usize::from(value)];
    let (text, len) = if encode {
        ([b'%', digit(byte >> 4), digit(byte & 15)], 3)
    } else {
        ([byte, 0, 0], 1)
    };
    text.into_iter().take(len)
}
