//! Changes to headers made one after the other
//! (`envoy.config.common.mutation_rules.v3.HeaderMutation`).

use crate::mutation::{Do, HeaderToAdd, HeaderValue, kind_of};
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, names};
use nuncio_matching::StringMatcher;
use nuncio_observe::Formatter;

/// One change.
#[derive(Clone, Debug)]
pub enum MutationStep {
    /// The header goes.
    Remove(HeaderName),
    /// All headers whose name matches go.
    RemoveMatching(StringMatcher),
    /// A header is added or overwritten.
    Add(HeaderToAdd),
}

/// Changes in order: each sees what the ones before it did.
#[derive(Clone, Debug, Default)]
pub struct MutationSteps(Box<[MutationStep]>);

impl MutationSteps {
    /// These changes, in order.
    pub fn new(steps: Vec<MutationStep>) -> Self {
        Self(steps.into())
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes `headers`. `format` appends a format's text to the bytes; `scratch` is memory for
    /// values.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        scratch: &mut Vec<u8>,
        mut format: impl FnMut(&Formatter, &HeaderMap, &mut Vec<u8>),
    ) {
        for step in &self.0 {
            match step {
                MutationStep::Remove(name) => {
                    headers.remove(name);
                    // A request's `host` is its `:authority`.
                    if name.known() == Some(names::HOST) {
                        headers.remove(names::AUTHORITY);
                    }
                }
                MutationStep::RemoveMatching(matcher) => {
                    headers.retain(|name, _| !matcher.matches(name));
                }
                MutationStep::Add(header) => {
                    scratch.clear();
                    let value = match &header.value {
                        HeaderValue::Literal(text) => text,
                        HeaderValue::Format(formatter) => {
                            format(formatter, headers, scratch);
                            &scratch[..]
                        }
                    };
                    header.apply(headers, value);
                }
            }
        }
    }
}

impl HeaderToAdd {
    fn apply(&self, headers: &mut HeaderMap, value: &[u8]) {
        if value.is_empty() && !self.keep_empty_value {
            return;
        }
        match self.decide(headers) {
            Do::Nothing => {}
            Do::Overwrite => headers.replace(&self.name, value),
            Do::Add => {
                headers.receive(&self.name, value, kind_of(headers));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::AppendAction;

    #[test]
    fn each_change_sees_the_ones_before() {
        let add = |name: &str, value: &str, action| {
            let value = HeaderValue::Literal(value.as_bytes().into());
            MutationStep::Add(HeaderToAdd::new(name, value, action, false).unwrap())
        };
        let steps = MutationSteps::new(vec![
            add("a", "1", AppendAction::AddIfAbsent),
            add("a", "2", AppendAction::AddIfAbsent),
            add("b", "1", AppendAction::AppendIfExistsOrAdd),
            MutationStep::Remove(HeaderName::new("B")),
            add("x-c", "1", AppendAction::AppendIfExistsOrAdd),
            add("x-d", "1", AppendAction::AppendIfExistsOrAdd),
            MutationStep::RemoveMatching(StringMatcher::prefix("x-", false)),
            MutationStep::Remove(HeaderName::new("Host")),
        ]);
        let mut headers = HeaderMap::from_iter([(":authority", "old")]);
        steps.apply(&mut headers, &mut Vec::new(), |_, _, _| {});
        assert_eq!(headers, HeaderMap::from_iter([("a", "1")]));
        assert!(!steps.is_empty() && MutationSteps::default().is_empty());
    }
}
