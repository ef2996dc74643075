//! What a worker does less of while the process is short of something (Envoy's overload actions,
//! `arch_overview/operations/overload_manager`). Main decides, workers are told by message.

use nuncio_worker::Worker;
use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// How much of it is shed, from 0 to 1.
type Share = f64;

/// An action that workers carry out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shedding {
    /// Requests are answered 503.
    Requests,
    /// Responses end their connections.
    KeepAlive,
    /// Connections that were accepted are closed.
    Connections,
    /// Connections wait in the sockets' queues.
    Accepting,
}

/// A worker's state: a worker service.
#[derive(Default)]
pub struct Overload {
    shares: [Cell<Share>; 4],
    /// Those who accept, while they don't.
    waiting: RefCell<Vec<Waker>>,
}

impl Overload {
    /// How much is shed from now on.
    pub fn set(&self, what: Shedding, share: Share) {
        self.share(what).set(share);
        if !self.is_full(Shedding::Accepting) {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Whether this one is shed.
    pub fn sheds(&self, what: Shedding, worker: &Worker) -> bool {
        let share = self.share(what).get();
        share > 0.0 && (share >= 1.0 || is_below(worker.random(), share))
    }

    /// Ready while connections are accepted; else the task is woken when they are again.
    pub fn poll_accepting(&self, task: &mut Context<'_>) -> Poll<()> {
        if !self.is_full(Shedding::Accepting) {
            return Poll::Ready(());
        }
        self.waiting.borrow_mut().push(task.waker().clone());
        Poll::Pending
    }

    fn is_full(&self, what: Shedding) -> bool {
        self.share(what).get() >= 1.0
    }

    fn share(&self, what: Shedding) -> &Cell<Share> {
        &self.shares[what as usize]
    }
}

/// Whether random bits, taken as a number from 0 to 1, are below it.
fn is_below(bits: u64, share: Share) -> bool {
    ((bits >> 32) as Share) / ((1_u64 << 32) as Share) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share() {
        for (bits, share, expected) in [
            (0, 0.5, true),
            (u64::MAX, 0.99, false),
            (1 << 62, 0.3, true),
            (1 << 62, 0.2, false),
        ] {
            assert_eq!(is_below(bits, share), expected, "{bits} {share}");
        }
    }

    #[test]
    fn who_waits_to_accept_is_woken() {
        let overload = Overload::default();
        let mut task = Context::from_waker(Waker::noop());
        assert!(overload.poll_accepting(&mut task).is_ready());
        overload.set(Shedding::Accepting, 1.0);
        assert!(overload.poll_accepting(&mut task).is_pending());
        overload.set(Shedding::Requests, 1.0);
        assert_eq!(overload.waiting.borrow().len(), 1);
        overload.set(Shedding::Accepting, 0.0);
        assert!(overload.waiting.borrow().is_empty());
        assert!(overload.poll_accepting(&mut task).is_ready());
    }
}
