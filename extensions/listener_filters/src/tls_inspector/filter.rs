//! The filter.

use super::fingerprint::{ja3, ja4};
use nuncio_base::metadata::Value;
use nuncio_codec::client_hello::{ClientHello, FirstFlightError, Inspection, inspect};
use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::Fingerprints;
use nuncio_worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// Under what name its metadata are.
const NAME: &str = "envoy.filters.listener.tls_inspector";

/// `ERR_LIB_SSL`, where BoringSSL packs the library into an error.
const LIBRARY: u32 = 16 << 24;

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
    /// Whether JA3 fingerprints are taken.
    pub ja3: bool,
    /// Whether JA4 fingerprints are taken.
    pub ja4: bool,
    /// Whether connections without a ClientHello are closed.
    pub closes_others: bool,
    /// What it counts.
    pub stats: Group<InspectorStats>,
}

impl ListenerFilterFactory for InspectorSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Factory(Rc::new(LocalInspector {
            limit: self.limit,
            ja3: self.ja3,
            ja4: self.ja4,
            closes_others: self.closes_others,
            stats: self.stats.local(),
            not_detected: failure("ClientHelloNotDetected"),
            too_large: failure("ClientHelloTooLarge"),
        })))
    }
}

fn failure(reason: &str) -> Value {
    let reason = ("failure_reason".to_owned(), Value::Text(reason.into()));
    Value::Struct(Arc::new([reason].into()))
}

struct Factory(Rc<LocalInspector>);

impl LocalListenerFilterFactory for Factory {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Inspector(Rc::clone(&self.0)))
    }
}

struct LocalInspector {
    limit: usize,
    ja3: bool,
    ja4: bool,
    closes_others: bool,
    stats: InspectorStats,
    /// Why an inspection failed, as metadata tell it.
    not_detected: Value,
    too_large: Value,
}

struct Inspector(Rc<LocalInspector>);

impl ListenerFilter for Inspector {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        Box::pin(async {
            let local = &*self.0;
            let mut seen = Vec::new();
            let status = loop {
                match candidate.socket.peek_more(&mut seen, local.limit).await {
                    Ok(true) => {}
                    Ok(false) => return ListenerFilterStatus::RemoteClose,
                    Err(_) => return ListenerFilterStatus::ReadError,
                }
                match inspect(&seen, local.limit) {
                    Inspection::Incomplete => {}
                    Inspection::NotTls => break local.not_found(&seen, candidate),
                    Inspection::TooLarge => break local.too_large(candidate),
                    Inspection::Hello(hello) => break local.found(hello, candidate),
                }
            };
            local.stats.bytes_processed().record(seen.len() as u64);
            status
        })
    }
}

impl LocalInspector {
    fn not_found(&self, seen: &[u8], candidate: &mut Candidate) -> ListenerFilterStatus {
        self.stats.tls_not_found().inc();
        let info = &mut candidate.info;
        info.metadata.get_mut().set(NAME, self.not_detected.clone());
        if let Some(error) = FirstFlightError::of(seen) {
            let code = LIBRARY + error.number();
            let reason = error.reason();
            info.transport_failure_reason = Some(
                format!(
                    "TLS_error|error:{code:08x}:SSL routines:OPENSSL_internal:{reason}:\
                     TLS_error_end"
                )
                .into(),
            );
        }
        match self.closes_others {
            true => ListenerFilterStatus::Reject,
            false => ListenerFilterStatus::Continue,
        }
    }

    fn too_large(&self, candidate: &mut Candidate) -> ListenerFilterStatus {
        self.stats.client_hello_too_large().inc();
        let metadata = candidate.info.metadata.get_mut();
        metadata.set(NAME, self.too_large.clone());
        ListenerFilterStatus::Reject
    }

    fn found(&self, hello: ClientHello, candidate: &mut Candidate) -> ListenerFilterStatus {
        let stats = &self.stats;
        stats.tls_found().inc();
        candidate.transport_protocol = "tls".into();
        if self.ja3 || self.ja4 {
            candidate.info.fingerprints = Some(Box::new(Fingerprints {
                ja3: self.ja3.then(|| ja3(&hello)),
                ja4: self.ja4.then(|| ja4(&hello)),
            }));
        }
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
            candidate.info.requested_application_protocols = hello.alpn.into();
        }
        ListenerFilterStatus::Continue
    }
}
