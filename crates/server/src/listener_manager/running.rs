//! From an entry to sockets, and to workers that accept from them.

use super::ListenerManager;
use super::entry::Entry;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_listener::{ListenSockets, Listener, WorkerSocket};
use nuncio_worker::WorkerHandle;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// A listener and its sockets, if it has any.
pub(super) type Ready = (Arc<Listener>, Option<Rc<ListenSockets>>);

impl ListenerManager {
    /// Binds an entry's sockets, if it should have some and has none.
    pub(super) fn bind_entry(&self, entry: &mut Entry) -> Result<(), String> {
        let spec = entry.listener().spec();
        if entry.sockets().is_some() || !spec.bind_to_port {
            return Ok(());
        }
        let sockets = ListenSockets::bind(spec, self.context.workers.len()).map_err(|error| {
            self.stats.listener_create_failure().inc();
            log!(
                logger::CONFIG,
                Level::Error,
                "listener '{}' failed to bind or apply socket options: {error}",
                entry.name()
            );
            error.to_string()
        })?;
        entry.set_sockets(sockets);
        Ok(())
    }

    /// Begins to queue connections; whether that went well.
    pub(super) fn listen(&self, entry: &Entry) -> bool {
        let spec = entry.listener().spec();
        let sockets = entry.sockets();
        let Some(Err(error)) = sockets.as_ref().map(|sockets| sockets.listen(spec)) else {
            return true;
        };
        self.stats.listener_create_failure().inc();
        log!(
            logger::CONFIG,
            Level::Error,
            "final pre-worker listener init for listener '{}' failed: {error}",
            entry.name()
        );
        false
    }

    /// Begins to queue connections of all listeners; where that fails a listener goes.
    pub(super) fn listen_all(&self) -> Vec<Ready> {
        let mut active = self.active.borrow_mut();
        let mut ready = Vec::with_capacity(active.len());
        while let Some(entry) = active.get(ready.len()) {
            if self.listen(entry) {
                ready.push((Arc::clone(entry.listener()), entry.sockets()));
            } else {
                active.remove(ready.len());
            }
        }
        ready
    }

    /// Runs an entry while main goes on.
    pub(super) fn run_soon(self: &Rc<Self>, entry: &Entry) {
        if self.listen(entry) {
            let ready = vec![(Arc::clone(entry.listener()), entry.sockets())];
            let this = Rc::clone(self);
            self.worker.spawn(async move { this.run(ready).await });
        }
    }

    /// Runs listeners on all workers, which start at the same time.
    pub(super) async fn run(self: &Rc<Self>, listeners: Vec<Ready>) {
        let mut running = Vec::new();
        for (index, worker) in self.context.workers.iter().enumerate() {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            running.push(receiver);
            let (this, worker, own) = (Rc::clone(self), worker.clone(), listeners.clone());
            self.worker.spawn(async move {
                this.run_on(&worker, index, own).await;
                // Main may be ending.
                let _ = sender.send(());
            });
        }
        for receiver in running {
            // An error means that main is ending.
            let _ = receiver.await;
        }
    }

    async fn run_on(&self, worker: &WorkerHandle, index: usize, listeners: Vec<Ready>) {
        let mut batch = Vec::with_capacity(listeners.len());
        for (listener, sockets) in listeners {
            let own: io::Result<Vec<WorkerSocket>> = match &sockets {
                Some(sockets) => sockets.of_worker(index),
                None => Ok(Vec::new()),
            };
            match own {
                Ok(own) => batch.push((listener, own)),
                Err(error) => self.count_start(&listener, Err(error)),
            }
        }
        let names: Vec<_> = batch
            .iter()
            .map(|(listener, _)| Arc::clone(listener))
            .collect();
        let results = Listener::start_all(worker, batch).await;
        for (listener, result) in names.iter().zip(results) {
            self.count_start(listener, result);
        }
    }

    fn count_start(&self, listener: &Listener, result: io::Result<()>) {
        match result {
            Ok(()) => self.stats.listener_create_success().inc(),
            Err(error) => {
                self.stats.listener_create_failure().inc();
                let name = &listener.spec().name;
                log!(
                    logger::CONFIG,
                    Level::Critical,
                    "listener '{name}' does not run on a worker: {error}"
                );
            }
        }
    }
}
