//! A running connection in its listener's books.

use crate::listener::Admission;
use crate::local::LocalListener;
use crate::logs::Logs;
use nuncio_base::time::millis;
use nuncio_stream_info::{ConnectionInfo, Summary};
use std::rc::Rc;
use std::time::Instant;

/// A connection that has a filter chain, as stats and logs count it.
pub(crate) struct Active {
    listener: Rc<LocalListener>,
    start: Instant,
    logs: Logs,
    /// For the logs.
    info: Option<Rc<ConnectionInfo>>,
    _admission: Admission,
}

impl Active {
    pub fn new(
        listener: &Rc<LocalListener>,
        admission: Admission,
        info: &ConnectionInfo,
        logs: &Logs,
    ) -> Self {
        listener.stats.downstream_cx_total().inc();
        listener.stats.downstream_cx_active().inc();
        if let Some(stats) = &listener.worker_stats {
            stats.downstream_cx_total().inc();
            stats.downstream_cx_active().inc();
        }
        Self {
            listener: Rc::clone(listener),
            start: info.start,
            logs: logs.clone(),
            info: None,
            _admission: admission,
        }
    }

    /// The connection's facts are complete.
    pub fn begin(&mut self, info: &Rc<ConnectionInfo>) {
        if !self.logs.is_empty() {
            info.summary.set(Summary::Wanted);
            self.info = Some(Rc::clone(info));
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let stats = &self.listener.stats;
        stats.downstream_cx_active().dec();
        stats.downstream_cx_destroy().inc();
        if let Some(stats) = &self.listener.worker_stats {
            stats.downstream_cx_active().dec();
        }
        let worker = self.listener.worker();
        let length = worker.now().saturating_duration_since(self.start);
        stats.downstream_cx_length_ms().record(millis(length));
        if let Some(info) = self.info.take() {
            self.logs.end(worker, info);
        }
    }
}
