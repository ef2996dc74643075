//! Load-balancing policies (Envoy's "Supported load balancers").

pub mod least_request;
mod locality;
pub mod random;
pub mod round_robin;

#[cfg(test)]
mod tests;
