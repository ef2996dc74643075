//! A listener's access logs: a line per connection (`Listener.access_log`).

use crate::spec::ListenerSpec;
use nuncio_observe::{AccessLog, AccessLogType, FormatCx};
use nuncio_stream_info::{ConnectionInfo, ResponseFlag, StreamInfo, Summary};
use nuncio_worker::Worker;
use std::rc::Rc;

/// The access logs of one listener on one worker.
#[derive(Clone)]
pub(crate) struct Logs(Rc<[AccessLog]>);

impl Logs {
    pub fn new(worker: &Rc<Worker>, spec: &ListenerSpec) -> Self {
        let logs = spec.access_logs.iter();
        Self(logs.map(|log| log.localize(worker)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A connection found no filter chain.
    pub fn no_chain(&self, worker: &Worker, info: ConnectionInfo) {
        if self.is_empty() {
            return;
        }
        let mut stream = Rc::new(info).to_stream();
        stream.set_flag(ResponseFlag::NoRouteFound);
        stream.response_code_details = Some("filter_chain_not_found".into());
        self.log(worker, stream);
    }

    /// A connection's listener filters did not let it in.
    pub fn refused(&self, worker: &Worker, info: ConnectionInfo) {
        if !self.is_empty() {
            self.log(worker, Rc::new(info).to_stream());
        }
    }

    /// A connection has ended. Its filter may have left what it knew.
    pub fn end(&self, worker: &Worker, info: Rc<ConnectionInfo>) {
        let stream = match info.summary.take() {
            Summary::Given(stream) => *stream,
            Summary::Wanted | Summary::Unwanted => info.to_stream(),
        };
        self.log(worker, stream);
    }

    fn log(&self, worker: &Worker, mut stream: StreamInfo) {
        stream.timings.end = Some(worker.now());
        FormatCx::with(worker, &stream, AccessLogType::NotSet, |cx| {
            self.0.iter().for_each(|log| log.log(cx));
        });
    }
}
