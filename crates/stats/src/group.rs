//! A component's stats: named once by a static list, counted per worker, summed when read.
//!
//! A worker's counts live in a block of cells that only this worker writes, so that an increment
//! is a plain load, add and store. A block is made at the first write: a cluster without traffic
//! has none.

use std::any::TypeId;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::handles::{Counter, Gauge, Histogram};
use crate::histogram::{HistogramCells, MergedHistogram, Unit};
use crate::source::{Kind, Reading, Source, Value};
use crate::store::{Key, StoreCore};

/// The names of a group's stats, in the order of their cells.
pub struct GroupShape {
    /// Counters.
    pub counters: &'static [&'static str],
    /// Gauges; their cells follow the counters'.
    pub gauges: &'static [&'static str],
    /// Histograms.
    pub histograms: &'static [(&'static str, Unit)],
}

/// A struct made by [`stat_group!`](crate::stat_group): one worker's handle to a group of stats.
pub trait StatGroup: Clone + 'static {
    /// [`LocalCells`] of the right size.
    type Cells: Cells;
    /// The names.
    const SHAPE: GroupShape;
    /// Wraps one worker's cells.
    fn from_cells(cells: Rc<Self::Cells>) -> Self;
}

/// Sealed: implemented by [`LocalCells`] only.
pub trait Cells: Sized + 'static + sealed::Sealed {}

mod sealed {
    use super::{Arc, Key, StoreCore};

    /// What [`super::Group`] needs to know of a [`super::LocalCells`] of any size.
    pub trait Sealed {
        /// What workers share.
        type Core: Send + Sync + 'static;
        fn core(
            store: &Arc<StoreCore>,
            key: Key,
            shape: &'static super::GroupShape,
        ) -> Arc<Self::Core>;
        fn local(core: Arc<Self::Core>) -> Self;
    }
}

/// A group of stats under one scope, shared by all threads. Made by
/// [`Scope::group`](crate::Scope::group); its stats are shown until it and all its locals are gone.
pub struct Group<G: StatGroup> {
    core: Arc<<G::Cells as sealed::Sealed>::Core>,
}

impl<G: StatGroup> Group<G> {
    pub(crate) fn new(store: &Arc<StoreCore>, prefix: &Arc<str>) -> Self {
        let key = Key::group(TypeId::of::<G>(), prefix);
        Self {
            core: <G::Cells as sealed::Sealed>::core(store, key, const { &G::SHAPE }),
        }
    }

    /// The calling worker's handle. Make it once per worker, not per connection or request: each
    /// local that is alive and was written to has cells of its own.
    pub fn local(&self) -> G {
        G::from_cells(Rc::new(sealed::Sealed::local(self.core.clone())))
    }
}

impl<G: StatGroup> Clone for Group<G> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
        }
    }
}

/// One worker's cells: `N` counters and gauges, `H` histograms.
pub struct LocalCells<const N: usize, const H: usize> {
    block: OnceCell<Arc<Block<N, H>>>,
    core: Arc<GroupCore<N, H>>,
}

struct Block<const N: usize, const H: usize> {
    cells: [AtomicU64; N],
    histograms: [OnceLock<Box<HistogramCells>>; H],
}

/// What all threads share of a group.
pub struct GroupCore<const N: usize, const H: usize> {
    key: Key,
    store: Arc<StoreCore>,
    shape: &'static GroupShape,
    // Locked when a worker writes to the group for the first time, and by readers.
    merged: Mutex<Merged<N, H>>,
}

struct Merged<const N: usize, const H: usize> {
    blocks: Vec<Arc<Block<N, H>>>,
    /// Most groups have none: there are thousands of them that are never written to.
    kept: Option<Box<Kept<N, H>>>,
}

/// What is kept of a group besides its blocks.
#[derive(Default)]
struct Kept<const N: usize, const H: usize> {
    /// What counters had reached at the last `/reset_counters`.
    reset_at: Option<Box<[u64; N]>>,
    histograms: Option<Box<[MergedHistogram; H]>>,
}

impl<const N: usize, const H: usize> Cells for LocalCells<N, H> {}

impl<const N: usize, const H: usize> sealed::Sealed for LocalCells<N, H> {
    type Core = GroupCore<N, H>;

    fn core(store: &Arc<StoreCore>, key: Key, shape: &'static GroupShape) -> Arc<Self::Core> {
        assert!(
            shape.counters.len() + shape.gauges.len() == N && shape.histograms.len() == H,
            "stat_group! counts names and cells alike"
        );
        store.clone().get_or_insert(&key, || GroupCore {
            key: key.clone(),
            store: store.clone(),
            shape,
            merged: Mutex::new(Merged {
                blocks: Vec::new(),
                kept: None,
            }),
        })
    }

    fn local(core: Arc<Self::Core>) -> Self {
        Self {
            block: OnceCell::new(),
            core,
        }
    }
}

impl<const N: usize, const H: usize> LocalCells<N, H> {
    #[inline(always)]
    fn block(&self) -> &Block<N, H> {
        match self.block.get() {
            Some(block) => block,
            None => self.attach(),
        }
    }

