//! A value of one worker that is lent out for the length of a call.

use std::cell::Cell;

/// Holds a value that callers take for a moment and put back; a nested borrower gets a fresh one,
/// so that nothing can panic or block. For scratch memory.
#[derive(Default)]
pub struct LocalSlot<T: Default>(Cell<T>);

impl<T: Default> LocalSlot<T> {
    /// A slot with a value.
    pub fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    /// Lends the value to `f`.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.take();
        let result = f(&mut value);
        self.0.set(value);
        result
    }
}
