//! Which hosts get requests: health, outliers, balancing.

mod aggregate;
mod concurrent_streams;
mod health_checks;
mod health_discovery;
mod health_failures;
mod keep_alive;
mod load_reports;
mod outliers;
mod override_hosts;
mod own_pools;
mod preconnect;
mod reported_loads;
mod runtime;
mod slow_start;
mod subsets;
mod tracked;
mod zones;
