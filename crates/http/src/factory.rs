//! How a chain gets its filters: spec (all workers) → local (one worker) → filter (one stream).

use crate::filter::{Hooks, HttpFilter};
use nuncio_worker::Worker;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// A configured filter, the same for all workers.
pub trait HttpFilterSpec: Send + Sync + 'static {
    /// This worker's part: stat handles, clusters, caches.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter>;
}

/// A configured filter on one worker, as its author writes it.
pub trait HttpFilterFactory: 'static {
    /// What runs on a stream.
    type Filter: HttpFilter;

    /// The callbacks the filter has.
    fn hooks(&self) -> Hooks;

    /// A filter for a new stream.
    fn create(self: &Rc<Self>) -> Self::Filter;
}

/// A configured filter on one worker, as the chain sees it.
pub trait LocalFilter {
    /// The callbacks the filter has.
    fn hooks(&self) -> Hooks;

    /// A filter for a new chain.
    fn create(&self) -> Box<dyn HttpFilter>;

    /// Makes a used filter a new one in its place: no state can bleed into the next stream, and
    /// nothing is allocated.
    fn renew(&self, filter: &mut Box<dyn HttpFilter>);

    /// Whether filters may have become other ones since they were made new.
    fn changes(&self) -> bool {
        false
    }
}

/// Turns a factory into what the chain sees.
pub struct Local<F>(pub Rc<F>);

impl<F: HttpFilterFactory> LocalFilter for Local<F> {
    fn hooks(&self) -> Hooks {
        self.0.hooks()
    }

    fn create(&self) -> Box<dyn HttpFilter> {
        Box::new(self.0.create())
    }

    fn renew(&self, filter: &mut Box<dyn HttpFilter>) {
        match (&mut **filter as &mut dyn Any).downcast_mut::<F::Filter>() {
            Some(slot) => *slot = self.0.create(),
            None => *filter = self.create(),
        }
    }
}

/// One filter of a configured chain.
#[derive(Clone)]
pub struct FilterEntry {
    /// The name by which routes address it (`typed_per_filter_config`).
    pub name: Arc<str>,
    /// The filter.
    pub spec: Arc<dyn HttpFilterSpec>,
    /// Off unless a route turns it on.
    pub disabled: bool,
}

/// A configured chain, the same for all workers; the last filter is terminal.
#[derive(Clone, Default)]
pub struct ChainSpec {
    /// The filters, first to last.
    pub filters: Vec<FilterEntry>,
}
