//! Load-balancing policies (Envoy's "Supported load balancers").

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

#[cfg(test)]
mod tests;
