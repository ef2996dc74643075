//! The server's state: what `/ready`, `/server_info` and `server.state` tell
//! (`envoy.admin.v3.ServerInfo.State`).

use nuncio_stats::SharedGauge;
use std::cell::Cell;

/// How far the server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerState {
    /// It serves.
    Live,
    /// It serves, and asks its clients to leave.
    Draining,
    /// Clusters are not there yet.
    PreInitializing,
    /// Listeners are not there yet.
    Initializing,
}

impl ServerState {
    /// The value of `server.state`.
    pub const fn number(self) -> u64 {
        match self {
            Self::Live => 0,
            Self::Draining => 1,
            Self::PreInitializing => 2,
            Self::Initializing => 3,
        }
    }

    /// As the admin prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Draining => "DRAINING",
            Self::PreInitializing => "PRE_INITIALIZING",
            Self::Initializing => "INITIALIZING",
        }
    }
}

/// The state now, and whether a failed health check hides it.
pub struct StateCell {
    state: Cell<ServerState>,
    health_check_failed: Cell<bool>,
    gauge: SharedGauge,
    live: SharedGauge,
}

impl StateCell {
    /// A server that begins.
    pub fn new(gauge: SharedGauge, live: SharedGauge) -> Self {
        let state = ServerState::PreInitializing;
        gauge.set(state.number());
        live.set(0);
        Self {
            state: Cell::new(state),
            health_check_failed: Cell::new(false),
            gauge,
            live,
        }
    }

    /// Goes on to another state.
    pub fn set(&self, state: ServerState) {
        self.state.set(state);
        self.publish();
    }

    /// `/healthcheck/fail` and `/healthcheck/ok`.
    pub fn fail_health_check(&self, failed: bool) {
        self.health_check_failed.set(failed);
        self.publish();
    }

    /// The state as it is told: a server that fails health checks is draining.
    pub fn get(&self) -> ServerState {
        match self.state.get() {
            ServerState::Live if self.health_check_failed.get() => ServerState::Draining,
            state => state,
        }
    }

    fn publish(&self) {
        let state = self.get();
        self.gauge.set(state.number());
        self.live.set(u64::from(state == ServerState::Live));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_health_check_is_a_drain_and_passes() {
        let store = nuncio_stats::Store::default();
        let scope = store.scope("server");
        let cell = StateCell::new(scope.gauge("state"), scope.gauge("live"));
        assert_eq!(store.gauge_value("server.state"), Some(2));
        cell.set(ServerState::Live);
        assert_eq!(store.gauge_value("server.live"), Some(1));
        cell.fail_health_check(true);
        assert_eq!(
            (cell.get(), store.gauge_value("server.state")),
            (ServerState::Draining, Some(1))
        );
        cell.fail_health_check(false);
        assert_eq!(
            (cell.get(), store.gauge_value("server.state")),
            (ServerState::Live, Some(0))
        );
    }
}
