//! The connection manager's stats: Envoy's `http_conn_man/stats`, below `http.<stat_prefix>.`.

use nuncio_stats::stat_group;

stat_group! {
    /// `http.<stat_prefix>.*`.
    pub struct HcmStats {
        counters {
            downstream_cx_delayed_close_timeout, downstream_cx_destroy,
            downstream_cx_destroy_active_rq, downstream_cx_destroy_local,
            downstream_cx_destroy_local_active_rq, downstream_cx_destroy_remote,
            downstream_cx_destroy_remote_active_rq, downstream_cx_drain_close,
            downstream_cx_http1_total, downstream_cx_http2_total, downstream_cx_http3_total,
            downstream_cx_idle_timeout, downstream_cx_max_duration_reached,
            downstream_cx_max_requests_reached, downstream_cx_overload_disable_keepalive,
            downstream_cx_protocol_error, downstream_cx_rx_bytes_total, downstream_cx_ssl_total,
            downstream_cx_total, downstream_cx_tx_bytes_total, downstream_cx_upgrades_total,
            downstream_flow_control_paused_reading_total,
            downstream_flow_control_resumed_reading_total, downstream_rq_1xx, downstream_rq_2xx,
            downstream_rq_3xx, downstream_rq_4xx, downstream_rq_5xx, downstream_rq_completed,
            downstream_rq_failed_path_normalization, downstream_rq_header_timeout,
            downstream_rq_http1_total, downstream_rq_http2_total, downstream_rq_http3_total,
            downstream_rq_idle_timeout, downstream_rq_max_duration_reached,
            downstream_rq_non_relative_path, downstream_rq_overload_close,
            downstream_rq_redirected_with_normalized_path,
            downstream_rq_rejected_via_ip_detection, downstream_rq_response_before_rq_complete,
            downstream_rq_rx_reset, downstream_rq_timeout, downstream_rq_too_large,
            downstream_rq_too_many_premature_resets, downstream_rq_total, downstream_rq_tx_reset,
            downstream_rq_ws_on_non_ws_route, rs_too_large,
        }
        gauges {
            downstream_cx_active, downstream_cx_http1_active, downstream_cx_http1_soft_drain,
            downstream_cx_http2_active, downstream_cx_http3_active,
            downstream_cx_rx_bytes_buffered, downstream_cx_ssl_active,
            downstream_cx_tx_bytes_buffered, downstream_cx_upgrades_active, downstream_rq_active,
        }
        histograms { downstream_cx_length_ms: Milliseconds, downstream_rq_time: Milliseconds }
    }
}

stat_group! {
    /// What a router counts, under its manager's prefix: `http.<stat_prefix>.*`.
    pub struct RouterStats {
        counters {
            no_cluster, no_route, passthrough_internal_redirect_bad_location,
            passthrough_internal_redirect_no_route, passthrough_internal_redirect_predicate,
            passthrough_internal_redirect_too_many_redirects,
            passthrough_internal_redirect_unsafe_scheme, rq_direct_response,
            rq_overload_local_reply, rq_redirect, rq_reset_after_downstream_response_started,
            rq_total,
        }
    }
}

stat_group! {
    /// `http.<stat_prefix>.tracing.*`.
    pub struct TracingStats {
        counters { client_enabled, health_check, not_traceable, random_sampling, service_forced }
    }
}

stat_group! {
    /// `listener.<address>.http.<stat_prefix>.*`.
    pub struct ListenerHttpStats {
        counters {
            downstream_rq_1xx, downstream_rq_2xx, downstream_rq_3xx, downstream_rq_4xx,
            downstream_rq_5xx, downstream_rq_completed,
        }
    }
}

macro_rules! count_class {
    ($name:ident) => {
        impl $name {
            /// Counts a response by the class of its status.
            pub fn count_response(&self, status: u16) {
                self.downstream_rq_completed().inc();
                match status / 100 {
                    1 => self.downstream_rq_1xx().inc(),
                    2 => self.downstream_rq_2xx().inc(),
                    3 => self.downstream_rq_3xx().inc(),
                    4 => self.downstream_rq_4xx().inc(),
                    5 => self.downstream_rq_5xx().inc(),
                    _ => {}
                }
            }
        }
    };
}

count_class!(HcmStats);
count_class!(ListenerHttpStats);
