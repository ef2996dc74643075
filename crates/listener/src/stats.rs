//! The names of a listener's stats (Envoy's "Listener" stats page).

nuncio_stats::stat_group! {
    /// `listener.<address>.*`
    pub struct ListenerStats {
        counters {
            downstream_cx_destroy,
            downstream_cx_overflow,
            downstream_cx_overload_reject,
            downstream_cx_total,
            downstream_cx_transport_socket_connect_timeout,
            downstream_global_cx_overflow,
            downstream_listener_filter_error,
            downstream_listener_filter_remote_close,
            downstream_pre_cx_timeout,
            no_filter_chain_match,
        }
        gauges { downstream_cx_active, downstream_pre_cx_active }
        histograms {
            connections_accepted_per_socket_event: Unspecified,
            downstream_cx_length_ms: Milliseconds,
        }
    }
}

nuncio_stats::stat_group! {
    /// `listener.<address>.<worker>.*`
    pub struct WorkerListenerStats {
        counters { downstream_cx_total }
        gauges { downstream_cx_active }
    }
}

nuncio_stats::stat_group! {
    /// Of listeners whose filters may come by discovery: all but the admin's.
    pub struct ExtensionConfigStats {
        counters { extension_config_missing, network_extension_config_missing }
    }
}
