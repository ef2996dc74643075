//! TLS towards clients, against rustls as the client.

mod authority;
mod client;
mod server;
