//! `envoy.access_loggers.file`: one formatted line per moment, appended to a buffer that a thread
//! writes (`nuncio_observe::access_log`).
//! Envoy's page: "File access logs" (`envoy.extensions.access_loggers.file.v3`).

mod config;

pub use config::FileAccessLogger;
pub(super) use config::spec;

use nuncio_observe::access_log::{AccessLogFile, LocalFile};
use nuncio_observe::{AccessLogger, AccessLoggerSpec, FormatCx, Formatter};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Where lines go, and how they look.
pub struct FileLogSpec {
    /// The file, or a standard stream.
    pub file: Arc<AccessLogFile>,
    /// What a line says. Nothing is added to it: text formats bring their newline.
    pub format: Arc<Formatter>,
}

impl AccessLoggerSpec for FileLogSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn AccessLogger> {
        Rc::new(FileLog {
            file: self.file.local(worker),
            format: Arc::clone(&self.format),
        })
    }
}

struct FileLog {
    file: Rc<LocalFile>,
    format: Arc<Formatter>,
}

impl AccessLogger for FileLog {
    fn log(&self, cx: &FormatCx<'_>) {
        self.file.append(cx.now, |out| self.format.append(cx, out));
    }
}
