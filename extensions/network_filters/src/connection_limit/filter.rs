//! The filter.

use nuncio_base::Buffer;
use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::{Timer, Worker};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Context;
use std::time::{Duration, Instant};

/// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
const OVER_LIMIT: &str = "over_connection_limit";

stat_group! {
    /// `connection_limit.<stat_prefix>.*`
    pub struct LimitStats {
        counters { limited_connections }
        gauges { active_connections }
    }
}

/// The filter as configured.
#[derive(Clone)]
pub struct ConnectionLimitFactory {
    /// How many connections there may be.
    pub(super) max: u64,
    /// How long one too many is kept before it is closed.
    pub(super) delay: Option<Duration>,
    pub(super) enabled: RuntimeFlag,
    pub(super) stats: Group<LimitStats>,
    /// How many there are, those that wait to be closed among them.
    pub(super) open: Arc<AtomicU64>,
}

impl NetworkFilterFactory for ConnectionLimitFactory {
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
    stats: LimitStats,
    config: ConnectionLimitFactory,
}

struct LocalFactory(Rc<LocalLimit>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Limited {
            local: Rc::clone(&self.0),
            counted: false,
            close_at: None,
            timer: Timer::default(),
        })
    }
}

struct Limited {
    local: Rc<LocalLimit>,
    /// Whether this connection is among those that are counted.
    counted: bool,
    /// When it is closed, as one too many.
    close_at: Option<Instant>,
    timer: Timer,
}

impl NetworkFilter for Limited {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        let LocalLimit {
            worker,
            stats,
            config,
        } = &*self.local;
        if !config.enabled.current(&worker.flags()) {
            return FilterStatus::Continue;
        }
        self.counted = true;
        stats.active_connections().inc();
        // One too many stays counted until it is closed, as in Envoy.
        if config.open.fetch_add(1, Relaxed) < config.max {
            return FilterStatus::Continue;
        }
        stats.limited_connections().inc();
        cx.info().local_close_reason.set(Some(OVER_LIMIT));
        match config.delay {
            Some(delay) => self.close_at = Some(worker.now() + delay),
            None => cx.close(Close::NoFlush),
        }
        FilterStatus::StopIteration
    }

    fn on_data(&mut self, _cx: &mut ConnCx<'_>, _data: &mut Buffer, _end: bool) -> FilterStatus {
        match self.close_at {
            Some(_) => FilterStatus::StopIteration,
            None => FilterStatus::Continue,
        }
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        let worker = &self.local.worker;
        if !cx.is_closing() && self.timer.poll(worker, self.close_at, task).is_ready() {
            cx.close(Close::NoFlush);
        }
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.timer.disarm(&self.local.worker);
        if self.counted {
            self.local.config.open.fetch_sub(1, Relaxed);
            self.local.stats.active_connections().dec();
        }
    }
}
