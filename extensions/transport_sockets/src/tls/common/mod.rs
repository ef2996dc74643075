//! What both sides are configured with alike (`CommonTlsContext`).

pub mod config;
pub mod params;
