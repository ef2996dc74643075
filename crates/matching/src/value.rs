//! `envoy.type.matcher.v3.ValueMatcher` and `MetadataMatcher`: matching JSON-like values.

use crate::range::DoubleMatcher;
use crate::string::StringMatcher;
use nuncio_base::metadata::{Metadata, Value};

/// Matches a value of a struct.
#[derive(Clone, Debug)]
pub enum ValueMatcher {
    /// The value is null.
    Null,
    /// The value is a number that matches.
    Double(DoubleMatcher),
    /// The value is a text that matches.
    Text(StringMatcher),
    /// The value is this boolean.
    Bool(bool),
    /// There is a value; `Present(false)` never matches a value that is not there, as in Envoy.
    Present(bool),
    /// The value is a list of which one matches.
    ListOneOf(Box<ValueMatcher>),
    /// One of these matches.
    Or(Box<[ValueMatcher]>),
}

impl ValueMatcher {
    /// Whether `value` matches; a value that is not there is `None`.
    pub fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Or(matchers), value) => matchers.iter().any(|matcher| matcher.matches(value)),
            (_, None) => false,
            (Self::Null, Some(Value::Null)) => true,
            (Self::Double(matcher), Some(Value::Number(number))) => matcher.matches(*number),
            (Self::Text(matcher), Some(Value::Text(text))) => matcher.matches(text.as_bytes()),
            (Self::Bool(wanted), Some(Value::Bool(is))) => wanted == is,
            (Self::Present(present), Some(_)) => *present,
            (Self::ListOneOf(matcher), Some(Value::List(list))) => {
                list.iter().any(|item| matcher.matches(Some(item)))
            }
            _ => false,
        }
    }
}

/// Matches one value of metadata: a filter's name, a path in its struct, what the value must be.
#[derive(Clone, Debug)]
pub struct MetadataMatcher {
    filter: Box<str>,
    path: Box<[Box<str>]>,
    value: ValueMatcher,
    invert: bool,
}

impl MetadataMatcher {
    /// Matches where the value at `path` under `filter` does; `invert` turns the answer.
    pub fn new(filter: &str, path: Vec<String>, value: ValueMatcher, invert: bool) -> Self {
        Self {
            filter: filter.into(),
            path: path.into_iter().map(String::into_boxed_str).collect(),
            value,
            invert,
        }
    }

    /// Whether the metadata match.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        let value = metadata
            .get(&self.filter)
            .and_then(|fields| fields.at(self.path.iter().map(|name| &**name)));
        self.value.matches(value) != self.invert
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn metadata() -> Metadata {
        let fields = BTreeMap::from([
            ("n".to_owned(), Value::Number(5.0)),
            ("t".to_owned(), Value::Text("abc".into())),
            ("b".to_owned(), Value::Bool(true)),
            ("z".to_owned(), Value::Null),
            (
                "l".to_owned(),
                Value::List(Arc::new([Value::Number(1.0), Value::Text("x".into())])),
            ),
        ]);
        let mut metadata = Metadata::default();
        let outer = BTreeMap::from([("in".to_owned(), Value::Struct(Arc::new(fields)))]);
        metadata.set("f", Value::Struct(Arc::new(outer)));
        metadata
    }

    #[test]
    fn values_by_path() {
        let text = |text| ValueMatcher::Text(StringMatcher::exact(text, false));
        let cases = [
            ("n", ValueMatcher::Double(DoubleMatcher::Exact(5.0)), true),
            ("n", text("5"), false),
            ("t", text("abc"), true),
            ("b", ValueMatcher::Bool(true), true),
            ("b", ValueMatcher::Bool(false), false),
            ("z", ValueMatcher::Null, true),
            ("missing", ValueMatcher::Null, false),
            ("missing", ValueMatcher::Present(true), false),
            ("missing", ValueMatcher::Present(false), false),
            ("n", ValueMatcher::Present(true), true),
            ("n", ValueMatcher::Present(false), false),
            ("l", ValueMatcher::ListOneOf(Box::new(text("x"))), true),
            ("l", ValueMatcher::ListOneOf(Box::new(text("y"))), false),
            ("t", ValueMatcher::ListOneOf(Box::new(text("abc"))), false),
            (
                "t",
                ValueMatcher::Or([ValueMatcher::Null, text("abc")].into()),
                true,
            ),
        ];
        for (name, value, answer) in cases {
            let path = vec!["in".to_owned(), name.to_owned()];
            let matcher = MetadataMatcher::new("f", path.clone(), value.clone(), false);
            assert_eq!(matcher.matches(&metadata()), answer, "{matcher:?}");
            let inverted = MetadataMatcher::new("f", path, value, true);
            assert_eq!(inverted.matches(&metadata()), !answer, "{inverted:?}");
        }
    }
}
