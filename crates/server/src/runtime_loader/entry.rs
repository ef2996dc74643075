//! One runtime entry: its text, which `/runtime` shows, and its value, which components read.

use std::collections::BTreeMap;
use std::fmt::Write;

use nuncio_base::metadata::Value;
use nuncio_base::runtime_flags::{FlagValue, Fraction};

/// An entry of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was set, as text.
    pub text: String,
    /// What it means.
    pub value: FlagValue,
}

impl Entry {
    /// An entry of the admin layer: whatever the text looks like, it is.
    pub fn from_text(text: &str) -> Self {
        let value = match fraction_of_text(text) {
            Some(fraction) => FlagValue::Fraction(fraction),
            None => FlagValue::Text(text.to_owned()),
        };
        Self {
            text: text.to_owned(),
            value,
        }
    }
}

/// Collects the entries of a static layer: nested structs become dotted keys.
///
/// # Errors
/// Envoy's text when a value is a list or null.
pub fn flatten(
    fields: &BTreeMap<String, Value>,
    into: &mut BTreeMap<String, Entry>,
) -> Result<(), String> {
    for (name, value) in fields {
        walk(name, value, into)?;
    }
    Ok(())
}

/// Depth is bounded by that of a loaded message.
fn walk(key: &str, value: &Value, into: &mut BTreeMap<String, Entry>) -> Result<(), String> {
    let entry = match value {
        Value::Null | Value::List(_) => {
            return Err(format!("Invalid runtime entry value for {key}"));
        }
        Value::Bool(value) => Entry {
            text: value.to_string(),
            value: FlagValue::Bool(*value),
        },
        Value::Number(number) => Entry {
            text: number_text(*number),
            value: FlagValue::Number(*number),
        },
        Value::Text(text) => Entry::from_text(text),
        Value::Struct(fields) if is_one_entry(fields) => {
            let text = struct_text(fields);
            Entry {
                value: match fraction_of_fields(fields) {
                    Some(fraction) => FlagValue::Fraction(fraction),
                    None => FlagValue::Text(text.clone()),
                },
                text,
            }
        }
        Value::Struct(fields) => {
            for (name, value) in fields.iter() {
                walk(&format!("{key}.{name}"), value, into)?;
            }
            return Ok(());
        }
    };
    into.insert(key.to_owned(), entry);
    Ok(())
}

fn is_one_entry(fields: &BTreeMap<String, Value>) -> bool {
    fields.is_empty() || fields.contains_key("numerator") || fields.contains_key("denominator")
}

fn fraction_of_fields(fields: &BTreeMap<String, Value>) -> Option<Fraction> {
    let number = |value: &Value| match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    };
    let mut fraction = Fraction {
        numerator: 0,
        denominator: 100,
    };
    for (name, value) in fields {
        set_part(&mut fraction, name, &number(value)?)?;
    }
    Some(fraction)
}

/// A fraction written as JSON, YAML or text proto: `{numerator: 5, denominator: TEN_THOUSAND}`.
fn fraction_of_text(text: &str) -> Option<Fraction> {
    let text = text.trim();
    let inside = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    if !inside.contains("numerator") && !inside.contains("denominator") {
        return None;
    }
    let mut words = inside
        .split([':', ',', ' ', '\n', '\t'])
        .map(|word| word.trim_matches('"'))
        .filter(|word| !word.is_empty());
    let mut fraction = Fraction {
        numerator: 0,
        denominator: 100,
    };
    while let Some(name) = words.next() {
        set_part(&mut fraction, name, words.next()?)?;
    }
    Some(fraction)
}

fn set_part(fraction: &mut Fraction, name: &str, value: &str) -> Option<()> {
    match name {
        "numerator" => fraction.numerator = value.parse().ok()?,
        "denominator" => {
            fraction.denominator = match value.to_ascii_uppercase().as_str() {
                "HUNDRED" | "0" => 100,
                "TEN_THOUSAND" | "1" => 10_000,
                "MILLION" | "2" => 1_000_000,
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

fn number_text(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-5..1e17).contains(&size) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// A struct as protobuf's text format shows it.
fn struct_text(fields: &BTreeMap<String, Value>) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        // Writing to a `String` cannot fail.
        let _ = match value {
            Value::Number(number) => write_field(&mut out, name, "number_value", number),
            Value::Text(text) => write_field(&mut out, name, "string_value", &format!("{text:?}")),
            Value::Bool(value) => write_field(&mut out, name, "bool_value", value),
            _ => Ok(()),
        };
    }
    out
}

fn write_field(
    out: &mut String,
    name: &str,
    kind: &str,
    value: &dyn std::fmt::Display,
) -> std::fmt::Result {
    write!(
        out,
        "fields {{\n  key: {name:?}\n  value {{\n    {kind}: {value}\n  }}\n}}\n"
    )
}
