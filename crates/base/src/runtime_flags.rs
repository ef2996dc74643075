//! Envoy's runtime: key-value flags from layers, merged into one immutable snapshot.
//!
//! "Runtime" is Envoy's word for these flags (its `operations/runtime`); threads are workers.

use std::collections::{BTreeMap, HashMap};

/// One value as a layer gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum FlagValue {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Any text; one that is a number or a boolean counts as that.
    Text(String),
    /// `{numerator, denominator}`.
    Fraction(Fraction),
}

/// A share of requests: `numerator` of `denominator` (`envoy.type.v3.FractionalPercent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// How many.
    pub numerator: u32,
    /// Of how many: 100, 10,000 or 1,000,000.
    pub denominator: u32,
}

impl Fraction {
    /// All requests.
    pub const ALL: Self = Self {
        numerator: 100,
        denominator: 100,
    };

    /// Whether a request with this random number is among the share.
    pub fn holds(self, random: u64) -> bool {
        random % u64::from(self.denominator.max(1)) < u64::from(self.numerator)
    }
}

/// The layers merged: what components read. Immutable; a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct RuntimeFlags {
    values: HashMap<String, FlagValue>,
}

impl RuntimeFlags {
    /// Merges layers, the later one winning.
    pub fn merged<'a>(layers: impl IntoIterator<Item = &'a [(String, FlagValue)]>) -> Self {
        let mut values = HashMap::new();
        for layer in layers {
            values.extend(layer.iter().cloned());
        }
        Self { values }
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&FlagValue> {
        self.values.get(key)
    }

    /// Whether any key begins like this.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.values.keys().any(|key| key.starts_with(prefix))
    }

    /// Whether nothing is set, the common case.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A whole number, or `default` where the key is not set to one.
    pub fn integer(&self, key: &str, default: u64) -> u64 {
        match self.values.get(key) {
            Some(value) => whole(value).unwrap_or(default),
            None => default,
        }
    }

    /// A number, or `default`.
    pub fn number(&self, key: &str, default: f64) -> f64 {
        match self.values.get(key) {
            Some(FlagValue::Number(number)) => *number,
            Some(FlagValue::Text(text)) => text.trim().parse().unwrap_or(default),
            _ => default,
        }
    }

    /// A flag, or `default`.
    pub fn boolean(&self, key: &str, default: bool) -> bool {
        match self.values.get(key) {
            Some(FlagValue::Bool(value)) => *value,
            Some(FlagValue::Text(text)) => text.to_ascii_lowercase().parse().unwrap_or(default),
            _ => default,
        }
    }

    /// The fraction under `key` where it is set (a number is a percentage), or `default`.
    pub fn fraction(&self, key: &str, default: Fraction) -> Fraction {
        match self.values.get(key) {
            Some(FlagValue::Fraction(fraction)) => *fraction,
            Some(value) => whole(value).map_or(default, |percent| Fraction {
                numerator: u32::try_from(percent).unwrap_or(u32::MAX),
                denominator: 100,
            }),
            None => default,
        }
    }
}

/// The layers as `/runtime` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeView {
    /// The layers' names, lowest first.
    pub layers: Vec<String>,
    /// Per key the text in each layer, empty where a layer does not set it.
    pub entries: BTreeMap<String, Vec<String>>,
}

/// The whole part of what is, or reads as, a number that is not negative.
fn whole(value: &FlagValue) -> Option<u64> {
    let number = match value {
        FlagValue::Number(number) => *number,
        FlagValue::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Where it is beyond what fits, the cast gives the largest.
    (number >= 0.0).then_some(number as u64)
}

/// A fraction with the runtime key that may override it
/// (`envoy.config.core.v3.RuntimeFractionalPercent`).
#[derive(Clone, Debug)]
pub struct RuntimeFraction {
    /// The share where runtime says nothing.
    pub default: Fraction,
    /// The key, empty for none.
    pub key: String,
}

impl RuntimeFraction {
    /// The share that holds now.
    pub fn current(&self, flags: &RuntimeFlags) -> Fraction {
        if self.key.is_empty() {
            self.default
        } else {
            flags.fraction(&self.key, self.default)
        }
    }
}

/// A flag with the runtime key that may override it (`envoy.config.core.v3.RuntimeFeatureFlag`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeFlag {
    /// Its value where runtime says nothing.
    pub default: bool,
    /// The key, empty for none.
    pub key: String,
}

impl RuntimeFlag {
    /// The value that holds now.
    pub fn current(&self, flags: &RuntimeFlags) -> bool {
        if self.key.is_empty() {
            self.default
        } else {
            flags.boolean(&self.key, self.default)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_win_and_types_are_read_leniently() {
        let lower = [
            ("a".to_owned(), FlagValue::Number(5.0)),
            ("b".to_owned(), FlagValue::Bool(true)),
            ("c".to_owned(), FlagValue::Text("7".into())),
        ];
        let upper = [("a".to_owned(), FlagValue::Number(6.0))];
        let flags = RuntimeFlags::merged([&lower[..], &upper[..]]);
        assert_eq!(
            (
                flags.integer("a", 0),
                flags.integer("c", 0),
                flags.integer("x", 9)
            ),
            (6, 7, 9)
        );
        let text = |text: &str| {
            let layer = [("k".to_owned(), FlagValue::Text(text.to_owned()))];
            let flags = RuntimeFlags::merged([&layer[..]]);
            (
                flags.integer("k", 7),
                flags.fraction("k", Fraction::ALL).numerator,
            )
        };
        for (value, expected) in [
            ("0.5", (0, 0)),
            ("1e1", (10, 10)),
            (" 3", (3, 3)),
            ("-1", (7, 100)),
            ("true", (7, 100)),
            ("1e30", (u64::MAX, u32::MAX)),
        ] {
            assert_eq!(text(value), expected, "{value}");
        }
        assert!(flags.boolean("b", false) && !flags.boolean("a", false));
        let fraction = RuntimeFraction {
            default: Fraction::ALL,
            key: "a".into(),
        };
        assert_eq!(
            fraction.current(&flags),
            Fraction {
                numerator: 6,
                denominator: 100
            }
        );
        let held = (0..100)
            .filter(|n| fraction.current(&flags).holds(*n))
            .count();
        assert_eq!(held, 6);
    }
}
