//! The filter.

use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// `listener_local_ratelimit.<stat_prefix>.*`
    pub struct RateLimitStats {
        counters { rate_limited }
    }
}

/// The filter as configured.
#[derive(Clone)]
pub struct LimitSpec {
    /// What connections take from.
    pub bucket: Arc<TokenBucket>,
    /// Whether they do.
    pub enabled: RuntimeFlag,
    /// What it counts.
    pub stats: Group<RateLimitStats>,
}

impl ListenerFilterFactory for LimitSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Factory(Rc::new(LocalLimit {
            worker: Rc::clone(worker),
            stats: self.stats.local(),
            spec: self.clone(),
        })))
    }
}

struct LocalLimit {
    worker: Rc<Worker>,
    stats: RateLimitStats,
    spec: LimitSpec,
}

struct Factory(Rc<LocalLimit>);

impl LocalListenerFilterFactory for Factory {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Limited(Rc::clone(&self.0)))
    }
}

struct Limited(Rc<LocalLimit>);

impl ListenerFilter for Limited {
    fn inspect<'a>(
        &'a mut self,
        _candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        let LocalLimit {
            worker,
            stats,
            spec,
        } = &*self.0;
        if !spec.enabled.current(&worker.flags()) || spec.bucket.take(1, worker.now()) {
            return Box::pin(ready(ListenerFilterStatus::Continue));
        }
        stats.rate_limited().inc();
        Box::pin(ready(ListenerFilterStatus::Reject))
    }
}
