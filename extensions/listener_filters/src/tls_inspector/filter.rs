//! The filter.

use nuncio_codec::client_hello::{ClientHello, Inspection, inspect};
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
    /// `tls_inspector.*`
    pub struct InspectorStats {
        counters {
            alpn_found,
            alpn_not_found,
            client_hello_too_large,
            sni_found,
            sni_not_found,
            tls_found,
            tls_not_found,
        }
        histograms { bytes_processed: Bytes }
    }
}

/// The filter as configured.
pub struct InspectorSpec {
    /// How long a ClientHello may be, in bytes.
    pub limit: usize,
    /// What it counts.
    pub stats: Group<InspectorStats>,
}

impl ListenerFilterFactory for InspectorSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(LocalInspector {
            limit: self.limit,
            stats: self.stats.local(),
        })
    }
}

struct LocalInspector {
    limit: usize,
    stats: InspectorStats,
}

impl LocalListenerFilterFactory for LocalInspector {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Inspector {
            limit: self.limit,
            stats: self.stats.clone(),
        })
    }
}

struct Inspector {
    limit: usize,
    stats: InspectorStats,
}

impl ListenerFilter for Inspector {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        Box::pin(async {
            let mut seen = Vec::new();
            loop {
                match candidate.socket.peek_more(&mut seen, self.limit).await {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return ListenerFilterStatus::RemoteClose,
                }
                match inspect(&seen, self.limit) {
                    Inspection::Incomplete => {}
                    Inspection::NotTls => {
                        self.stats.tls_not_found().inc();
                        break;
                    }
                    Inspection::TooLarge => {
                        self.stats.client_hello_too_large().inc();
                        return ListenerFilterStatus::Reject;
                    }
                    Inspection::Hello(hello) => {
                        self.found(hello, candidate);
                        break;
                    }
                }
            }
            self.stats.bytes_processed().record(seen.len() as u64);
            ListenerFilterStatus::Continue
        })
    }
}

impl Inspector {
    fn found(&self, hello: ClientHello, candidate: &mut Candidate) {
        let stats = &self.stats;
        stats.tls_found().inc();
        candidate.transport_protocol = "tls".into();
        match hello.server_name {
            Some(name) => {
                stats.sni_found().inc();
                candidate.info.requested_server_name = Some(name.into());
            }
            None => stats.sni_not_found().inc(),
        }
        if hello.alpn.is_empty() {
            stats.alpn_not_found().inc();
        } else {
            stats.alpn_found().inc();
            candidate.info.requested_application_protocols = hello.alpn;
        }
    }
}
