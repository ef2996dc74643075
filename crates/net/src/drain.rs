//! Draining: when connections are asked to end because a listener or the server goes away
//! (Envoy's drain manager, "Draining" in its architecture overview).

use nuncio_worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How connections are spread over the drain time (`--drain-strategy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainStrategy {
    /// The longer it lasts, the likelier a connection is asked to close.
    Gradual,
    /// Each is asked at its next occasion.
    Immediate,
}

/// `--drain-time-s` and `--drain-strategy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DrainSettings {
    /// How long connections may take to end.
    pub time: Duration,
    /// How they are spread over that time.
    pub strategy: DrainStrategy,
}

impl DrainSettings {
    /// Whether a connection is to close at `now`, of a drain that began at `started`.
    fn close(self, started: Instant, now: Instant, random: impl FnOnce() -> u64) -> bool {
        let elapsed = now.saturating_duration_since(started).as_secs();
        match (self.strategy, self.time.as_secs()) {
            (DrainStrategy::Immediate, _) | (_, 0) => true,
            (DrainStrategy::Gradual, seconds) => elapsed > random() % seconds,
        }
    }
}

/// A listener's own drain: begins once, when it was removed or replaced.
#[derive(Debug)]
pub struct ListenerDrain {
    settings: DrainSettings,
    started: OnceLock<Instant>,
}

impl ListenerDrain {
    /// Not draining yet.
    pub fn new(settings: DrainSettings) -> Self {
        Self {
            settings,
            started: OnceLock::new(),
        }
    }

    /// Begins draining; the first call counts.
    pub fn start(&self, now: Instant) {
        self.started.get_or_init(|| now);
    }

    /// The settings.
    pub fn settings(&self) -> DrainSettings {
        self.settings
    }
}

/// Which listeners a drain of the whole server covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum DrainScope {
    /// Those with `traffic_direction: INBOUND`.
    InboundOnly = 1,
    /// All.
    All = 2,
}

/// The server's drain: `/drain_listeners?graceful`, `/healthcheck/fail`, hot restart.
#[derive(Debug)]
pub struct ServerDrain {
    settings: DrainSettings,
    /// 0, or a [`DrainScope`]: what connections look at first.
    scope: AtomicU8,
    // Locked when a drain begins or ends, and while there is one.
    started: RwLock<Option<Instant>>,
    health_check_failed: AtomicBool,
}

impl ServerDrain {
    /// Not draining.
    pub fn new(settings: DrainSettings) -> Self {
        Self {
            settings,
            scope: AtomicU8::new(0),
            started: RwLock::default(),
            health_check_failed: AtomicBool::new(false),
        }
    }

    /// Begins draining, or widens a drain that goes on.
    pub fn start(&self, scope: DrainScope, now: Instant) {
        self.started
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(now);
        self.scope.fetch_max(scope as u8, Ordering::Release);
    }

    /// Whether a drain goes on that covers `scope`.
    pub fn draining(&self, scope: DrainScope) -> bool {
        self.scope.load(Ordering::Acquire) >= scope as u8
    }

    /// `/healthcheck/fail` and `/healthcheck/ok`.
    pub fn set_health_check_failed(&self, failed: bool) {
        self.health_check_failed.store(failed, Ordering::Relaxed);
    }

    /// Whether the server was told to fail its health checks.
    pub fn health_check_failed(&self) -> bool {
        self.health_check_failed.load(Ordering::Relaxed)
    }

    /// The settings.
    pub fn settings(&self) -> DrainSettings {
        self.settings
    }

    fn close(&self, inbound: bool, worker: &Worker) -> bool {
        let scope = if inbound {
            DrainScope::InboundOnly
        } else {
            DrainScope::All
        };
        if !self.draining(scope) {
            return false;
        }
        let started = *self.started.read().unwrap_or_else(PoisonError::into_inner);
        started.is_some_and(|started| {
            self.settings
                .close(started, worker.now(), || worker.random())
        })
    }
}

/// What filters ask whether their connection should end at the next occasion. One per filter
/// chain; asking costs four loads while nothing drains.
#[derive(Clone, Debug)]
pub struct DrainDecision {
    /// Set when the chain was taken out of its listener.
    pub chain: Arc<AtomicBool>,
    /// The listener's drain.
    pub listener: Arc<ListenerDrain>,
    /// The server's drain.
    pub server: Arc<ServerDrain>,
    /// Whether the listener is for inbound traffic.
    pub inbound: bool,
    /// Whether failed health checks drain too (`drain_type: DEFAULT`).
    pub on_health_check_fail: bool,
}

impl DrainDecision {
    /// Whether the connection should be closed now, so that its clients go elsewhere. With the
    /// gradual strategy two questions may be answered differently.
    pub fn close(&self, worker: &Worker) -> bool {
        let (listener, server) = (&self.listener, &self.server);
        self.chain.load(Ordering::Relaxed)
            || (self.on_health_check_fail && server.health_check_failed())
            || listener.started.get().is_some_and(|started| {
                listener
                    .settings
                    .close(*started, worker.now(), || worker.random())
            })
            || server.close(self.inbound, worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradual_drain_asks_ever_more_connections() {
        let settings = DrainSettings {
            time: Duration::from_secs(10),
            strategy: DrainStrategy::Gradual,
        };
        let start = nuncio_base::time::monotonic();
        for (seconds, expected) in [(0, 0), (1, 1), (5, 5), (10, 10), (60, 10)] {
            let now = start + Duration::from_secs(seconds);
            let closed = (0..10)
                .filter(|n| settings.close(start, now, || *n))
                .count();
            assert_eq!(closed, expected, "after {seconds} s");
        }
        for settings in [
            DrainSettings {
                strategy: DrainStrategy::Immediate,
                ..settings
            },
            DrainSettings {
                time: Duration::ZERO,
                ..settings
            },
        ] {
            assert!(settings.close(start, start, || 9));
        }
    }

    #[test]
    fn the_server_listener_and_chain_each_drain() {
        let settings = DrainSettings {
            time: Duration::from_secs(600),
            strategy: DrainStrategy::Immediate,
        };
        let closes = nuncio_worker::run_main(|worker| async move {
            let decision = DrainDecision {
                chain: Arc::default(),
                listener: Arc::new(ListenerDrain::new(settings)),
                server: Arc::new(ServerDrain::new(settings)),
                inbound: false,
                on_health_check_fail: true,
            };
            let mut seen = vec![decision.close(&worker)];
            decision.server.set_health_check_failed(true);
            seen.push(decision.close(&worker));
            decision.server.set_health_check_failed(false);
            decision.server.start(DrainScope::InboundOnly, worker.now());
            seen.push(decision.close(&worker));
            let inbound = DrainDecision {
                inbound: true,
                ..decision.clone()
            };
            seen.push(inbound.close(&worker));
            decision.listener.start(worker.now());
            seen.push(decision.close(&worker));
            seen
        });
        assert_eq!(closes.unwrap(), [false, true, false, true, true]);
    }
}
