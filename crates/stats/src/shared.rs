//! Single stats that any thread may write: for what is rare or only the main thread counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::histogram::{HistogramCells, MergedHistogram, Unit};
use crate::source::{Kind, Reading, Source, Value};
use crate::store::{Key, StoreCore};

/// One stat with a full name of its own.
struct Single<T: Content> {
    key: Key,
    store: Arc<StoreCore>,
    content: T,
}

trait Content: Send + Sync + 'static {
    fn kind(&self) -> Kind;
    fn read(&self) -> Reading;
    fn reset_counter(&self) {}
    fn merge_histogram(&self) {}
}

impl<T: Content> Single<T> {
    fn shared(store: &Arc<StoreCore>, name: Arc<str>, content: T) -> Arc<Self> {
        let key = Key::single(content.kind(), &name);
        store.get_or_insert(&key, || Single {
            key: key.clone(),
            store: store.clone(),
            content,
        })
    }
}

impl<T: Content> Source for Single<T> {
    fn key(&self) -> &Key {
        &self.key
    }

    fn each(&self, visit: &mut dyn FnMut(u16, Kind, &str)) {
        visit(0, self.content.kind(), "");
    }

    fn push_name(&self, _index: u16, _name: &mut String) {}

    fn read(&self, _index: u16) -> Reading {
        self.content.read()
    }

    fn reset_counters(&self) {
        self.content.reset_counter();
    }

    fn merge_histograms(&self) {
        self.content.merge_histogram();
    }
}

impl<T: Content> Drop for Single<T> {
    fn drop(&mut self) {
        self.store.forget(&self.key);
    }
}

#[derive(Default)]
struct CounterContent {
    value: AtomicU64,
    used: AtomicBool,
}

impl Content for CounterContent {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn read(&self) -> Reading {
        Reading {
            used: self.used.load(Relaxed),
            value: Value::Counter(self.value.load(Relaxed)),
        }
    }

    fn reset_counter(&self) {
        self.value.store(0, Relaxed);
    }
}

/// A counter that any thread may write.
#[derive(Clone)]
pub struct SharedCounter(Arc<Single<CounterContent>>);

impl SharedCounter {
    pub(crate) fn new(store: &Arc<StoreCore>, name: Arc<str>) -> Self {
        Self(Single::shared(store, name, CounterContent::default()))
    }

    /// Adds 1.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.content.value.fetch_add(amount, Relaxed);
        self.0.content.used.store(true, Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.content.value.load(Relaxed)
    }
}

#[derive(Default)]
struct GaugeContent {
    value: AtomicU64,
    used: AtomicBool,
}

impl Content for GaugeContent {
    fn kind(&self) -> Kind {
        Kind::Gauge
    }

    fn read(&self) -> Reading {
        Reading {
            used: self.used.load(Relaxed),
            value: Value::Gauge(self.value.load(Relaxed)),
        }
    }
}

/// A gauge that any thread may write.
#[derive(Clone)]
pub struct SharedGauge(Arc<Single<GaugeContent>>);

impl SharedGauge {
    pub(crate) fn new(store: &Arc<StoreCore>, name: Arc<str>) -> Self {
        Self(Single::shared(store, name, GaugeContent::default()))
    }

    /// Adds 1.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Subtracts 1.
    pub fn dec(&self) {
        self.sub(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.content.value.fetch_add(amount, Relaxed);
        self.0.content.used.store(true, Relaxed);
    }

    /// Subtracts `amount`; the value stops at 0.
    pub fn sub(&self, amount: u64) {
        // The closure never refuses, so there is no error to look at.
        let _ = self
            .0
            .content
            .value
            .fetch_update(Relaxed, Relaxed, |value| Some(value.saturating_sub(amount)));
        self.0.content.used.store(true, Relaxed);
    }

    /// Sets the value.
    pub fn set(&self, value: u64) {
        self.0.content.value.store(value, Relaxed);
        self.0.content.used.store(true, Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.content.value.load(Relaxed)
    }
}

struct HistogramContent {
    unit: Unit,
    cells: HistogramCells,
    merged: Mutex<MergedHistogram>,
}

impl HistogramContent {
    fn merged(&self) -> MutexGuard<'_, MergedHistogram> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content for HistogramContent {
    fn kind(&self) -> Kind {
        Kind::Histogram(self.unit)
    }

    fn read(&self) -> Reading {
        let merged = self.merged().clone();
        Reading {
            used: merged.used(),
            value: Value::Histogram(Box::new(merged)),
        }
    }

    fn merge_histogram(&self) {
        self.merged().merge(std::iter::once(&self.cells));
    }
}

/// A histogram that any thread may write.
#[derive(Clone)]
pub struct SharedHistogram(Arc<Single<HistogramContent>>);

impl SharedHistogram {
    pub(crate) fn new(store: &Arc<StoreCore>, name: Arc<str>, unit: Unit) -> Self {
        let content = HistogramContent {
            unit,
            cells: HistogramCells::new(),
            merged: Mutex::new(MergedHistogram::new(unit)),
        };
        Self(Single::shared(store, name, content))
    }

    /// Records one value, in the histogram's unit.
    pub fn record(&self, value: u64) {
        self.0.content.cells.record_shared(value);
    }
}

#[derive(Default)]
struct TextContent {
    text: Mutex<Option<String>>,
}

impl TextContent {
    fn text(&self) -> MutexGuard<'_, Option<String>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content for TextContent {
    fn kind(&self) -> Kind {
        Kind::TextReadout
    }

    fn read(&self) -> Reading {
        let text = self.text().clone();
        Reading {
            used: text.is_some(),
            value: Value::TextReadout(text.unwrap_or_default()),
        }
    }
}

/// A text that any thread may write.
#[derive(Clone)]
pub struct SharedTextReadout(Arc<Single<TextContent>>);

impl SharedTextReadout {
    pub(crate) fn new(store: &Arc<StoreCore>, name: Arc<str>) -> Self {
        Self(Single::shared(store, name, TextContent::default()))
    }

    /// Sets the text.
    pub fn set(&self, text: &str) {
        *self.0.content.text() = Some(text.to_owned());
    }
}
