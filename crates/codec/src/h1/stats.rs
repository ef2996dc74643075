//! The codec's stats, as Envoy names them under `http1.` (and a cluster's under
//! `cluster.NAME.http1.`).

use super::{H1Error, H1Server};

nuncio_stats::stat_group! {
    /// HTTP/1 codec stats; Envoy's page "HTTP/1.1 codec statistics".
    pub struct H1Stats {
        counters {
            dropped_headers_with_underscores,
            metadata_not_supported_error,
            requests_rejected_with_underscores_in_headers,
            response_flood,
        }
    }
}

impl H1Stats {
    /// Counts what the codec dropped on its way to the frame it just gave.
    pub fn count_dropped(&self, server: &mut H1Server) {
        let dropped = server.take_dropped_headers();
        if dropped > 0 {
            self.dropped_headers_with_underscores()
                .add(u64::from(dropped));
        }
    }

    /// Counts an error.
    pub fn count_error(&self, error: H1Error) {
        if error.is_underscore() {
            self.requests_rejected_with_underscores_in_headers().inc();
        }
    }
}
