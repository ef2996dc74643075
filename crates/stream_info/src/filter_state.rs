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

/// Whether an upstream connection's own filter state has an object too (`shared_with_upstream`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sharing {
    /// It has not.
    #[default]
    None,
    /// It has, and those behind it have not.
    Once,
    /// It has, and those behind it.
    Transitive,
}

impl Sharing {
    /// As the object is shared from there.
    pub const fn next(self) -> Self {
        match self {
            Self::None | Self::Once => Self::None,
            Self::Transitive => Self::Transitive,
        }
    }
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

    /// What tells it from others, where connections to hosts are not shared by those for whom it
    /// differs.
    fn pool_key(&self) -> Option<&[u8]> {
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

/// Text that connections to hosts are told apart by: `envoy.hashable_string`.
pub struct KeyText(pub String);

impl FilterStateObject for KeyText {
    fn as_text(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn as_value(&self) -> Option<Value> {
        Some(Value::Text(self.0.as_str().into()))
    }

    fn pool_key(&self) -> Option<&[u8]> {
        Some(self.0.as_bytes())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Clone)]
struct Entry {
    name: Rc<str>,
    span: LifeSpan,
    sharing: Sharing,
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
        self.set_shared(name, span, Sharing::None, object);
    }

    /// As [`set`](Self::set), for an object that upstream connections get too.
    pub fn set_shared(
        &mut self,
        name: &str,
        span: LifeSpan,
        sharing: Sharing,
        object: Rc<dyn FilterStateObject>,
    ) {
        let entry = Entry {
            name: name.into(),
            span,
            sharing,
            object,
        };
        match self.entries.iter_mut().find(|entry| &*entry.name == name) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// What upstream connections get.
    pub fn shared(&self) -> impl Iterator<Item = SharedObject> {
        let shared = self.entries.iter();
        let shared = shared.filter(|entry| entry.sharing != Sharing::None);
        shared.map(|entry| SharedObject {
            name: Rc::clone(&entry.name),
            sharing: entry.sharing,
            object: Rc::clone(&entry.object),
        })
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
        Self {
            entries: self.entries.iter().filter(lives).cloned().collect(),
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

/// An object that upstream connections get too.
#[derive(Clone)]
pub struct SharedObject {
    /// Its name.
    pub name: Rc<str>,
    /// Whether those behind get it as well.
    pub sharing: Sharing,
    /// The object.
    pub object: Rc<dyn FilterStateObject>,
}
