//! Filter state: objects that filters leave for others, by name (Envoy's `FilterState`).

use nuncio_base::metadata::Value;
use std::any::Any;
use std::rc::Rc;

/// How long an object lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum LifeSpan {
    /// As long as the filter chain.
    FilterChain,
    /// As long as the request.
    Request,
    /// As long as the connection.
    Connection,
}

/// What can be kept as filter state.
pub trait FilterStateObject: Any {
    /// The object as text, for `%FILTER_STATE(name:PLAIN)%` and matchers.
    fn as_text(&self) -> Option<String> {
        None
    }

    /// The object as a JSON-like value, for `%FILTER_STATE(name)%` and `:TYPED`.
    fn as_value(&self) -> Option<Value> {
        None
    }

    /// One field of it as text, for `%FILTER_STATE(name:FIELD:field)%`.
    fn field(&self, _name: &str) -> Option<String> {
        None
    }

    /// The object itself.
    fn as_any(&self) -> &dyn Any;
}

/// Plain text: `envoy.string`.
pub struct Text(pub String);

impl FilterStateObject for Text {
    fn as_text(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn as_value(&self) -> Option<Value> {
        Some(Value::Text(self.0.as_str().into()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Entry {
    name: Rc<str>,
    span: LifeSpan,
    object: Rc<dyn FilterStateObject>,
}

/// Objects by name. There are few, so they are searched one by one.
#[derive(Default)]
pub struct FilterState {
    entries: Vec<Entry>,
}

impl FilterState {
    /// Sets an object, replacing one of that name.
    pub fn set(&mut self, name: &str, span: LifeSpan, object: Rc<dyn FilterStateObject>) {
        match self.entries.iter_mut().find(|entry| &*entry.name == name) {
            Some(entry) => (entry.span, entry.object) = (span, object),
            None => self.entries.push(Entry {
                name: name.into(),
                span,
                object,
            }),
        }
    }

    /// The object under `name`.
    pub fn get(&self, name: &str) -> Option<&Rc<dyn FilterStateObject>> {
        self.entries
            .iter()
            .find(|entry| &*entry.name == name)
            .map(|entry| &entry.object)
    }

    /// The object under `name`, as its type.
    pub fn get_as<T: FilterStateObject>(&self, name: &str) -> Option<&T> {
        self.get(name)
            .and_then(|object| object.as_any().downcast_ref())
    }

    /// The names and objects that live at least as long as `span`.
    pub fn iter(&self, span: LifeSpan) -> impl Iterator<Item = (&str, &Rc<dyn FilterStateObject>)> {
        let lives = move |entry: &&Entry| entry.span >= span;
        self.entries
            .iter()
            .filter(lives)
            .map(|entry| (&*entry.name, &entry.object))
    }

    /// A state with the objects that outlive the filter chain; they stay here too.
    pub fn beyond_chain(&self) -> Self {
        let lives = |entry: &&Entry| entry.span >= LifeSpan::Request;
        let copy = |entry: &Entry| Entry {
            name: Rc::clone(&entry.name),
            span: entry.span,
            object: Rc::clone(&entry.object),
        };
        Self {
            entries: self.entries.iter().filter(lives).map(copy).collect(),
        }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops everything, keeping the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
