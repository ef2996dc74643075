//! The filter.

use bytes::Bytes;
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_worker::Worker;
use std::rc::Rc;

/// Makes filters that send one response.
#[derive(Clone)]
pub struct DirectResponseFactory {
    response: Bytes,
}

impl DirectResponseFactory {
    /// Makes filters that send `response`, which may be empty.
    pub fn new(response: Bytes) -> Self {
        Self { response }
    }
}

impl NetworkFilterFactory for DirectResponseFactory {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(self.clone())
    }
}

impl LocalNetworkFilterFactory for DirectResponseFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(DirectResponse(self.response.clone()))
    }
}

struct DirectResponse(Bytes);

impl NetworkFilter for DirectResponse {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        let sent = self.0.len() as u64;
        cx.info().summarize(|stream| {
            stream.bytes_sent = sent;
            stream.response_code_details = Some("direct_response".into());
        });
        cx.out().push(self.0.clone());
        cx.close(Close::Flush);
        FilterStatus::StopIteration
    }
}
