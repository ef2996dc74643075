//! Localities by weight, and in each the hosts by what they report of their load
//! (`envoy.load_balancing_policies.wrr_locality`): `client_side_weighted_round_robin`, with
//! localities that count.

mod config;

pub use config::Policy;
