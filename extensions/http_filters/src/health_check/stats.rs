//! What the filter counts.

use nuncio_stats::stat_group;

stat_group! {
    /// `http.PREFIX.health_check.`
    pub struct HealthCheckStats {
        counters {
            cached_response,
            degraded,
            failed,
            failed_cluster_empty,
            failed_cluster_not_found,
            failed_cluster_unhealthy,
            ok,
            request_total,
        }
    }
}
