//! The filter.

use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// The filter as configured: there is nothing to configure.
pub struct OriginalDstSpec;

impl ListenerFilterFactory for OriginalDstSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalListenerFilterFactory for OriginalDstSpec {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(OriginalDstFilter)
    }
}

struct OriginalDstFilter;

impl ListenerFilter for OriginalDstFilter {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        if let Some(destination) = candidate.socket.original_destination() {
            let remote = candidate.info.remote_address.clone();
            candidate.info.restore(destination.into(), remote);
        }
        Box::pin(std::future::ready(ListenerFilterStatus::Continue))
    }
}
