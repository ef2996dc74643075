//! Responses counted by status code, the way routers and virtual clusters do: the stats of a code
//! come into being with its first response.
//!
//! One of these serves a prefix: `cluster.NAME.`, and below it `external.`, `internal.`,
//! `canary.`, `zone.FROM.TO.`, or a virtual cluster's (Envoy's "Cluster manager / Statistics").

use std::cell::OnceCell;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::histogram::{HistogramCells, MergedHistogram, Unit};
use crate::source::{Kind, Reading, Source, Value};
use crate::store::{Key, StoreCore};

const FIRST_CODE: u16 = 100;
const CODES: usize = 500;
const CLASSES: usize = 5;
const PER_CLASS: usize = CODES / CLASSES;
// Indices of stats: the codes 100 to 599, their classes, codes out of range, the total, the time.
const CLASS: usize = CODES;
const UNKNOWN: usize = CLASS + CLASSES;
const COMPLETED: usize = UNKNOWN + 1;
const COUNTERS: usize = COMPLETED + 1;
const TIME: usize = COUNTERS;

/// A prefix's responses by status code, shared by all threads.
#[derive(Clone)]
pub struct ResponseCodes {
    core: Arc<Core>,
}

/// One worker's handle.
#[derive(Clone)]
pub struct LocalResponseCodes {
    local: Rc<Local>,
}

struct Local {
    core: Arc<Core>,
    block: OnceCell<Arc<Block>>,
}

/// One worker's counts.
#[derive(Default)]
struct Block {
    codes: [OnceLock<Box<[AtomicU64; PER_CLASS]>>; CLASSES],
    unknown: AtomicU64,
    time: OnceLock<Box<HistogramCells>>,
}

struct Core {
    key: Key,
    store: Arc<StoreCore>,
    /// Whether `upstream_rq_completed` is shown; else its owner counts it.
    shows_completed: bool,
    merged: Mutex<Merged>,
}

struct Merged {
    blocks: Vec<Arc<Block>>,
    reset_at: Option<Box<[u64; COUNTERS]>>,
    time: MergedHistogram,
}

impl ResponseCodes {
    pub(crate) fn new(store: &Arc<StoreCore>, prefix: &Arc<str>, shows_completed: bool) -> Self {
        let key = Key::response_codes(prefix);
        let core = store.get_or_insert(&key, || Core {
            key: key.clone(),
            store: store.clone(),
            shows_completed,
            merged: Mutex::new(Merged {
                blocks: Vec::new(),
                reset_at: None,
                time: MergedHistogram::new(Unit::Milliseconds),
            }),
        });
        Self { core }
    }

    /// The calling worker's handle. Make it once per worker.
    pub fn local(&self) -> LocalResponseCodes {
        let local = Local {
            core: self.core.clone(),
            block: OnceCell::new(),
        };
        LocalResponseCodes {
            local: Rc::new(local),
        }
    }
}

