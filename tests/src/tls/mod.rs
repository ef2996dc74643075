//! TLS towards clients and hosts, against rustls as the client and a second proxy as the host.

mod admin;
pub mod authority;
pub mod client;
mod key_log;
mod secrets;
pub mod server;
mod spiffe;
mod stapling;
mod suites;
mod tickets;
pub mod upstream;
