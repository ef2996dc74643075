//! What is asked of hosts' metadata, and which hosts have it.

use super::Keys;
use nuncio_base::metadata::{Fields, Value};
use nuncio_upstream::Host;
use std::hash::{Hash, Hasher};

/// Values that hosts must have, by name.
pub(crate) type Criteria = Fields;

/// What a host says of itself under `envoy.lb`.
pub(crate) fn fields(host: &Host) -> Option<&Criteria> {
    match host.metadata()?.get("envoy.lb")? {
        Value::Struct(fields) => Some(fields),
        _ => None,
    }
}

/// Whether a host has all of these; where `list_as_any`, one of a list will do.
pub(crate) fn has(host: &Host, criteria: &Criteria, list_as_any: bool) -> bool {
    let fields = fields(host);
    criteria.iter().all(|(name, wanted)| {
        let found = fields.and_then(|fields| fields.get(name));
        match found {
            Some(Value::List(values)) if list_as_any => values.contains(wanted),
            found => found == Some(wanted),
        }
    })
}

/// The values of a host under some keys: one list of them, or more where a host's lists stand for
/// each of their values; none where it lacks a key.
pub(crate) fn values(host: &Host, keys: &Keys, list_as_any: bool) -> Vec<Vec<ValueKey>> {
    let Some(fields) = fields(host) else {
        return Vec::new();
    };
    let mut all = vec![Vec::with_capacity(keys.len())];
    for key in keys {
        match fields.get(key) {
            None => return Vec::new(),
            Some(Value::List(values)) if list_as_any => {
                let longer = |path: &Vec<ValueKey>| {
                    let path = path.clone();
                    values.iter().map(move |value| {
                        let mut path = path.clone();
                        path.push(ValueKey(value.clone()));
                        path
                    })
                };
                all = all.iter().flat_map(longer).collect();
            }
            Some(value) => all
                .iter_mut()
                .for_each(|path| path.push(ValueKey(value.clone()))),
        }
    }
    all
}

/// A value to look up by. Numbers are the same where their bits are.
#[derive(Clone, Debug)]
pub(crate) struct ValueKey(pub Value);

impl PartialEq for ValueKey {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Number(one), Value::Number(other)) => one.to_bits() == other.to_bits(),
            (one, other) => one == other,
        }
    }
}

impl Eq for ValueKey {}

impl Hash for ValueKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

fn hash<H: Hasher>(value: &Value, state: &mut H) {
    std::mem::discriminant(value).hash(state);
    match value {
        Value::Null => {}
        Value::Bool(value) => value.hash(state),
        Value::Number(value) => value.to_bits().hash(state),
        Value::Text(value) => value.hash(state),
        Value::List(values) => values.iter().for_each(|value| hash(value, state)),
        Value::Struct(fields) => {
            for (name, value) in fields.iter() {
                name.hash(state);
                hash(value, state);
            }
        }
    }
}
