//! Field paths: where in a message something is, through lists, maps and `Any`s.

use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field, by its name in the proto.
    Field(&'static str),
    /// An element of a list, from 0.
    Index(usize),
    /// An entry of a map.
    Key(Box<str>),
}

/// A path such as `static_resources.listeners[0].filter_chains[0].filters[0].typed_config.rds`.
///
/// Pushing and popping fields and indexes allocates nothing once the path has grown. An `Any` or a
/// `TypedStruct` is no step: the path goes on with the fields of the message it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath {
    steps: Vec<Step>,
}

impl FieldPath {
    /// The path of the message itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes into a field.
    pub fn push(&mut self, field: &'static str) {
        self.steps.push(Step::Field(field));
    }

    /// Goes into an element of the list that the path ends in.
    pub fn push_index(&mut self, index: usize) {
        self.steps.push(Step::Index(index));
    }

    /// Goes into an entry of the map that the path ends in.
    pub fn push_key(&mut self, key: &str) {
        self.steps.push(Step::Key(key.into()));
    }

    /// Goes back one step.
    pub fn pop(&mut self) {
        self.steps.pop();
    }

    /// The number of steps; `truncate` goes back to it.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it is the path of the message itself.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Goes back to the first `len` steps.
    pub fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// This path followed by `inner`.
    pub fn join(&self, inner: &Self) -> Self {
        let steps = self.steps.iter().chain(&inner.steps).cloned().collect();
        Self { steps }
    }

    /// Whether this path is `other` or leads to it.
    pub fn is_prefix_of(&self, other: &Self) -> bool {
        other.steps.starts_with(&self.steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}
