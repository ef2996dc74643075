//! Messages from main to a worker: run in order, on the worker's thread.

use crate::worker::{Worker, WorkerId};
use std::rc::Rc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What a worker is asked to do.
pub(crate) type Message = Box<dyn FnOnce(&Rc<Worker>) + Send>;

/// The sending end of a worker's mailbox. Messages are config changes, which main paces, so the
/// queue needs no bound of its own.
#[derive(Clone)]
pub struct WorkerHandle {
    id: WorkerId,
    sender: UnboundedSender<Message>,
}

impl WorkerHandle {
    pub(crate) fn new(id: WorkerId) -> (Self, UnboundedReceiver<Message>) {
        let (sender, receiver) = unbounded_channel();
        (Self { id, sender }, receiver)
    }

    /// Which worker this is.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Has `run` called on the worker, after everything posted before it. A worker that has ended
    /// drops it.
    pub fn post(&self, run: impl FnOnce(&Rc<Worker>) + Send + 'static) {
        // An ended worker has nothing left to change.
        let _ = self.sender.send(Box::new(run));
    }

    /// As [`post`](Self::post), and resolves with what `run` returned; `None` if the worker ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Rc<Worker>) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.post(move |worker| {
            // The asker may have gone; the work is done all the same.
            let _ = sender.send(run(worker));
        });
        receiver.await.ok()
    }
}
