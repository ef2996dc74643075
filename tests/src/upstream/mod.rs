//! Which hosts get requests: health, outliers, balancing.

mod health_checks;
mod outliers;
