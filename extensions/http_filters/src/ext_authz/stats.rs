//! `http.<stat_prefix>.ext_authz.…`.

nuncio_stats::stat_group! {
    /// The filter's stats.
    pub struct ExtAuthzStats {
        counters {
            denied, disabled, error, failure_mode_allowed, filter_state_name_collision,
            ignored_dynamic_metadata, invalid, ok, omitted_response_headers,
            request_header_limits_reached, response_header_limits_reached, shadow_denied,
            shadow_error,
        }
    }
}