impl LocalResponseCodes {
    /// Counts a response: its code, its class and `upstream_rq_completed`.
    pub fn count(&self, status: u16) {
        let block = self.block();
        let cell = match usize::from(status.wrapping_sub(FIRST_CODE)) {
            code @ 0..CODES => {
                let class = block.codes[code / PER_CLASS]
                    .get_or_init(|| Box::new([const { AtomicU64::new(0) }; PER_CLASS]));
                &class[code % PER_CLASS]
            }
            _ => &block.unknown,
        };
        cell.store(cell.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Records `upstream_rq_time`.
    pub fn record_time(&self, milliseconds: u64) {
        let cells = self
            .block()
            .time
            .get_or_init(|| Box::new(HistogramCells::new()));
        cells.record_alone(milliseconds);
    }

    fn block(&self) -> &Block {
        self.local.block.get_or_init(|| {
            let mut merged = self.local.core.merged();
            // As in `group`: a block that only the list holds is taken over.
            for block in &mut merged.blocks {
                if Arc::get_mut(block).is_some() {
                    return block.clone();
                }
            }
            let block = Arc::new(Block::default());
            merged.blocks.push(block.clone());
            block
        })
    }
}

impl Block {
    fn class_cells(&self, class: usize) -> impl Iterator<Item = &AtomicU64> {
        self.codes[class]
            .get()
            .into_iter()
            .flat_map(|cells| cells.iter())
    }

    fn counter(&self, index: usize) -> u64 {
        let sum = |class| {
            self.class_cells(class)
                .fold(0u64, |sum, c| sum + c.load(Relaxed))
        };
        match index {
            CLASS..UNKNOWN => sum(index - CLASS),
            UNKNOWN => self.unknown.load(Relaxed),
            COMPLETED => (0..CLASSES).map(sum).sum::<u64>() + self.unknown.load(Relaxed),
            code => {
                let class = self.codes[code / PER_CLASS].get();
                class.map_or(0, |cells| cells[code % PER_CLASS].load(Relaxed))
            }
        }
    }
}

impl Core {
    fn merged(&self) -> MutexGuard<'_, Merged> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Merged {
    fn counter(&self, index: usize) -> u64 {
        self.blocks.iter().map(|block| block.counter(index)).sum()
    }
}

impl Source for Core {
    fn key(&self) -> &Key {
        &self.key
    }

    fn each(&self, visit: &mut dyn FnMut(u16, Kind, &str)) {
        let merged = self.merged();
        if merged.blocks.is_empty() {
            return;
        }
        let mut name = String::new();
        let mut show = |index: usize, kind| {
            name.clear();
            push_name(index, &mut name);
            visit(index as u16, kind, &name);
        };
        for class in (0..CLASSES).filter(|class| merged.counter(CLASS + class) > 0) {
            show(CLASS + class, Kind::Counter);
            let codes = class * PER_CLASS..(class + 1) * PER_CLASS;
            codes
                .filter(|code| merged.counter(*code) > 0)
                .for_each(|code| show(code, Kind::Counter));
        }
        for index in [UNKNOWN, COMPLETED] {
            let is_shown = index != COMPLETED || self.shows_completed;
            if is_shown && merged.counter(index) > 0 {
                show(index, Kind::Counter);
            }
        }
        if merged.blocks.iter().any(|block| block.time.get().is_some()) {
            show(TIME, Kind::Histogram(Unit::Milliseconds));
        }
    }

    fn push_name(&self, index: u16, name: &mut String) {
        push_name(index.into(), name);
    }

    fn read(&self, index: u16) -> Reading {
        let index = usize::from(index);
        let merged = self.merged();
        if index == TIME {
            let time = merged.time.clone();
            return Reading {
                used: time.used(),
                value: Value::Histogram(Box::new(time)),
            };
        }
        let since = merged
            .reset_at
            .as_ref()
            .map_or(0, |reset_at| reset_at[index]);
        let value = merged.counter(index).wrapping_sub(since);
        Reading {
            used: true,
            value: Value::Counter(value),
        }
    }

    fn reset_counters(&self) {
        let mut merged = self.merged();
        if !merged.blocks.is_empty() {
            let mut reset_at = Box::new([0; COUNTERS]);
            for (index, at) in reset_at.iter_mut().enumerate() {
                *at = merged.counter(index);
            }
            merged.reset_at = Some(reset_at);
        }
    }

    fn merge_histograms(&self) {
        let mut merged = self.merged();
        let Merged { blocks, time, .. } = &mut *merged;
        time.merge(
            blocks
                .iter()
                .filter_map(|block| block.time.get().map(|cells| &**cells)),
        );
    }
}

fn push_name(index: usize, name: &mut String) {
    // Writing to a string does not fail.
    let _ = match index {
        TIME => write!(name, "upstream_rq_time"),
        COMPLETED => write!(name, "upstream_rq_completed"),
        UNKNOWN => write!(name, "upstream_rq_unknown"),
        CLASS..UNKNOWN => write!(name, "upstream_rq_{}xx", index - CLASS + 1),
        code => write!(name, "upstream_rq_{}", code + usize::from(FIRST_CODE)),
    };
}

impl Drop for Core {
    fn drop(&mut self) {
        self.store.forget(&self.key);
    }
}
