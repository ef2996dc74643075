//! Settings of HTTP filters at a route, a virtual host, a weighted cluster or a table
//! (`typed_per_filter_config`), parsed.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What one level says to one filter.
#[derive(Clone)]
pub struct FilterOverride {
    /// The filter's own settings for this level, of the type its factory made them; `None` where
    /// the level only turns the filter on or off.
    pub config: Option<Arc<dyn Any + Send + Sync>>,
    /// Whether the filter is turned off here (`true`), turned on (`false`), or left as the chain
    /// has it (`envoy.config.route.v3.FilterConfig`).
    pub disabled: Option<bool>,
}

impl fmt::Debug for FilterOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterOverride")
            .field("has_config", &self.config.is_some())
            .field("disabled", &self.disabled)
            .finish()
    }
}

/// What one level says to filters, by the filters' names. There are few: they are compared one by
/// one, and by a number instead of the name once [`RouteTable::filter_names`] is known.
///
/// [`RouteTable::filter_names`]: crate::table::RouteTable::filter_names
#[derive(Clone, Debug, Default)]
pub struct FilterConfigs(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    name: Arc<str>,
    number: u32,
    value: FilterOverride,
}

impl FilterConfigs {
    /// What is said to each filter, by name.
    pub fn new(entries: impl IntoIterator<Item = (String, FilterOverride)>) -> Self {
        let entry = |(name, value): (String, FilterOverride)| Entry {
            name: name.into(),
            number: u32::MAX,
            value,
        };
        Self(entries.into_iter().map(entry).collect())
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is said to the filter of this name.
    pub fn get(&self, name: &str) -> Option<&FilterOverride> {
        let is_named = |entry: &&Entry| &*entry.name == name;
        self.0.iter().find(is_named).map(|entry| &entry.value)
    }

    /// What is said to each filter, by the filter's number in the table.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &FilterOverride)> {
        self.0
            .iter()
            .map(|entry| (entry.number as usize, &entry.value))
    }

    /// Gives each name its number in the table's list, adding new names to the list.
    pub(crate) fn number(&mut self, names: &mut Vec<Arc<str>>) {
        for entry in &mut self.0 {
            let at = match names.iter().position(|name| *name == entry.name) {
                Some(at) => at,
                None => {
                    names.push(entry.name.clone());
                    names.len() - 1
                }
            };
            entry.name = names[at].clone();
            entry.number = at as u32;
        }
    }
}
