//! `envoy.access_loggers.http_grpc` and `envoy.access_loggers.tcp_grpc`: entries are sent to an
//! access log service, many in one message. Loggers with one configuration share one stream per
//! worker, as in Envoy.
//! Envoy's page: "gRPC access logs" (`envoy.extensions.access_loggers.grpc.v3`).

mod batch;
mod config;
mod service;
mod wire;

pub use config::{HttpGrpcAccessLogger, TcpGrpcAccessLogger};

use nuncio_observe::{AccessLogger, AccessLoggerSpec, FormatCx};
use nuncio_worker::Worker;
use service::{LocalLogService, LogService};
use std::rc::Rc;
use std::sync::Arc;
use wire::EntrySpec;

/// Where entries are sent, and what they say.
struct GrpcLogSpec {
    service: Arc<LogService>,
    entry: Arc<EntrySpec>,
}

impl AccessLoggerSpec for GrpcLogSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn AccessLogger> {
        Rc::new(GrpcLog {
            service: self.service.on(worker),
            entry: Arc::clone(&self.entry),
        })
    }
}

struct GrpcLog {
    service: Rc<LocalLogService>,
    entry: Arc<EntrySpec>,
}

impl AccessLogger for GrpcLog {
    fn log(&self, cx: &FormatCx<'_>) {
        self.service.log(cx.now, || self.entry.encode(cx));
    }
}
