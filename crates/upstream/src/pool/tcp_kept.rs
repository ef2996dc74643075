//! TCP connections of a pool that were made before anybody asked for them. Nothing is read from
//! them: what their peers say first is for whoever they will be given to.

use super::tcp::{Ready, TcpPool};
use nuncio_worker::Timer;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A connection that waits to be used, watched by the task that connected it.
struct Slot {
    ready: Cell<Option<Ready>>,
    /// Wakes the task.
    keeper: Waker,
}

/// The connections of a pool that wait to be used.
#[derive(Default)]
pub(super) struct Kept(RefCell<Vec<Rc<Slot>>>);

impl Kept {
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// The connection that was made last.
    pub fn take(&self) -> Option<Ready> {
        loop {
            let slot = self.0.borrow_mut().pop()?;
            slot.keeper.wake_by_ref();
            match slot.ready.take() {
                Some(ready) if !ready.has_ended() => return Some(ready),
                Some(mut ready) => ready.counted.remote_closed = true,
                None => {}
            }
        }
    }

    /// Closes them all.
    pub fn close(&self) {
        while self.take().is_some() {}
    }
}

impl TcpPool {
    /// Keeps a connection until it is taken, has ended, or was of no use for too long.
    pub(super) async fn keep(self: Rc<Self>, ready: Ready) {
        let mut end = pin!(ready.connected.transport.socket().watch_end());
        let keeper = std::future::poll_fn(|task| Poll::Ready(task.waker().clone())).await;
        let slot = Rc::new(Slot {
            ready: Cell::new(Some(ready)),
            keeper,
        });
        self.kept.0.borrow_mut().push(Rc::clone(&slot));
        let worker = &self.core.worker;
        let limit = self.core.spec().tcp_idle_timeout;
        let until = limit.map(|limit| worker.now() + limit);
        let mut timer = Timer::default();
        std::future::poll_fn(|task| {
            worker.tick();
            let Some(mut ready) = slot.ready.take() else {
                return Poll::Ready(());
            };
            if end.as_mut().poll(task).is_ready() {
                ready.counted.remote_closed = true;
            } else if timer.poll(worker, until, task).is_ready() {
                self.core.stats.upstream_cx_idle_timeout().inc();
            } else {
                slot.ready.set(Some(ready));
                return Poll::Pending;
            }
            self.kept
                .0
                .borrow_mut()
                .retain(|other| !Rc::ptr_eq(other, &slot));
            Poll::Ready(())
        })
        .await;
        timer.disarm(worker);
        self.connect_as_needed();
    }
}
