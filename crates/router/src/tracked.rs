//! What a cluster may track of each attempt: sizes, and shares of time limits
//! (`track_cluster_stats`).

use crate::attempt::Attempt;
use crate::router::Router;
use nuncio_base::HeaderMap;
use nuncio_base::time::millis;
use nuncio_http::Cx;
use nuncio_upstream::stats::{RequestResponseSizeStats, TimeoutBudgetStats};
use std::time::Duration;

impl Router {
    fn timeout_budgets(&self) -> Option<&TimeoutBudgetStats> {
        let tracked = self.cluster.as_ref()?.tracked()?;
        tracked.timeout_budgets.as_ref()
    }

    /// The request took so many milliseconds of its time limit.
    pub(crate) fn track_global_budget(&self, waited: u64) {
        if let Some(stats) = self.timeout_budgets() {
            let share = percent_of(waited, self.timeouts.global);
            stats
                .upstream_rq_timeout_budget_percent_used()
                .record(share);
        }
    }

    /// A time limit has passed.
    pub(crate) fn track_timeout(&self, cx: &Cx<'_>) {
        if let (Some(from), Some(_)) = (self.request_ended_at, self.timeout_budgets()) {
            let waited = cx.worker().now().saturating_duration_since(from);
            self.track_global_budget(millis(waited));
        }
    }

    /// An attempt is over, whose facts were kept.
    pub(crate) fn track_attempt(&self, cx: &Cx<'_>, attempt: &Attempt) {
        let tracked = self.cluster.as_ref().and_then(|cluster| cluster.tracked());
        let (Some(tracked), Some(record)) = (tracked, &attempt.record) else {
            return;
        };
        if let Some(stats) = &tracked.sizes {
            let response = record.response.as_ref();
            let bodies = [record.info.bytes_sent, record.info.bytes_received];
            record_sizes(stats, cx.request_headers_ref(), response, bodies);
        }
        // What the whole time limit ended says nothing of the limit of one try.
        if let Some(stats) = &tracked.timeout_budgets
            && !record.ended_by_global_limit
        {
            let waited = cx.worker().now().saturating_duration_since(attempt.started);
            let share = percent_of(millis(waited), self.timeouts.per_try);
            stats
                .upstream_rq_timeout_budget_per_try_percent_used()
                .record(share);
        }
    }
}

fn record_sizes(
    stats: &RequestResponseSizeStats,
    request: &HeaderMap,
    response: Option<&HeaderMap>,
    [sent, received]: [u64; 2],
) {
    let size = |headers: &HeaderMap| headers.byte_size() as u64;
    stats.upstream_rq_headers_size().record(size(request));
    stats
        .upstream_rq_headers_count()
        .record(request.len() as u64);
    stats.upstream_rq_body_size().record(sent);
    if let Some(response) = response {
        stats.upstream_rs_headers_size().record(size(response));
        stats
            .upstream_rs_headers_count()
            .record(response.len() as u64);
        stats.upstream_rs_body_size().record(received);
    }
}

/// Whole percents; no part of a limit that isn't one.
fn percent_of(waited: u64, limit: Option<Duration>) -> u64 {
    match limit.map(millis) {
        None | Some(0) => 0,
        Some(limit) => waited.saturating_mul(100) / limit,
    }
}

#[cfg(test)]
mod tests {
    use super::percent_of;
    use std::time::Duration;

    #[test]
    fn shares_of_limits() {
        let limit = |millis| Some(Duration::from_millis(millis));
        assert_eq!(percent_of(7, None), 0);
        assert_eq!(percent_of(7, limit(0)), 0);
        assert_eq!(percent_of(199, limit(100)), 199);
        assert_eq!(percent_of(1, limit(300)), 0);
    }
}
