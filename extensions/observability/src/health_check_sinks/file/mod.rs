//! `envoy.health_check.event_sink.file`: a line of JSON per event, in a file.

mod config;
mod wire;

pub use config::FileSink;

use nuncio_observe::access_log::AccessLogFile;
use nuncio_upstream::health_check::{HealthEvent, HealthEventSink};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use wire::json;

/// A file of events.
struct FileEvents {
    file: Arc<AccessLogFile>,
}

impl HealthEventSink for FileEvents {
    fn log(&self, worker: &Rc<Worker>, event: &HealthEvent<'_>) {
        let line = json(event);
        self.file.local(worker).append(worker.now(), |out| {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        });
    }
}
