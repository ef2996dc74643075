//! A configured chain on one worker, and its pool of used streams.

use crate::chain::state::StreamState;
use crate::chain::stream::{FilterStream, Slot};
use crate::config::StreamConfig;
use crate::factory::{ChainSpec, LocalFilter};
use nuncio_codec::HeaderPool;
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::rc::Rc;
use std::sync::Arc;

/// How many used streams a chain keeps for the next requests: as many as a few connections over
/// HTTP/2 have at a time.
const KEPT: usize = 512;

pub(crate) struct LocalEntry {
    pub name: Arc<str>,
    pub local: Rc<dyn LocalFilter>,
    pub disabled: bool,
}

/// A chain on one worker. A changed configuration makes a new one, so that a pooled stream always
/// fits its chain.
pub struct LocalChain {
    pub(crate) entries: Vec<LocalEntry>,
    names: Rc<[Arc<str>]>,
    worker: Rc<Worker>,
    pub(crate) header_pool: Rc<LocalSlot<HeaderPool>>,
    // Boxed, since streams are moved between the pool and their connection.
    #[allow(clippy::vec_box)]
    spare: LocalSlot<Vec<Box<FilterStream>>>,
}

impl LocalChain {
    /// Makes this worker's part of a chain.
    pub fn new(spec: &ChainSpec, worker: &Rc<Worker>) -> Rc<Self> {
        let entries = spec
            .filters
            .iter()
            .map(|entry| LocalEntry {
                name: Arc::clone(&entry.name),
                local: entry.spec.localize(worker),
                disabled: entry.disabled,
            })
            .collect();
        let names = spec.filters.iter().map(|entry| Arc::clone(&entry.name));
        Rc::new(Self {
            names: names.collect(),
            entries,
            header_pool: worker.services().get_or_default(),
            worker: Rc::clone(worker),
            spare: LocalSlot::default(),
        })
    }

    /// The worker of this chain.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The index of the filter that routes address by `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| &*entry.name == name)
    }

    pub(crate) fn take(
        self: &Rc<Self>,
        config: &Rc<StreamConfig>,
        info: StreamInfo,
    ) -> Box<FilterStream> {
        let config = Rc::clone(config);
        match self.spare.with(Vec::pop) {
            Some(mut stream) => {
                stream.chain = Some(Rc::clone(self));
                stream.state.renew(config, info, self.entries.len());
                for (slot, entry) in stream.slots.iter_mut().zip(&self.entries) {
                    // It was made new when it was given back.
                    if entry.local.changes() {
                        entry.local.renew(&mut slot.filter);
                    }
                    slot.hooks = entry.local.hooks();
                    slot.off = entry.disabled;
                }
                stream
            }
            None => self.create(config, info),
        }
    }

    fn create(self: &Rc<Self>, config: Rc<StreamConfig>, info: StreamInfo) -> Box<FilterStream> {
        let slots: Vec<_> = self
            .entries
            .iter()
            .map(|entry| Slot {
                filter: entry.local.create(),
                hooks: entry.local.hooks(),
                off: entry.disabled,
            })
            .collect();
        let worker = Rc::clone(&self.worker);
        let mut state = StreamState::new(config, info, worker, Rc::clone(&self.names));
        state.request.open(slots.len());
        state.response.open(slots.len());
        Box::new(FilterStream {
            state,
            slots,
            chain: Some(Rc::clone(self)),
        })
    }

    pub(crate) fn give(&self, mut stream: Box<FilterStream>) {
        // What the stream holds of others goes now, its own memory stays.
        for (slot, entry) in stream.slots.iter_mut().zip(&self.entries) {
            entry.local.renew(&mut slot.filter);
        }
        stream.state.release();
        self.spare.with(|spare| {
            if spare.len() < KEPT {
                spare.push(stream);
            }
        });
    }
}
