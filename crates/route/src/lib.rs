//! Which route a request takes, and what the route prescribes: route tables as immutable data.
//!
//! A [`RouteTable`] is built once from config and shared by all workers. [`RouteTable::find`]
//! finds the first route that matches through indexes (`domain_index`, `route_index`), without
//! allocating. What a route says is plain data here; carrying it out is the router's work, but for
//! the pure parts: paths and hosts are rewritten in [`rewrite`], redirects are built in
//! [`redirect`], headers are changed in [`mutation`].

pub mod action;
pub mod cluster;
pub mod cluster_tree;
pub mod cors;
pub mod direct_response;
mod domain_index;
pub mod error;
pub mod filter_config;
#[cfg(test)]
mod fixture;
pub mod hash_policy;
pub mod internal_redirect;
pub mod mirror;
pub mod mutation;
pub mod mutation_steps;
pub mod rate_limit;
pub mod rate_limit_action;
pub mod redirect;
pub mod request;
pub mod request_hash;
pub mod retry_policy;
pub mod rewrite;
pub mod route;
mod route_index;
pub mod route_match;
mod route_names;
pub mod route_tree;
pub mod scopes;
pub mod stats;
pub mod table;
mod trie;
pub mod upgrade;
pub mod virtual_host;

pub use action::{Action, Priority, RouteAction};
pub use cluster::{ClusterTarget, WeightedCluster, WeightedClusters};
pub use cluster_tree::ClusterTree;
pub use direct_response::DirectResponse;
pub use error::InvalidRoute;
pub use filter_config::{FilterConfigs, FilterOverride};
pub use mutation::{AppendAction, HeaderMutations, HeaderValue};
pub use mutation_steps::{MutationStep, MutationSteps};
pub use rate_limit::RateLimit;
pub use redirect::Redirect;
pub use request::RequestView;
pub use retry_policy::{RetryOn, RetryPolicy};
pub use route::Route;
pub use route_match::{PathMatch, RouteMatch};
pub use route_tree::{RouteInput, RouteTree};
pub use scopes::ScopeKey;
pub use table::{Lookup, RouteId, RouteTable, RouteTableConfig, Selected};
pub use virtual_host::{VirtualHost, VirtualHostConfig};
