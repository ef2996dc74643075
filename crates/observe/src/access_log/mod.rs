//! Access logs: what is logged, and where to.
//!
//! A spec is made from config on the main thread, its local once per worker; a line is formatted
//! and handed over where the stream ends. Logging never waits.

mod file;
mod filter;
mod flusher;
mod manager;

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod filter_tests;

use crate::format_cx::FormatCx;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

pub use file::{AccessLogFile, LocalFile, SharedFile};
pub use filter::{Comparison, ComparisonOp, LogFilter, SampledFraction};
pub use manager::{AccessLogManager, Destination, FlushSettings};

/// Writes log lines on one worker.
pub trait AccessLogger {
    /// Logs one moment of a stream. Called on the data path: it must not block.
    fn log(&self, cx: &FormatCx<'_>);
}

/// A logger as config describes it.
pub trait AccessLoggerSpec: Send + Sync {
    /// The logger of one worker.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn AccessLogger>;
}

/// An access log as config describes it (`envoy.config.accesslog.v3.AccessLog`).
#[derive(Clone)]
pub struct AccessLogSpec {
    /// What is logged; `None`: everything.
    pub filter: Option<Arc<LogFilter>>,
    /// Where to.
    pub logger: Arc<dyn AccessLoggerSpec>,
}

impl AccessLogSpec {
    /// The access log of one worker.
    pub fn localize(&self, worker: &Rc<Worker>) -> AccessLog {
        AccessLog {
            filter: self.filter.clone(),
            logger: self.logger.localize(worker),
        }
    }
}

/// An access log of one worker.
#[derive(Clone)]
pub struct AccessLog {
    filter: Option<Arc<LogFilter>>,
    logger: Rc<dyn AccessLogger>,
}

impl AccessLog {
    /// Logs, if the filter lets it.
    pub fn log(&self, cx: &FormatCx<'_>) {
        if self.filter.as_ref().is_none_or(|filter| filter.passes(cx)) {
            self.logger.log(cx);
        }
    }
}
