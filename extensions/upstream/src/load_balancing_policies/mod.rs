//! Load-balancing policies (Envoy's "Supported load balancers").

pub mod client_side_weighted_round_robin;
mod hashing;
pub mod least_request;
mod locality;
pub mod maglev;
pub mod override_host;
pub mod random;
pub mod ring_hash;
pub mod round_robin;
mod slow_start;
pub mod subset;
pub mod wrr_locality;

#[cfg(test)]
mod tests;