    /// The first write: takes a block over from a local that is gone, counts and all, or makes one.
    #[cold]
    #[inline(never)]
    fn attach(&self) -> &Block<N, H> {
        self.block.get_or_init(|| {
            let mut merged = self.core.merged();
            // `get_mut` tells whether only this list holds the block, and orders the former
            // owner's writes before ours.
            for block in &mut merged.blocks {
                if Arc::get_mut(block).is_some() {
                    return block.clone();
                }
            }
            let block = Arc::new(Block {
                cells: [const { AtomicU64::new(0) }; N],
                histograms: [const { OnceLock::new() }; H],
            });
            merged.blocks.push(block.clone());
            block
        })
    }

    /// The counter at this place of the list.
    #[doc(hidden)]
    #[inline(always)]
    pub fn counter(&self, index: usize) -> Counter<'_> {
        Counter::new(&self.block().cells[index])
    }

    /// The gauge at this place of the list, counted from the first counter.
    #[doc(hidden)]
    #[inline(always)]
    pub fn gauge(&self, index: usize) -> Gauge<'_> {
        Gauge::new(&self.block().cells[index])
    }

    /// The histogram at this place of the list.
    #[doc(hidden)]
    #[inline(always)]
    pub fn histogram(&self, index: usize) -> Histogram<'_> {
        Histogram::new(&self.block().histograms[index])
    }
}

impl<const N: usize, const H: usize> GroupCore<N, H> {
    fn merged(&self) -> MutexGuard<'_, Merged<N, H>> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const N: usize, const H: usize> Source for GroupCore<N, H> {
    fn key(&self) -> &Key {
        &self.key
    }

    fn each(&self, visit: &mut dyn FnMut(u16, Kind, &str)) {
        let counters = self
            .shape
            .counters
            .iter()
            .map(|name| (Kind::Counter, *name));
        let gauges = self.shape.gauges.iter().map(|name| (Kind::Gauge, *name));
        let histograms = self
            .shape
            .histograms
            .iter()
            .map(|(n, unit)| (Kind::Histogram(*unit), *n));
        for (index, (kind, name)) in counters.chain(gauges).chain(histograms).enumerate() {
            visit(index as u16, kind, name);
        }
    }

    fn push_name(&self, index: u16, name: &mut String) {
        let index = usize::from(index);
        let counters = self.shape.counters.len();
        name.push_str(if index < counters {
            self.shape.counters[index]
        } else if index < N {
            self.shape.gauges[index - counters]
        } else {
            self.shape.histograms[index - N].0
        });
    }

    fn read(&self, index: u16) -> Reading {
        let index = usize::from(index);
        let merged = self.merged();
        let cells = merged.blocks.iter().map(|block| &block.cells);
        if index < self.shape.counters.len() {
            let sum = cells.fold(0u64, |sum, c| sum.wrapping_add(c[index].load(Relaxed)));
            let reset_at = merged.kept.as_ref().and_then(|kept| kept.reset_at.as_ref());
            let since = reset_at.map_or(0, |reset_at| reset_at[index]);
            Reading {
                used: sum > 0,
                value: Value::Counter(sum.wrapping_sub(since)),
            }
        } else if index < N {
            let (mut used, mut sum) = (false, 0i64);
            for cells in cells {
                let (touched, part) = Gauge::decode(cells[index].load(Relaxed));
                used |= touched;
                sum = sum.wrapping_add(part);
            }
            Reading {
                used,
                value: Value::Gauge(sum.max(0) as u64),
            }
        } else {
            let (_, unit) = self.shape.histograms[index - N];
            let kept = merged.kept.as_ref();
            let all = kept.and_then(|kept| kept.histograms.as_ref());
            let one = all.map_or_else(|| MergedHistogram::new(unit), |all| all[index - N].clone());
            Reading {
                used: one.used(),
                value: Value::Histogram(Box::new(one)),
            }
        }
    }

    fn reset_counters(&self) {
        let mut merged = self.merged();
        if merged.blocks.is_empty() {
            return;
        }
        let mut reset_at = Box::new([0u64; N]);
        for (index, at) in reset_at
            .iter_mut()
            .enumerate()
            .take(self.shape.counters.len())
        {
            let cells = merged
                .blocks
                .iter()
                .map(|block| block.cells[index].load(Relaxed));
            *at = cells.fold(0, u64::wrapping_add);
        }
        merged.kept.get_or_insert_default().reset_at = Some(reset_at);
    }

    fn merge_histograms(&self) {
        if H == 0 {
            return;
        }
        let mut merged = self.merged();
        let Merged { blocks, kept } = &mut *merged;
        if blocks.is_empty() {
            return;
        }
        let new = |index: usize| MergedHistogram::new(self.shape.histograms[index].1);
        let histograms = &mut kept.get_or_insert_default().histograms;
        let all = histograms.get_or_insert_with(|| Box::new(std::array::from_fn(new)));
        for (index, one) in all.iter_mut().enumerate() {
            one.merge(
                blocks
                    .iter()
                    .filter_map(|block| block.histograms[index].get().map(|b| &**b)),
            );
        }
    }
}

impl<const N: usize, const H: usize> Drop for GroupCore<N, H> {
    fn drop(&mut self) {
        self.store.forget(&self.key);
    }
}

/// What a group without traffic takes up.
#[cfg(test)]
pub(crate) fn core_size<G: StatGroup>() -> usize {
    size_of::<<G::Cells as sealed::Sealed>::Core>()
}
