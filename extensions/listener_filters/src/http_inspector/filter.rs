//! The filter.

use nuncio_codec::http_preface::{PREFACE_BYTES, Preface, inspect};
use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

stat_group! {
    /// `http_inspector.*`
    pub struct InspectorStats {
        counters {
            http10_found,
            http11_found,
            http2_found,
            http_not_found,
            read_error,
        }
    }
}

/// The filter as configured.
pub struct InspectorSpec {
    /// What it counts.
    pub stats: Group<InspectorStats>,
}

impl ListenerFilterFactory for InspectorSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(LocalInspector(self.stats.local()))
    }
}

struct LocalInspector(InspectorStats);

impl LocalListenerFilterFactory for LocalInspector {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Inspector(self.0.clone()))
    }
}

struct Inspector(InspectorStats);

impl ListenerFilter for Inspector {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        Box::pin(async {
            if !matches!(&*candidate.transport_protocol, "" | "raw_buffer") {
                return ListenerFilterStatus::Continue;
            }
            let mut seen = Vec::new();
            loop {
                match candidate.socket.peek_more(&mut seen, PREFACE_BYTES).await {
                    Ok(true) => {}
                    Ok(false) => return ListenerFilterStatus::RemoteClose,
                    Err(_) => {
                        self.0.read_error().inc();
                        return ListenerFilterStatus::ReadError;
                    }
                }
                let preface = inspect(&seen);
                if preface != Preface::Incomplete {
                    self.found(preface, candidate);
                    return ListenerFilterStatus::Continue;
                }
            }
        })
    }
}

impl Inspector {
    fn found(&self, preface: Preface, candidate: &mut Candidate) {
        let stats = &self.0;
        let (counter, protocol) = match preface {
            Preface::Http10 => (stats.http10_found(), "http/1.0"),
            Preface::Http11 => (stats.http11_found(), "http/1.1"),
            Preface::Http2 => (stats.http2_found(), "h2c"),
            Preface::NotHttp | Preface::Incomplete => return stats.http_not_found().inc(),
        };
        counter.inc();
        candidate.info.requested_application_protocols = [protocol.into()].into();
    }
}
