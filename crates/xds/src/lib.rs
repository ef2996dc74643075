//! Subscriptions: resources from files and control planes, accepted or refused (Envoy's "xDS
//! configuration API overview" and "Dynamic from filesystem").
//!
//! Who wants a resource subscribes with [`Subscriptions::subscribe`] and gets whole, checked
//! updates through [`SubscriptionCallbacks`], one at a time, on main. What a callback refuses is
//! counted and logged, and nothing changes. What a resource means is for `config` and `server` to
//! know.

mod collection;
pub mod config_source;
mod file_watcher;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod initial_fetch;
mod lease;
mod mux;
mod own_states;
mod path_subscription;
mod rejection;
mod resource;
mod resource_states;
mod response;
mod rest;
mod source_states;
mod stats;
mod subscriptions;
mod warned;

pub use config_source::{ApiSource, ConfigSource, PathSource, RateLimit, RestSource};
pub use file_watcher::{FileWatch, FileWatcher};
pub use initial_fetch::InitialFetch;
pub use lease::Lease;
pub use rejection::Rejection;
pub use resource::{Resource, ResourceType};
pub use resource_states::{Refusal, ResourceState, ResourceStates};
pub use response::text_of;
pub use stats::SubscriptionStats;
pub use subscriptions::{
    NO_ADS, Subscription, SubscriptionCallbacks, SubscriptionRequest, Subscriptions, Update,
    UpdateFailure,
};
