//! Versions, cipher suites and groups (`TlsParameters`).

pub mod config;
