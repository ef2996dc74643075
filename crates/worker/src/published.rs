//! A value that main replaces and every worker reads without atomics: `Published` on main,
//! `Current` on a worker.

use crate::mailbox::WorkerHandle;
use crate::worker::Worker;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A worker's reference to a published value: a stream holds it for as long as it needs that
/// version. Cloning and reading touch no atomic.
// The inner `Arc` lets a stream hand the value on; the outer `Rc` spares it the atomics.
#[allow(clippy::redundant_allocation)]
pub struct Held<T>(Rc<Arc<T>>);

impl<T> Held<T> {
    /// The worker's own reference.
    #[allow(clippy::redundant_allocation)]
    pub fn local(&self) -> &Rc<Arc<T>> {
        &self.0
    }

    /// The value, to be shared beyond this worker.
    pub fn shared(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<Arc<T>> for Held<T> {
    fn from(value: Arc<T>) -> Self {
        Self(Rc::new(value))
    }
}

/// A worker's view of a [`Published`] value.
pub struct Current<T>(Rc<RefCell<Held<T>>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Current<T> {
    /// The newest version that reached this worker.
    pub fn get(&self) -> Held<T> {
        self.0.borrow().clone()
    }
}

/// Where a worker keeps its views, by the number of the published value.
#[derive(Default)]
pub(crate) struct Views(RefCell<HashMap<u64, Rc<dyn std::any::Any>>>);

struct Shared<T> {
    number: u64,
    /// The newest version, for workers and views that come later. Locked on config changes only.
    newest: std::sync::Mutex<Arc<T>>,
    workers: Vec<WorkerHandle>,
}

/// A value that main publishes to all workers; clones publish the same value.
pub struct Published<T>(Arc<Shared<T>>);

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> Published<T> {
    /// Publishes a first version to `workers`.
    pub fn new(value: Arc<T>, workers: Vec<WorkerHandle>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Shared {
            number,
            newest: std::sync::Mutex::new(value),
            workers,
        }))
    }

    /// The newest version.
    pub fn newest(&self) -> Arc<T> {
        Arc::clone(
            &self
                .0
                .newest
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Replaces the value: each worker sees it when it comes to the message, in order with all
    /// other messages. The value before it is given back, to be freed elsewhere than on workers
    /// where it is large ([`retire`](crate::retire)).
    pub fn publish(&self, value: Arc<T>) -> Arc<T> {
        let newest = self.0.newest.lock();
        let mut newest = newest.unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = std::mem::replace(&mut *newest, Arc::clone(&value));
        drop(newest);
        let number = self.0.number;
        for worker in &self.0.workers {
            let value = Arc::clone(&value);
            worker.post(move |worker| {
                if let Some(view) = find::<T>(worker, number) {
                    *view.borrow_mut() = Held::from(value);
                }
            });
        }
        old
    }

    /// This worker's view, made on first use.
    pub fn on(&self, worker: &Worker) -> Current<T> {
        if let Some(view) = find::<T>(worker, self.0.number) {
            return Current(view);
        }
        let view = Rc::new(RefCell::new(Held::from(self.newest())));
        worker
            .views()
            .0
            .borrow_mut()
            .insert(self.0.number, view.clone());
        Current(view)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let number = self.number;
        for worker in &self.workers {
            worker.post(move |worker| {
                worker.views().0.borrow_mut().remove(&number);
            });
        }
    }
}

fn find<T: 'static>(worker: &Worker, number: u64) -> Option<Rc<RefCell<Held<T>>>> {
    let view = worker.views().0.borrow().get(&number).cloned()?;
    view.downcast::<RefCell<Held<T>>>().ok()
}
