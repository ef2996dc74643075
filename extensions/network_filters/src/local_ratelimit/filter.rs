//! The filter.

use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::{ResponseFlag, TurnedAway};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

const TURNED_AWAY: TurnedAway = TurnedAway {
    flag: ResponseFlag::UpstreamRetryLimitExceeded,
    details: None,
};

/// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
const OVER_LIMIT: &str = "local_ratelimit_close_over_limit";

stat_group! {
    /// `local_rate_limit.<stat_prefix>.*`
    pub struct RateLimitStats {
        counters { rate_limited }
    }
}

/// The filter as configured.
#[derive(Clone)]
pub struct LocalRateLimitFactory {
    pub(super) bucket: Arc<TokenBucket>,
    pub(super) enabled: RuntimeFlag,
    pub(super) stats: Group<RateLimitStats>,
}

impl NetworkFilterFactory for LocalRateLimitFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(LocalFactory(Rc::new(LocalLimit {
            worker: Rc::clone(worker),
            stats: self.stats.local(),
            config: self.clone(),
        })))
    }
}

struct LocalLimit {
    worker: Rc<Worker>,
    stats: RateLimitStats,
    config: LocalRateLimitFactory,
}

struct LocalFactory(Rc<LocalLimit>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Limited(Rc::clone(&self.0)))
    }
}

struct Limited(Rc<LocalLimit>);

impl NetworkFilter for Limited {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        let LocalLimit {
            worker,
            stats,
            config,
        } = &*self.0;
        if !config.enabled.current(&worker.flags()) || config.bucket.take(1, worker.now()) {
            return FilterStatus::Continue;
        }
        stats.rate_limited().inc();
        let info = cx.info();
        info.local_close_reason.set(Some(OVER_LIMIT));
        info.turned_away.set(Some(&TURNED_AWAY));
        cx.close(Close::NoFlush);
        FilterStatus::StopIteration
    }
}
