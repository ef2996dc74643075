//! What filters wait for: futures that belong to their stream or connection, polled inside its
//! turn and dropped with it. `D` is what a finished call asks to be done with its filter.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Names a pending call, to cancel it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallId(u64);

struct Call<D> {
    id: CallId,
    owner: usize,
    future: Pin<Box<dyn Future<Output = D>>>,
}

/// The calls of all filters of one chain; no memory is held while there are none.
pub struct PendingCalls<D> {
    calls: Vec<Call<D>>,
    next: u64,
}

impl<D> Default for PendingCalls<D> {
    fn default() -> Self {
        Self {
            calls: Vec::new(),
            next: 0,
        }
    }
}

impl<D> PendingCalls<D> {
    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds a call of the filter at index `owner`.
    pub fn add(&mut self, owner: usize, future: impl Future<Output = D> + 'static) -> CallId {
        self.next += 1;
        let id = CallId(self.next);
        self.calls.push(Call {
            id,
            owner,
            future: Box::pin(future),
        });
        id
    }

    /// Drops a call; nothing happens where it has finished.
    pub fn cancel(&mut self, id: CallId) {
        self.calls.retain(|call| call.id != id);
    }

    /// Drops all calls.
    pub fn clear(&mut self) {
        self.calls.clear();
    }

    /// The next call that has finished: whose it was, and what is to be done.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<(usize, D)> {
        for at in 0..self.calls.len() {
            if let Poll::Ready(done) = self.calls[at].future.as_mut().poll(task) {
                let call = self.calls.remove(at);
                return Poll::Ready((call.owner, done));
            }
        }
        Poll::Pending
    }
}
