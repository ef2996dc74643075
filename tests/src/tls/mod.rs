//! TLS towards clients and hosts, against rustls as the client and a second proxy as the host.

mod admin;
mod authority;
mod client;
mod secrets;
mod server;
mod tickets;
mod upstream;
