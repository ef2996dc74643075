//! Accepts connections, inspects them, chooses a filter chain, and runs them on their worker.
//!
//! Main makes a [`Listener`] of a [`ListenerSpec`], binds its [`ListenSockets`], and starts it on
//! each worker. There an acceptor per socket takes connections; each gets a filter chain and a task
//! of its own (Envoy's "Listeners" and "Connection handling").

mod accept;
mod active;
mod balance;
pub mod chain_match;
mod connections;
mod hand_over;
mod handshake;
mod incoming;
mod inspect;
mod internal;
mod limits;
mod listener;
pub mod listener_filter;
mod local;
mod logs;
mod network_namespace;
mod sockets;
mod sometimes_disabled;
pub mod spec;
mod stats;
mod worker_listeners;

#[cfg(test)]
mod tests;

pub use chain_match::{ChainMatchError, ChainTree, FilterChainMatch, SourceType};
pub use limits::GlobalConnections;
pub use listener::{Listener, ListenerContext};
pub use listener_filter::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
pub use sockets::{BindError, ListenSockets, WorkerSocket};
pub use sometimes_disabled::{DisablePredicate, SometimesDisabled};
pub use spec::{
    ConnectionBalance, DrainType, FilterChainSpec, FilterChains, ListenAddress,
    ListenSocketOptions, ListenerSpec, TrafficDirection,
};
