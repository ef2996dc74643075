//! Metadata: JSON-like values under filter names (`envoy.config.core.v3.Metadata`).

use std::collections::BTreeMap;
use std::sync::Arc;

/// A value of a `google.protobuf.Struct`. Cheap to clone: what is large is shared.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number, as JSON has it.
    Number(f64),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Arc<[Value]>),
    /// Fields by name, sorted.
    Struct(Arc<BTreeMap<String, Value>>),
}

/// The fields of a struct.
pub type Fields = BTreeMap<String, Value>;

impl Value {
    /// The value at a path of field names.
    pub fn at<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |value, name| match value {
            Self::Struct(fields) => fields.get(name),
            _ => None,
        })
    }
}

/// Structs by the name of the filter they belong to.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Metadata {
    filters: BTreeMap<String, Value>,
}

impl Metadata {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// What stands under a filter's name.
    pub fn get(&self, filter: &str) -> Option<&Value> {
        self.filters.get(filter)
    }

    /// All filters' values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.filters
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Sets a filter's value, replacing what was there.
    pub fn set(&mut self, filter: &str, value: Value) {
        self.filters.insert(filter.to_owned(), value);
    }

    /// Merges a struct into a filter's: its fields win, others stay.
    pub fn merge(&mut self, filter: &str, value: &Value) {
        let slot = self.filters.entry(filter.to_owned()).or_default();
        match (&mut *slot, value) {
            (Value::Struct(old), Value::Struct(new)) => {
                let old = Arc::make_mut(old);
                old.extend(
                    new.iter()
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
            }
            _ => *slot = value.clone(),
        }
    }
}

/// Where a value stands in metadata (`envoy.type.metadata.v3.MetadataKey`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataKey {
    /// The filter's name.
    pub filter: String,
    /// The names of fields, from the outermost.
    pub path: Vec<String>,
}

impl MetadataKey {
    /// The value that stands there.
    pub fn find<'a>(&self, metadata: &'a Metadata) -> Option<&'a Value> {
        let path = self.path.iter().map(String::as_str);
        metadata.get(&self.filter)?.at(path)
    }

    /// The text that stands there.
    pub fn text<'a>(&self, metadata: &'a Metadata) -> Option<&'a str> {
        match self.find(metadata)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Puts a text there.
    pub fn set_text(&self, metadata: &mut Metadata, text: &str) {
        let within = |value, name: &String| {
            let fields = Fields::from([(name.clone(), value)]);
            Value::Struct(Arc::new(fields))
        };
        let value = self
            .path
            .iter()
            .rev()
            .fold(Value::Text(text.into()), within);
        metadata.merge(&self.filter, &value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, Value)]) -> Value {
        let map = list
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.clone()))
            .collect::<BTreeMap<_, _>>();
        Value::Struct(Arc::new(map))
    }

    #[test]
    fn merging_keeps_what_is_not_named() {
        let mut metadata = Metadata::default();
        metadata.merge(
            "f",
            &fields(&[("a", Value::Number(1.0)), ("b", Value::Bool(true))]),
        );
        metadata.merge(
            "f",
            &fields(&[("a", fields(&[("x", Value::Text("y".into()))]))]),
        );
        let value = metadata.get("f").unwrap();
        assert_eq!(value.at(["a", "x"]), Some(&Value::Text("y".into())));
        assert_eq!(value.at(["b"]), Some(&Value::Bool(true)));
        assert_eq!(value.at(["b", "c"]), None);
    }
}
