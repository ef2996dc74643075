//! What upstreams are told of the client's certificate.

pub mod config;
