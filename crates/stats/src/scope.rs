//! A name prefix under which stats are made.

use std::fmt;
use std::sync::Arc;

use crate::group::{Group, StatGroup};
use crate::histogram::Unit;
use crate::response_codes::ResponseCodes;
use crate::sanitize;
use crate::shared::{SharedCounter, SharedGauge, SharedHistogram, SharedTextReadout};
use crate::store::StoreCore;

/// A name prefix. Stats of the same kind and full name are one stat, however often they are asked
/// for, and are shown as long as one handle to them lives.
#[derive(Clone)]
pub struct Scope {
    store: Arc<StoreCore>,
    /// Ends with a dot, or is empty.
    prefix: Arc<str>,
}

impl Scope {
    pub(crate) fn root(store: &Arc<StoreCore>) -> Self {
        Self {
            store: store.clone(),
            prefix: "".into(),
        }
    }

    /// The scope named `name` below this one. Colons become underscores.
    pub fn scope(&self, name: &str) -> Scope {
        let name = sanitize::stat_name(name);
        let prefix = if name.is_empty() {
            self.prefix.clone()
        } else {
            joined([&self.prefix, &name, "."])
        };
        Scope {
            store: self.store.clone(),
            prefix,
        }
    }

    /// What stat names of this scope begin with: ends with a dot, or is empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A group of stats counted per worker.
    pub fn group<G: StatGroup>(&self) -> Group<G> {
        Group::new(&self.store, &self.prefix)
    }

    /// Responses by status code: `upstream_rq_200`, `upstream_rq_2xx`, `upstream_rq_completed`
    /// and `upstream_rq_time`, shown once there are any.
    pub fn response_codes(&self) -> ResponseCodes {
        ResponseCodes::new(&self.store, &self.prefix, true)
    }

    /// As [`response_codes`](Self::response_codes), without `upstream_rq_completed`: for whom that
    /// is a counter of a group, shown from the beginning.
    pub fn response_codes_without_total(&self) -> ResponseCodes {
        ResponseCodes::new(&self.store, &self.prefix, false)
    }

    /// A counter that any thread may write.
    pub fn counter(&self, name: &str) -> SharedCounter {
        SharedCounter::new(&self.store, self.full_name(name))
    }

    /// A gauge that any thread may write.
    pub fn gauge(&self, name: &str) -> SharedGauge {
        SharedGauge::new(&self.store, self.full_name(name))
    }

    /// A histogram that any thread may write.
    pub fn histogram(&self, name: &str, unit: Unit) -> SharedHistogram {
        SharedHistogram::new(&self.store, self.full_name(name), unit)
    }

    /// A text that any thread may write.
    pub fn text_readout(&self, name: &str) -> SharedTextReadout {
        SharedTextReadout::new(&self.store, self.full_name(name))
    }

    fn full_name(&self, name: &str) -> Arc<str> {
        joined([&self.prefix, name, ""])
    }
}

/// Made for each cluster and listener a dozen times: cheaper than by formatting.
fn joined(parts: [&str; 3]) -> Arc<str> {
    let mut name = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        name.push_str(part);
    }
    name.into()
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.prefix).finish()
    }
}
