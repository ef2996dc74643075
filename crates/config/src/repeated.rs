//! Settings that most clusters or listeners have alike, held once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Gives a value that is like the last one the last one's place in memory. For what is made once
/// for each cluster, listener or route, mostly from defaults; not for the data path: it locks.
#[derive(Debug, Default)]
pub struct Repeated<T>(Mutex<Weak<T>>);

impl<T: PartialEq> Repeated<T> {
    /// There was none yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The value, in memory of its own only where the last one differs or is gone.
    pub fn share(&self, value: T) -> Arc<T> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.upgrade().filter(|last| **last == value) {
            return last;
        }
        let own = Arc::new(value);
        *last = Arc::downgrade(&own);
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_last_has_memory_of_its_own() {
        let repeated = Repeated::new();
        let first = repeated.share("a".to_owned());
        assert!(Arc::ptr_eq(&first, &repeated.share("a".to_owned())));
        let other = repeated.share("b".to_owned());
        assert_eq!(*other, "b");
        assert!(!Arc::ptr_eq(&first, &repeated.share("a".to_owned())));
        drop((first, other));
        assert_eq!(*repeated.share("c".to_owned()), "c");
    }
}
