//! What a worker lends by type: its cluster manager and the like. Filled once when the worker
//! starts, read when configuration is localized, not per request.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// One value per type.
#[derive(Default)]
pub struct Services(RefCell<HashMap<TypeId, Rc<dyn Any>>>);

impl Services {
    /// Adds a service; the last of a type counts.
    pub fn add<T: 'static>(&self, service: Rc<T>) {
        self.0.borrow_mut().insert(TypeId::of::<T>(), service);
    }

    /// The service of this type.
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let service = self.0.borrow().get(&TypeId::of::<T>()).cloned()?;
        service.downcast().ok()
    }

    /// The service of this type, made with its default where it is not there yet.
    pub fn get_or_default<T: Default + 'static>(&self) -> Rc<T> {
        self.get().unwrap_or_else(|| {
            let service = Rc::new(T::default());
            self.add(Rc::clone(&service));
            service
        })
    }
}
