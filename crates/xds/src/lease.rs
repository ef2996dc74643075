//! What main keeps for values of the workers: a route configuration's subscription, for as long as
//! a listener on any worker has its routes.

use nuncio_worker::{Worker, WorkerHandle};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// What is kept, by number: a service of the main worker.
#[derive(Default)]
struct Kept {
    last: Cell<u64>,
    values: RefCell<HashMap<u64, Rc<dyn Any>>>,
}

/// Keeps a value on main until it is dropped, on whatever thread.
pub struct Lease {
    main: WorkerHandle,
    number: u64,
}

impl Lease {
    /// Has `main` keep a value.
    pub fn new(main: &Rc<Worker>, value: Rc<dyn Any>) -> Arc<Self> {
        let kept = main.services().get_or_default::<Kept>();
        let number = kept.last.get() + 1;
        kept.last.set(number);
        kept.values.borrow_mut().insert(number, value);
        Arc::new(Self {
            main: main.handle().clone(),
            number,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let number = self.number;
        self.main.post(move |main| {
            let kept = main.services().get_or_default::<Kept>();
            // Dropped after the table is free again: the value may hold leases itself.
            let value = kept.values.borrow_mut().remove(&number);
            drop(value);
        });
    }
}
