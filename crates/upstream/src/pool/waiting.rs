//! Streams that wait for a connection of a pool, in order, up to `max_pending_requests`.

use super::PoolFailure;
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::resource::{Priority, Resource};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// One that waits for a `T`; shared between it and the pool.
pub(crate) struct Waiter<T> {
    answer: Cell<Option<Result<T, PoolFailure>>>,
    waker: RefCell<Option<Waker>>,
}

impl<T> Waiter<T> {
    /// The pool's answer, once it is there.
    pub fn poll(&self, task: &Context<'_>) -> Poll<Result<T, PoolFailure>> {
        if let Some(answer) = self.answer.take() {
            return Poll::Ready(answer);
        }
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(task.waker()),
            None => *waker = Some(task.waker().clone()),
        }
        Poll::Pending
    }

    /// What was answered and not taken.
    pub fn untaken(&self) -> Option<Result<T, PoolFailure>> {
        self.answer.take()
    }

    fn answer(&self, answer: Result<T, PoolFailure>) {
        self.answer.set(Some(answer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The waiting streams of a pool.
pub(crate) struct Waiting<T> {
    core: Rc<ClusterCore>,
    host: Arc<Host>,
    priority: Priority,
    queue: RefCell<VecDeque<Rc<Waiter<T>>>>,
}

impl<T> Waiting<T> {
    pub fn new(core: &Rc<ClusterCore>, host: &Arc<Host>, priority: Priority) -> Self {
        Self {
            core: Rc::clone(core),
            host: Arc::clone(host),
            priority,
            queue: RefCell::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Joins the queue, unless the circuit breaker is open.
    pub fn join(&self) -> Result<Rc<Waiter<T>>, PoolFailure> {
        let stats = &self.core.stats;
        if !self.core.try_take(self.priority, Resource::PendingRequests) {
            stats.upstream_rq_pending_overflow().inc();
            return Err(PoolFailure::overflow(false));
        }
        stats.upstream_rq_pending_total().inc();
        stats.upstream_rq_pending_active().inc();
        self.host.stats().rq_pending_active.inc();
        let waiter = Rc::new(Waiter {
            answer: Cell::new(None),
            waker: RefCell::new(None),
        });
        self.queue.borrow_mut().push_back(Rc::clone(&waiter));
        Ok(waiter)
    }

    /// Gives `value` to the one that has waited longest; gives it back where nobody waits.
    pub fn serve(&self, value: T) -> Option<T> {
        let Some(waiter) = self.queue.borrow_mut().pop_front() else {
            return Some(value);
        };
        self.left();
        waiter.answer(Ok(value));
        None
    }

    /// Fails everybody who waits now.
    pub fn fail_all(&self, failure: &PoolFailure) {
        // Who comes back at once waits for the next connection.
        let queue = std::mem::take(&mut *self.queue.borrow_mut());
        for waiter in queue {
            self.left();
            self.core.stats.upstream_rq_pending_failure_eject().inc();
            waiter.answer(Err(failure.clone()));
        }
    }

    /// Leaves the queue before the pool answered; whether it was still in it.
    pub fn cancel(&self, waiter: &Rc<Waiter<T>>) -> bool {
        let mut queue = self.queue.borrow_mut();
        let Some(at) = queue.iter().position(|other| Rc::ptr_eq(other, waiter)) else {
            return false;
        };
        queue.remove(at);
        drop(queue);
        self.left();
        self.core.stats.upstream_rq_cancelled().inc();
        true
    }

    fn left(&self) {
        self.core.give(self.priority, Resource::PendingRequests);
        self.core.stats.upstream_rq_pending_active().dec();
        self.host.stats().rq_pending_active.dec();
    }
}
