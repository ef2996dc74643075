//! The filter on one stream.

use nuncio_base::metadata::Value;
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// `http.<stat_prefix>.set_metadata.*`
    pub struct SetMetadataStats {
        counters { overwrite_denied }
    }
}

/// What is set under one namespace.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The namespace.
    pub namespace: String,
    /// Whether it is merged into what is there already; else that stays as it is.
    pub allow_overwrite: bool,
    /// The struct.
    pub value: Value,
}

/// The filter's configuration.
pub struct SetMetadataSpec {
    /// What is set, in order.
    pub entries: Arc<[Entry]>,
    /// What is counted.
    pub stats: Group<SetMetadataStats>,
}

impl HttpFilterSpec for SetMetadataSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalSetMetadata {
            entries: Arc::clone(&self.entries),
            stats: self.stats.local(),
        })))
    }
}

struct LocalSetMetadata {
    entries: Arc<[Entry]>,
    stats: SetMetadataStats,
}

impl HttpFilterFactory for LocalSetMetadata {
    type Filter = SetMetadataFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> SetMetadataFilter {
        SetMetadataFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct SetMetadataFilter(Rc<LocalSetMetadata>);

impl HttpFilter for SetMetadataFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let metadata = &mut cx.info().metadata;
        for entry in self.0.entries.iter() {
            match metadata.get(&entry.namespace) {
                None => metadata.set(&entry.namespace, entry.value.clone()),
                Some(known) if entry.allow_overwrite => {
                    let mut merged = known.clone();
                    update(&mut merged, &entry.value);
                    metadata.set(&entry.namespace, merged);
                }
                Some(_) => self.0.stats.overwrite_denied().inc(),
            }
        }
        HeadersStatus::Continue
    }
}

/// Merges a value into another: structs field by field, lists one behind the other; of all else,
/// and of different kinds, the new one counts.
pub fn update(old: &mut Value, new: &Value) {
    match (&mut *old, new) {
        (Value::Struct(old), Value::Struct(new)) => {
            let old = Arc::make_mut(old);
            for (name, value) in new.iter() {
                match old.get_mut(name) {
                    Some(known) => update(known, value),
                    None => {
                        old.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::List(old), Value::List(new)) => {
            *old = old.iter().chain(new.iter()).cloned().collect()
        }
        _ => *old = new.clone(),
    }
}
