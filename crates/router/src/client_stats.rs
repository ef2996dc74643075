//! What this worker's own requests count: copies of others, and those of filters.

use nuncio_http::conn_manager::RouterStats;
use nuncio_stats::Group;
use std::cell::OnceCell;

/// `http.async-client.*` on one worker; a service, of which the first router knows the stats.
#[derive(Default)]
pub(crate) struct ClientStats(OnceCell<RouterStats>);

impl ClientStats {
    /// Where to count from now on.
    pub fn fill(&self, stats: &Group<RouterStats>) {
        self.0.get_or_init(|| stats.local());
    }

    /// Counts a request.
    pub fn count_request(&self) {
        if let Some(stats) = self.0.get() {
            stats.rq_total().inc();
        }
    }
}
