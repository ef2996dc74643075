//! TLS towards clients and hosts, against rustls as the client and a second proxy as the host.

mod admin;
pub mod authority;
mod client;
mod secrets;
pub mod server;
mod tickets;
mod upstream;
