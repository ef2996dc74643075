//! The codec's stats, as Envoy names them under `http2.` (and a cluster's under
//! `cluster.NAME.http2.`).

nuncio_stats::stat_group! {
    /// HTTP/2 codec stats; Envoy's page "HTTP/2 codec statistics".
    pub struct H2Stats {
        counters {
            cookies_total_bytes_too_large,
            dropped_headers_with_underscores,
            goaway_sent,
            header_list_size_too_large,
            header_overflow,
            headers_cb_no_stream,
            inbound_empty_frames_flood,
            inbound_priority_frames_flood,
            inbound_window_update_frames_flood,
            keepalive_timeout,
            metadata_empty_frames,
            nghttp2_downstream_connections,
            nghttp2_upstream_connections,
            oghttp2_downstream_connections,
            oghttp2_upstream_connections,
            outbound_control_flood,
            outbound_flood,
            requests_rejected_with_underscores_in_headers,
            rx_messaging_error,
            rx_reset,
            stream_refused_errors,
            trailers,
            tx_flush_timeout,
            tx_reset,
        }
        gauges {
            deferred_stream_close,
            outbound_control_frames_active,
            outbound_frames_active,
            pending_send_bytes,
            streams_active,
        }
        histograms {
            cookie_count: Unspecified,
            cookie_size: Unspecified,
            header_count: Unspecified,
            header_list_size: Unspecified,
        }
    }
}
