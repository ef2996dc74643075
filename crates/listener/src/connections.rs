//! The tasks of one filter chain or listener on one worker, to be ended together.

use nuncio_base::slab::{Slab, SlabKey};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Tasks that end when they are told to.
#[derive(Default)]
pub(crate) struct Connections {
    closing: Cell<bool>,
    wakers: RefCell<Slab<Waker>>,
}

impl Connections {
    /// Ends all tasks, and those to come at once.
    pub fn close(&self) {
        self.closing.set(true);
        for (_, waker) in self.wakers.borrow_mut().iter_mut() {
            waker.wake_by_ref();
        }
    }

    /// `future` as one of these tasks; `guard` is dropped after it.
    pub fn add<F: Future<Output = ()> + Unpin, G: Unpin>(
        self: &Rc<Self>,
        future: F,
        guard: G,
    ) -> impl Future<Output = ()> + use<F, G> {
        Member {
            future,
            _guard: guard,
            connections: Rc::clone(self),
            key: None,
        }
    }
}

/// A task that its [`Connections`] may end. Fields are dropped in order: the future first.
struct Member<F, G> {
    future: F,
    _guard: G,
    connections: Rc<Connections>,
    key: Option<SlabKey>,
}

impl<F: Future<Output = ()> + Unpin, G: Unpin> Future for Member<F, G> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.connections.closing.get() {
            return Poll::Ready(());
        }
        if this.key.is_none() {
            // A spawned task has one waker for life.
            let waker = task.waker().clone();
            this.key = Some(this.connections.wakers.borrow_mut().insert(waker));
        }
        Pin::new(&mut this.future).poll(task)
    }
}

impl<F, G> Drop for Member<F, G> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.connections.wakers.borrow_mut().remove(key);
        }
    }
}
