//! What carries bytes once the upstream is there: sockets, or a stream of HTTP.

use super::relay::{Relay, Rest, Turn, UpstreamEnd};
use super::tunnel::Tunnel;
use nuncio_base::Buffer;
use nuncio_upstream::TcpConnection;
use std::time::Instant;

/// Carries bytes both ways.
pub(super) enum Carrier {
    Relay(Box<Relay>),
    Tunnel(Box<Tunnel>),
}

impl Carrier {
    /// The client sent something, or its end.
    pub fn on_data(&mut self, data: &mut Buffer, end: bool, now: Instant) {
        let moved = !data.is_empty();
        let last_activity = match self {
            Self::Relay(relay) => {
                relay.on_data(data, end);
                &mut relay.last_activity
            }
            Self::Tunnel(tunnel) => {
                tunnel.on_data(data, end);
                &mut tunnel.last_activity
            }
        };
        if moved {
            *last_activity = now;
        }
    }

    /// Moves what can be moved.
    ///
    /// # Errors
    /// How the upstream ended, if it can't be used any more.
    pub fn poll(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        match self {
            Self::Relay(relay) => relay.poll(turn),
            Self::Tunnel(tunnel) => tunnel.poll(turn),
        }
    }

    /// When something passed last.
    pub fn last_activity(&self) -> Instant {
        match self {
            Self::Relay(relay) => relay.last_activity,
            Self::Tunnel(tunnel) => tunnel.last_activity,
        }
    }

    /// The upstream's end is the host's doing.
    pub fn closed_by_peer(&mut self) {
        if let Self::Relay(relay) = self {
            relay.closed_by_peer();
        }
    }

    /// What the upstream didn't take until the client went away. A stream is reset by that.
    pub fn into_rest(self, client_went: bool) -> Option<(TcpConnection, Rest)> {
        let Self::Relay(relay) = self else {
            return None;
        };
        let client_went = client_went || relay.client_failed;
        let (upstream, rest) = relay.into_rest();
        rest.filter(|_| client_went).map(|rest| (upstream, rest))
    }
}
