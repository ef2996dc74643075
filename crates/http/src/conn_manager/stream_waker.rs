//! Tells which of a connection's streams was woken, so that the others are not polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// A stream's waker: wakes its connection's task, which looks at the flag.
pub(super) struct StreamWaker {
    flag: Arc<Flag>,
    /// The same, as filters see it.
    waker: Waker,
}

struct Flag {
    is_set: AtomicBool,
    task: Waker,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // While the flag is set the task has been woken and has not yet looked.
        if !self.is_set.swap(true, Ordering::AcqRel) {
            self.task.wake_by_ref();
        }
    }
}

impl StreamWaker {
    /// A waker for a stream of the task with this waker; its stream has a turn due.
    pub fn new(task: &Waker) -> Self {
        let flag = Arc::new(Flag {
            is_set: AtomicBool::new(true),
            task: task.clone(),
        });
        let waker = Waker::from(Arc::clone(&flag));
        Self { flag, waker }
    }

    /// Gives the stream a turn, when its connection is having one.
    pub fn set(&self) {
        self.flag.is_set.store(true, Ordering::Release);
    }

    /// Whether the stream has a turn due; it is being given now.
    pub fn take(&self) -> bool {
        self.flag.is_set.load(Ordering::Acquire) && self.flag.is_set.swap(false, Ordering::AcqRel)
    }

    /// What the stream is polled with.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }
}
